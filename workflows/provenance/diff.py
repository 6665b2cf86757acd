"""What differs between two campaigns: spec, code, data and results, and where the results part."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zonemelt.plain_yaml import read_yaml
from zonemelt.tasks.errors import InputError
from zonemelt.workflows.dotted import flat
from zonemelt.workflows.engine.inspect import open_ledger
from zonemelt.workflows.engine.schema import SPEC_FILE, WAITS_FOR
from zonemelt.workflows.engine.states import JobState
from zonemelt.workflows.provenance.comparing import ATOL, RTOL, compare
from zonemelt.workflows.provenance.content import Content
from zonemelt.workflows.provenance.lineage import circumstances, damaged
from zonemelt.workflows.provenance.record import may_name_things, named_things

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

_PARTED = 10  # jobs that were given the same and made something else, compared in full
# name → what it is in the first and in the second campaign; None: it is not there
Pairs = dict[str, tuple[Any, Any]]


@dataclass(kw_only=True)
class Diff:
    """What differs between two campaigns.

    Attributes:
        spec: keys of the campaign file.
        code: packages, functions by the digests of their sources, repositories.
        data: datasets, models and seeds that jobs were given, by where they stand.
        counts: how many jobs are ``same``, were given something else (``given``), were given the same and
            made something else (``parted``), ended in different states (``state``), or are ``only_first`` or
            ``only_second``.
        parted: the jobs where results part: given the same, made something else, with what differs.
        functions: the same counts for the jobs of each function.
        links: functions whose jobs come from jobs of another, in either campaign: from and to.
        only_first: names of jobs that only the first campaign has, with how many.
        only_second: likewise.
    """

    first: Path
    second: Path
    spec: Pairs = field(default_factory=dict)
    code: Pairs = field(default_factory=dict)
    data: Pairs = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    parted: list[dict[str, Any]] = field(default_factory=list)
    functions: dict[str, dict[str, int]] = field(default_factory=dict)
    links: list[tuple[str, str]] = field(default_factory=list)
    only_first: dict[str, int] = field(default_factory=dict)
    only_second: dict[str, int] = field(default_factory=dict)

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        results = sum(count for what, count in self.counts.items() if what != "same")
        return not (self.spec or self.code or self.data or results)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for ``--json``."""
        return {**asdict(self), "first": str(self.first), "second": str(self.second), "same": self.same}


@dataclass(frozen=True, slots=True)
class _Job:
    id: int
    uuid: str
    state: int
    given: str
    made: str


def diff(
    first: str | Path,
    second: str | Path,
    *,
    rtol: float = RTOL,
    atol: float = ATOL,
    ignore: Collection[str] = (),
) -> Diff:
    """Compare two campaigns.

    Jobs are matched by function, name and order; what they were given and made counts by content. Cost grows
    with the size of all inputs and outputs.

    Args:
        first: a campaign directory.
        second: another one.
        rtol: relative tolerance of numbers where results part.
        atol: absolute tolerance.
        ignore: keys whose values do not count, besides times, hosts and folders.

    Raises:
        InputError: both are one directory.
        CampaignError: one is no campaign, or its ledger is damaged.
    """
    places = Path(first), Path(second)
    if places[0].resolve() == places[1].resolve():
        raise InputError("both are the same directory", where=str(first), remedy="name two campaigns")
    with open_ledger(places[0]) as one, open_ledger(places[1]) as two:
        connections = one, two
        found = Diff(first=places[0], second=places[1])
        found.spec = _pairs(*(flat(_spec(place)) for place in places))
        read: list[tuple[Content, dict[tuple[str, str, int], _Job]]] = []
        try:
            found.code = _pairs(*map(_code, connections))
            contents = [
                Content(connection, place, ignore=frozenset(ignore), names=_names(connection))
                for connection, place in zip(connections, places, strict=True)
            ]
            found.data = _pairs(*map(_data, connections, contents))
            for connection, content in zip(connections, contents, strict=True):
                read.append((content, dict(_jobs(connection, content))))
            _results(found, *read, rtol=rtol, atol=atol)
            found.links = sorted({link for connection in connections for link in _links(connection)})
        except sqlite3.DatabaseError as error:
            raise damaged(connections[len(read) % 2], error) from error
    return found


def _pairs(first: dict[str, Any], second: dict[str, Any]) -> Pairs:
    keys = sorted({*first, *second})
    return {key: (first.get(key), second.get(key)) for key in keys if first.get(key) != second.get(key)}


def _spec(place: Path) -> dict[str, Any]:
    path = place / SPEC_FILE
    said = read_yaml(path) if path.exists() else {}
    return said if isinstance(said, dict) else {}


