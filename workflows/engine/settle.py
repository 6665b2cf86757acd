"""Jobs release one another: what it means to the rest of a graph that a job has ended.

Each uuid settles once. It has settled when the job with its highest index is finished and holds for nothing
more; those that wait for it then count one parent less, and what that frees, or skips, may settle in turn.
The cost is that of the edges concerned, whatever the size of the graph.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from zonemelt.workflows.engine.schema import HOLDS, WAITS_FOR
from zonemelt.workflows.engine.states import FINISHED, JobState, Outcome, next_state, outcome

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from zonemelt.workflows.engine.ledger import Ledger

_LATEST = 'SELECT id, state, holds, stops, settled FROM jobs WHERE uuid = ? ORDER BY "index" DESC LIMIT 1'


def standing(ledger: Ledger, uuid: str) -> Outcome | None:
    """How a uuid has settled, or would; None while it has not.

    Raises:
        KeyError: the ledger does not know it.
    """
    row = ledger.connection.execute(_LATEST, (uuid,)).fetchone()
    if row is None:
        raise KeyError(uuid)
    return _outcome(row)


def _outcome(row: tuple[int, int, int, int, int]) -> Outcome | None:
    _, state, holds, stops, _ = row
    if state < JobState.DONE or holds:
        return None
    return outcome(JobState(state), stops_children=bool(stops))


def hold(ledger: Ledger, job: int, uuids: Iterable[str]) -> None:
    """Let the children of ``job`` wait for ``uuids`` as well."""
    pairs = [(uuid, job, HOLDS) for uuid in uuids]
    ledger.connection.executemany("INSERT OR IGNORE INTO edges VALUES (?, ?, ?)", pairs)
    ledger.connection.execute("UPDATE jobs SET holds = holds + ? WHERE id = ?", (len(pairs), job))


def carry_over(ledger: Ledger, old: int, new: int) -> None:
    """A replacement takes over what its predecessor holds for, and whether it stops its children."""
    execute = ledger.connection.execute
    execute("UPDATE edges SET child = ? WHERE child = ? AND kind = ?", (new, old, HOLDS))
    execute(
        "UPDATE jobs SET (holds, stops) = (SELECT holds, stops FROM jobs WHERE id = ?) WHERE id = ?",
        (old, new),
    )
    execute("UPDATE jobs SET holds = 0 WHERE id = ?", (old,))


def settle(ledger: Ledger, uuids: Iterable[str]) -> None:
    """Release what waits for ``uuids``, as far as these have settled, and what that settles.

    Asking again changes nothing.
    """
    execute = ledger.connection.execute
    queue = list(uuids)
    while queue:
        settled: dict[str, Outcome] = {}
        for uuid in queue:
            row = execute(_LATEST, (uuid,)).fetchone()
            if row[4] or (how := _outcome(row)) is None:
                continue
            execute("UPDATE jobs SET settled = 1 WHERE id = ?", (row[0],))
            settled[uuid] = how
        queue = release(ledger, settled)


def release(ledger: Ledger, settled: Mapping[str, Outcome]) -> list[str]:
    """Tell those that wait for uuids how these have settled; returns what may settle in turn."""
    changes: dict[int, list[int]] = {}
    held: Counter[int] = Counter()
    edges = ledger.connection.execute(
        "SELECT parent, child, kind FROM edges WHERE parent IN (SELECT value FROM json_each(?))",
        (json.dumps(list(settled)),),
    )
    for parent, child, kind in edges:
        if kind == HOLDS:
            held[child] += 1
        else:
            changes.setdefault(child, [0, 0, 0])[settled[parent]] += 1
    ended = _move_on(ledger, changes)
    for job, count in held.items():
        ended += ledger.connection.execute(
            "UPDATE jobs SET holds = holds - ? WHERE id = ? RETURNING uuid", (count, job)
        ).fetchone()
    return ended


def _move_on(ledger: Ledger, changes: dict[int, list[int]]) -> list[str]:
    """Count the settled parents of jobs and move on those that wait no more; returns what ended."""
    ended: list[str] = []
    for child, (arrived, failed, stopped) in changes.items():
        row = ledger.connection.execute(
            "UPDATE jobs SET waits = waits - ?, arrived = arrived + ?, failed = failed + ?,"
            " stopped = stopped + ? WHERE id = ? AND state IN (?, ?, ?)"
            " RETURNING uuid, state, waits, arrived, failed, stopped, quorum, needs_parents",
            (
                arrived + failed + stopped, arrived, failed, stopped, child,
                int(JobState.WAITING), int(JobState.HELD), int(JobState.RUNNING),
            ),
        ).fetchone()  # fmt: skip
        if row is None or row[1] != JobState.WAITING:
            continue
        state = next_state(
            waits=row[2], arrived=row[3], failed=row[4], stopped=row[5],
            quorum=row[6], needs_parents=bool(row[7]),
        )  # fmt: skip
        if state is JobState.WAITING:
            continue
        ledger.connection.execute("UPDATE jobs SET state = ? WHERE id = ?", (int(state), child))
        if state in FINISHED:
            ledger.unfinished -= 1
            ended.append(row[0])
    return ended


def unsettle(ledger: Ledger, job: int) -> list[int]:
    """Take back that a job has settled, and what holds for it; returns the jobs concerned."""
    execute = ledger.connection.execute
    row = execute("UPDATE jobs SET settled = 0 WHERE id = ? AND settled RETURNING uuid", (job,)).fetchone()
    if row is None:
        return []
    holders = execute("SELECT child FROM edges WHERE parent = ? AND kind = ?", (row[0], HOLDS)).fetchall()
    concerned = [job]
    for (holder,) in holders:
        execute("UPDATE jobs SET holds = holds + 1 WHERE id = ?", (holder,))
        concerned += unsettle(ledger, holder)
    return concerned


def recount(ledger: Ledger, jobs: Collection[int]) -> None:
    """Set the counters of waiting jobs from how their parents stand now, and move on those that can."""
    for job in jobs:
        parents = ledger.connection.execute(
            "SELECT parent FROM edges WHERE child = ? AND kind = ?", (job, WAITS_FOR)
        ).fetchall()
        standings = [standing(ledger, parent) for (parent,) in parents]
        counts = [standings.count(how) for how in (None, *Outcome)]
        ledger.connection.execute(
            "UPDATE jobs SET waits = ?, arrived = ?, failed = ?, stopped = ?, not_before = 0 WHERE id = ?",
            (*counts, job),
        )
    settle(ledger, _move_on(ledger, {job: [0, 0, 0] for job in jobs}))
