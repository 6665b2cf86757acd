"""The part of a lineage that a person can look at: every job once, many alike as one line."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.workflows.provenance.lineage import Lineage, Node

ALIKE = 3  # jobs of the same function and state below one job that are shown; the rest are counted
LINES = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a view.

    Attributes:
        id: names the line: a job's id, or one of its own for a line that counts.
        depth: how far from what was asked for.
        parent: the line above it in the tree; empty for what was asked for.
        node: the job; None for a line that counts.
        text: what a line that counts says.
        also: further jobs that the job comes from, or that come from it, which stand elsewhere.
    """

    id: str
    depth: int
    parent: str
    node: Node | None = None
    text: str = ""
    also: tuple[int, ...] = ()


def view(lineage: Lineage, *, whole: bool = False, lines: int = LINES) -> list[Entry]:
    """The lines of a lineage; each job stands as near to what was asked for as it is.

    Args:
        lineage: jobs and links.
        whole: leave nothing out.
        lines: how many at most, unless ``whole``; a last one says how many jobs are left out.
    """
    below, elsewhere = _nearest(lineage)
    entries: list[Entry] = []
    stack: list[tuple[int | str, int, str]] = [(root, 0, "") for root in reversed(lineage.roots)]
    jobs = counted = 0
    while stack:
        what, depth, parent = stack.pop()
        if len(entries) >= lines and not whole:
            entries.append(Entry("rest", 0, "", text=f"… {len(lineage.nodes) - jobs:,} more jobs"))
            break
        if isinstance(what, str):
            counted += 1
            entries.append(Entry(f"more{counted}", depth, parent, text=what))
            continue
        jobs += 1
        also = tuple(elsewhere.get(what, ()))
        entries.append(Entry(str(what), depth, parent, lineage.nodes[what], also=also))
        chosen = list(_chosen(lineage, below.get(what, []), whole=whole))
        stack += [(each, depth + 1, str(what)) for each in reversed(chosen)]
    return entries


def _nearest(lineage: Lineage) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Where each job stands, found breadth first; and the links that lead elsewhere."""
    below: dict[int, list[int]] = {}
    elsewhere: dict[int, list[int]] = {}
    seen = set(lineage.roots)
    queue = deque(lineage.roots)
    while queue:
        job = queue.popleft()
        for other in lineage.links.get(job, ()):
            if other in seen:
                elsewhere.setdefault(job, []).append(other)
                continue
            seen.add(other)
            below.setdefault(job, []).append(other)
            queue.append(other)
    return below, elsewhere


def _chosen(lineage: Lineage, jobs: list[int], *, whole: bool) -> Iterator[int | str]:
    """The first few jobs of each kind, and after the last of them how many more there are."""
    if whole:
        yield from jobs
        return
    sizes = Counter(_alike(lineage.nodes[job]) for job in jobs)
    seen: Counter[tuple[str, str]] = Counter()
    # Those that lead on come first: they have something to tell.
    for job in sorted(jobs, key=lambda each: each not in lineage.links):
        alike = _alike(lineage.nodes[job])
        seen[alike] += 1
        if sizes[alike] <= ALIKE + 1 or seen[alike] <= ALIKE:
            yield job
        elif seen[alike] == ALIKE + 1:
            yield f"… {sizes[alike] - ALIKE:,} more {alike[1]} jobs of {alike[0].rpartition('.')[2]}"


def _alike(node: Node) -> tuple[str, str]:
    return node.kind, node.state
