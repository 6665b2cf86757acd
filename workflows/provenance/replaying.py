"""A campaign of some jobs of another one, ready to run: what they were given is in it, done.

Paths into the other campaign lead into this one, where copies of what the jobs read lie: so a replay changes
nothing there. What a job keeps in its argument ``directory`` is not copied: it begins anew.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zonemelt.workflows.engine.commit import commit_plain, commit_success
from zonemelt.workflows.engine.inspect import fact
from zonemelt.workflows.engine.named_files import check_files, take_files
from zonemelt.workflows.engine.reuse import row_of
from zonemelt.workflows.engine.settle import settle
from zonemelt.workflows.engine.walking import referenced_uuids

if TYPE_CHECKING:
    import sqlite3

    from zonemelt.workflows.engine.graph import JobRow
    from zonemelt.workflows.engine.results import Result
    from zonemelt.workflows.provenance.content import Content


def prepare(
    connection: sqlite3.Connection,
    content: Content,
    jobs: list[int],
    *,
    source: Path,
    place: Path,
    site: Any,
) -> None:
    """Make a campaign of jobs to replay; what they refer to is in it, done.

    Args:
        connection: the ledger of the campaign that they are of.
        content: its outputs.
        jobs: their ids.
        source: its directory.
        place: of the new campaign.
        site: where it will run.
    """
    from zonemelt.workflows.engine.ledger import Ledger
    from zonemelt.workflows.engine.pools import make_workers

    rows = {job: row_of(connection, job) for job in jobs}
    replayed = {row.uuid for row in rows.values()}
    brought, bodies = _brought(connection, list(rows))
    bodies += [row.body for row in rows.values()]
    context = _context(connection, content, bodies, replayed | brought)
    texts = [row.body for row in rows.values()]
    for _, document, blobs in context.values():
        texts += [document, *(blob for many in blobs.values() for blob in many)]
    for text in texts:
        check_files(source / "blobs", text, where="what a job to replay was given")
    take_files(source / "blobs", place / "blobs", texts)
    own = {path for row in rows.values() for path in _kept_in(row.body)}
    _copy_read(source, place, texts, besides=own)
    rows = {job: row._replace(body=_moved(row.body, source, place)) for job, row in rows.items()}
    context = {
        uuid: (row, _moved(document, source, place), blobs)
        for uuid, (row, document, blobs) in context.items()
    }
    workers, _ = make_workers(site, place)
    ledger = Ledger(place, pools=workers.pools)
    try:
        with ledger.transaction():
            ledger.put("name", f"rerun of {fact(connection, 'name', source.name)}")
            ledger.put("streamed", value=False)
            ledger.put("mirrored", value=False)
            ledger.put("path", fact(connection, "path", []))
            ledger.event("submitted", jobs=len(rows), rerun_of=str(source.resolve()))
            ids = ledger.insert([row for row, _, _ in context.values()])
            ledger.mark_running(ids)
            results = [_result(job, *each, source) for job, each in zip(ids, context.values(), strict=True)]
            commit_plain(ledger, [result for result in results if "blobs" not in result])
            for result in results:
                if "blobs" in result:
                    commit_success(ledger, result)
            inside = {*context, *replayed}
            ledger.insert(
                [
                    row._replace(
                        parents=[uuid for uuid in row.parents if uuid in inside],
                        manager_config=_fitting(row.manager_config, ledger.pools),
                    )
                    for row in rows.values()
                ]
            )
            settle(ledger, [row.uuid for row in rows.values()])
    finally:
        ledger.close()


def _moved(text: str, source: Path, place: Path) -> str:
    """With paths into the new campaign in the place of those into the old one."""
    return text.replace(f"{source.resolve()}/", f"{place.resolve()}/")


def _kept_in(body: str) -> set[str]:
    """The directories in which a job keeps what it makes."""
    return set(re.findall(r'"directory":\s*"(/[^"\\]*)"', body))


def _copy_read(source: Path, place: Path, texts: list[str], *, besides: set[str]) -> None:
    """Copy what texts name within a campaign, if it is there; not the directories in ``besides``."""
    root = str(source.resolve())
    named = {path for text in texts for path in re.findall(re.escape(root) + r'/[^"\\]+', text)}
    for path in sorted(named - besides):
        if ".." in Path(path).parts:
            continue  # it leads out of there
        old, new = Path(path), place / Path(path).relative_to(root)
        if old.is_dir():
            shutil.copytree(old, new, dirs_exist_ok=True)
        elif old.is_file():
            new.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(old, new)


def _brought(connection: sqlite3.Connection, jobs: list[int]) -> tuple[set[str], list[str]]:
    """Uuids and bodies of what jobs brought, and what that brought: these may refer to anything."""
    rows = connection.execute(
        "WITH RECURSIVE found(id) AS (SELECT value FROM json_each(?) UNION"
        " SELECT jobs.id FROM found JOIN jobs ON jobs.origin = found.id)"
        " SELECT id, uuid, body FROM found JOIN jobs USING (id) JOIN bodies ON job = id",
        (json.dumps(jobs),),
    ).fetchall()
    brought = [(uuid, body) for job, uuid, body in rows if job not in jobs]
    return {uuid for uuid, _ in brought}, [body for _, body in brought]


def _context(
    connection: sqlite3.Connection, content: Content, bodies: list[str], replayed: set[str]
) -> dict[str, tuple[JobRow, str, dict[str, list[str]]]]:
    """What jobs refer to, and what that refers to: row, output, documents of additional stores."""
    found: dict[str, tuple[JobRow, str, dict[str, list[str]]]] = {}
    queue = [uuid for body in bodies for uuid in referenced_uuids(body)]
    while queue:
        uuid = queue.pop()
        if uuid in found or uuid in replayed or (text := content.text(uuid)) is None:
            continue
        (job,) = connection.execute(
            'SELECT id FROM jobs WHERE uuid = ? ORDER BY "index" DESC', (uuid,)
        ).fetchone()
        row = row_of(connection, job)._replace(parents=[], manager_config={}, expose_store=False)
        found[uuid] = row, text, content.additional(text)
        queue += referenced_uuids(text)
    return found


def _result(job: int, row: JobRow, document: str, blobs: dict[str, list[str]], source: Path) -> Result:
    result: Result = {
        "ok": True, "job": job, "attempt": 1, "uuid": row.uuid, "index": row.index, "document": document,
        "reused": str(source.resolve()),
    }  # fmt: skip
    if blobs:
        result["blobs"] = blobs
    return result


def _fitting(wanted: dict[str, Any], pools: tuple[str, ...]) -> dict[str, Any]:
    """What a job asks for, on a site that may not have its pool."""
    if wanted.get("pool", pools[0]) in pools:
        return wanted
    return {key: value for key, value in wanted.items() if key != "pool"}