def _code(connection: sqlite3.Connection) -> dict[str, Any]:
    """Packages, sources of functions and commits; several of one are listed together."""
    found: dict[str, set[str]] = {}
    for said in circumstances(connection).values():
        if said["kind"] == "software":
            found.setdefault("python", set()).add(said["python"])
            for name, version in said["packages"].items():
                found.setdefault(f"package {name}", set()).add(version)
            for name, value in said.get("container", {}).items():
                found.setdefault(f"container {name}", set()).add(value)
        elif said["kind"] == "repositories":
            for each in said["found"]:
                state = {True: "-dirty", None: "-unknown"}.get(each["dirty"], "")
                found.setdefault(f"repository {each['root']}", set()).add(each["commit"] + state)
    for kind, digest in connection.execute("SELECT kind, digest FROM sources"):
        found.setdefault(f"function {kind}", set()).add(digest[:12])
    return {key: ", ".join(sorted(values)) for key, values in found.items()}


def _data(connection: sqlite3.Connection, content: Content) -> dict[str, Any]:
    """Datasets, models and seeds among the arguments; folders by their place, of one name all values."""
    found: dict[str, set[str]] = {}
    for kind, body in connection.execute("SELECT kind, body FROM jobs JOIN bodies ON job = id"):
        if not may_name_things(body):
            continue
        things = named_things(json.loads(content.placed(body)), None)
        for label in ("seeds", "datasets", "models"):
            for path, value in things[label].items():
                found.setdefault(f"{kind.rpartition('.')[2]} {path.removeprefix('given.')}", set()).add(
                    str(value)
                )
    return {key: ", ".join(sorted(values)) for key, values in found.items()}


def _numbered(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[tuple[str, str, int], tuple[Any, ...]]]:
    """Rows of jobs, each with what names it in both campaigns: function, name, how many of these came before.

    Args:
        rows: kind, name and more of each, in the order in which they came.
    """
    seen: Counter[tuple[str, str]] = Counter()
    for kind, name, *more in rows:
        seen[kind, name] += 1
        yield (kind, name, seen[kind, name]), tuple(more)


def _names(connection: sqlite3.Connection) -> dict[str, str]:
    """Uuids of jobs → what names them in both campaigns: one that an output holds is no difference."""
    rows = connection.execute("SELECT kind, name, uuid FROM jobs ORDER BY id")
    return {uuid: " ".join(map(str, key)) for key, (uuid,) in _numbered(rows)}


def _jobs(connection: sqlite3.Connection, content: Content) -> Iterator[tuple[tuple[str, str, int], _Job]]:
    rows = connection.execute(
        "SELECT kind, name, id, uuid, state, body FROM jobs JOIN bodies ON job = id ORDER BY id"
    ).fetchall()
    for key, (job, uuid, state, body) in _numbered(rows):
        made = content.made(uuid) if state == JobState.DONE else ""
        yield key, _Job(job, uuid, state, content.given(body, key[0]), made)


def _results(
    found: Diff,
    first: tuple[Content, dict[tuple[str, str, int], _Job]],
    second: tuple[Content, dict[tuple[str, str, int], _Job]],
    *,
    rtol: float,
    atol: float,
) -> None:
    (content, jobs), (other_content, others) = first, second
    counts: Counter[tuple[str, str]] = Counter()
    for key, job in jobs.items():
        other = others.get(key)
        if other is None:
            counts[key[0], "only_first"] += 1
            found.only_first[key[1]] = found.only_first.get(key[1], 0) + 1
            continue
        how = _how(job, other)
        if how == "parted":
            about = {"name": key[1], "function": key[0], "first": job.id, "second": other.id}
            if len(found.parted) < _PARTED:
                values = content.value(job.uuid), other_content.value(other.uuid)
                comparison = compare(*values, rtol=rtol, atol=atol)
                about |= {"deviation": comparison.deviation, "differences": comparison.differences}
                about["close"] = comparison.equal
                found.parted.append(about)
        counts[key[0], how] += 1
    for key in others.keys() - jobs.keys():
        counts[key[0], "only_second"] += 1
        found.only_second[key[1]] = found.only_second.get(key[1], 0) + 1
    for (kind, how), count in counts.items():
        found.functions.setdefault(kind, {})[how] = count
        found.counts[how] = found.counts.get(how, 0) + count


def _links(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Functions whose jobs wait for, or were brought by, jobs of another."""
    yield from connection.execute(
        "SELECT DISTINCT parent.kind, child.kind FROM edges JOIN jobs AS parent ON parent.uuid = edges.parent"
        f" JOIN jobs AS child ON child.id = edges.child WHERE edges.kind = {WAITS_FOR}"
        " UNION SELECT parent.kind, child.kind FROM jobs AS child"
        " JOIN jobs AS parent ON parent.id = child.origin"
    )


def _how(job: _Job, other: _Job) -> str:
    if job.state != other.state:
        return "state"
    if job.made == other.made:
        return "same"
    return "parted" if job.given == other.given else "given"
