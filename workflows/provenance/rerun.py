"""Replay jobs from what the ledger says they were given, in a fresh directory, and compare what they make."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import CampaignError, InputError
from zonemelt.workflows.engine.inspect import open_ledger
from zonemelt.workflows.engine.place import make_place
from zonemelt.workflows.engine.states import JobState
from zonemelt.workflows.provenance.comparing import ATOL, RTOL, compare
from zonemelt.workflows.provenance.content import Content
from zonemelt.workflows.provenance.identify import identify
from zonemelt.workflows.provenance.lineage import circumstances, damaged, walk
from zonemelt.workflows.provenance.replaying import prepare

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """How a job that ran again compares with the first time.

    Attributes:
        job: its id in the campaign.
        verdict: ``same`` (equal by hash), ``close`` (within the tolerance), ``differs``, or the state of the
            job where it did not succeed this time.
        made: digest of the content of the output, first and now.
        code_changed: the function's source is not what it was.
        deviation: the largest relative deviation of two numbers.
        differences: what differs by more than the tolerance.
    """

    job: int
    name: str
    verdict: str
    made: tuple[str, str]
    code_changed: bool
    deviation: float = 0.0
    differences: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A replay: where it ran, how each job compares, and which of them come from which (from, to)."""

    directory: Path
    of: Path
    jobs: list[Replayed]
    links: list[tuple[int, int]] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether every job made what it made the first time, within the tolerance."""
        return all(job.verdict in {"same", "close"} for job in self.jobs)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for ``--json``."""
        return {
            "directory": str(self.directory),
            "of": str(self.of),
            "agrees": self.agrees,
            "jobs": [asdict(job) for job in self.jobs],
            "links": [list(link) for link in self.links],
        }


def rerun(
    directory: str | Path,
    text: str,
    *,
    to: str | Path | None = None,
    subtree: bool = False,
    site: Any = "local",
    rtol: float = RTOL,
    atol: float = ATOL,
    ignore: Collection[str] = (),
) -> Replay:
    """Replay a job, or a job and all that comes from it, and compare.

    What the jobs refer to outside of what is replayed is taken from the ledger; nothing else runs.

    Args:
        directory: the campaign directory; it is only read.
        text: what to replay: an ID as :func:`.identify.identify` reads it.
        to: a fresh directory; beside the campaign by default.
        subtree: everything that comes from the job as well.
        site: where to run, as for :func:`zonemelt.run_flow`.
        rtol: relative tolerance of numbers.
        atol: absolute tolerance of numbers.
        ignore: keys whose values do not count, besides times, hosts and folders.

    Raises:
        InputError: nothing is called so, or a job has no output to compare with.
        CampaignError: the ledger is damaged, or ``to`` holds something.
        StoreError: a file that the jobs were given is missing.
    """
    source = Path(directory)
    with open_ledger(source) as connection:
        try:
            roots = identify(connection, source, text).makers
            jobs = _chosen(connection, roots, subtree=subtree)
            place = _fresh(source, to, roots[0])
            content = Content(connection, source, ignore=frozenset(ignore))
            prepare(connection, content, [job[0] for job in jobs], source=source, place=place, site=site)
        except sqlite3.DatabaseError as error:
            raise damaged(connection, error) from error
        from zonemelt.workflows.engine.run import resume

        resume(place, site=site)
        with open_ledger(place) as again:
            now = Content(again, place, ignore=frozenset(ignore))
            old, new = _sources(connection), _sources(again)
            replayed = [
                _compared(job, content, now, again, changed=_changed(old, new, job[1]), rtol=rtol, atol=atol)
                for job in jobs
            ]
        ids = {job[0] for job in jobs}
        links = walk(connection, roots, "uses").links
    arrows = [(start, end) for start, ends in links.items() for end in ends if {start, end} <= ids]
    return Replay(directory=place, of=source, jobs=replayed, links=arrows)


def _chosen(connection: sqlite3.Connection, roots: list[int], *, subtree: bool) -> list[tuple[int, str, str]]:
    """Id, uuid and name of the jobs to replay; what these bring comes by itself."""
    nodes = walk(connection, roots, "uses").nodes if subtree else walk(connection, roots, "why").nodes
    ids = set(nodes) if subtree else set(roots)
    origins = dict(connection.execute("SELECT id, origin FROM jobs WHERE origin IS NOT NULL"))
    chosen = sorted(job for job in ids if job in roots or not _brought_by(job, origins, ids))
    if lacking := [job for job in chosen if nodes[job].state != "done"]:
        first = nodes[lacking[0]]
        raise InputError(
            f"job {first.id} '{first.name}' is {first.state}: there is no output to compare with",
            where="ID",
            remedy="`zonemelt retry` runs a failed job again in its campaign",
        )
    return [(job, nodes[job].uuid, nodes[job].name) for job in chosen]


def _brought_by(job: int, origins: dict[int, int], among: set[int]) -> bool:
    while job in origins:
        job = origins[job]
        if job in among:
            return True
    return False


def _fresh(source: Path, to: str | Path | None, job: int) -> Path:
    if to is None:
        number = 1
        while (place := source.resolve().with_name(f"{source.resolve().name}-rerun-{job}-{number}")).exists():
            number += 1
    else:
        place = Path(to).resolve()
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise CampaignError(
            "a replay needs a fresh directory, and this one holds something",
            where=str(place),
            remedy="give another with --directory",
        )
    make_place(place)
    return place


def _sources(connection: sqlite3.Connection) -> dict[str, str]:
    """uuid → digest of the source that its function had."""
    said = circumstances(connection)
    rows = connection.execute(
        "SELECT uuid, json_extract(data, '$.under') FROM events JOIN jobs ON jobs.id = job"
        " WHERE events.kind = 'done' ORDER BY events.id"
    )
    return {uuid: said[under]["source"] for uuid, under in rows if under in said}


def _changed(old: dict[str, str], new: dict[str, str], uuid: str) -> bool:
    return uuid in old and uuid in new and old[uuid] != new[uuid]


def _compared(
    job: tuple[int, str, str],
    then: Content,
    now: Content,
    connection: sqlite3.Connection,
    *,
    changed: bool,
    rtol: float,
    atol: float,
) -> Replayed:
    number, uuid, name = job
    (state,) = connection.execute(
        'SELECT state FROM jobs WHERE uuid = ? ORDER BY "index" DESC', (uuid,)
    ).fetchone()
    made = then.made(uuid), now.made(uuid)
    common: dict[str, Any] = {"job": number, "name": name, "made": made, "code_changed": changed}
    if state != JobState.DONE:
        return Replayed(verdict=JobState(state).name.lower(), differences=[], **common)
    if made[0] == made[1]:
        return Replayed(verdict="same", differences=[], **common)
    found = compare(then.value(uuid), now.value(uuid), rtol=rtol, atol=atol)
    return Replayed(
        verdict="close" if found.equal else "differs", deviation=found.deviation,
        differences=found.differences, **common,
    )  # fmt: skip
