"""A graph of thousands of jobs as a picture of a few: jobs of one kind and one wave are one group."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zonemelt.workflows.engine.schema import HEAD_POOL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonemelt.workflows.simulate.graph import Graph

MOST = 30  # groups that can still be read
SIGN = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True, kw_only=True)
class Group:
    """Jobs that are drawn as one.

    Attributes:
        label: the name they share, or their function's.
        kind: their function.
        pool: where they run.
        jobs: how many they are.
        wave: how many steps come before them at most, the least of the group.
    """

    label: str
    kind: str
    pool: str
    jobs: int
    wave: int


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Groups, and how many links lead from one to another.

    Attributes:
        groups: in the order of their waves.
        links: from and to, as indices into ``groups`` → how many.
        longest: jobs of the longest chain.
    """

    groups: Sequence[Group]
    links: dict[tuple[int, int], int]
    longest: int


def waves(graph: Graph) -> array[int]:
    """How many steps come before each job at most, [J]; jobs that others bring come after these."""
    jobs = len(graph)
    wave, left = array("i", bytes(4 * jobs)), array("i", graph.parents)
    origin = {job: bringer for bringer, brought in graph.brings.items() for job in brought}
    for job in origin:
        left[job] += 1
    free = [job for job in range(jobs) if not left[job]]
    while free:
        job = free.pop()
        for child in (*graph.children_of(graph.signal[job]), *graph.brings.get(job, ())):
            wave[child] = max(wave[child], wave[job] + 1)
            left[child] -= 1
            if not left[child]:
                free.append(child)
    return wave


def collapse(graph: Graph, default_pool: str, *, most: int = MOST) -> Picture:
    """Draw a graph as at most about ``most`` groups: by kind and wave, or by kind alone."""
    wave = waves(graph)
    pools = [
        HEAD_POOL if request.beside_head else request.resources.pool or default_pool
        for request in graph.requests
    ]
    keys = [
        (kind, pools[request], step)
        for kind, request, step in zip(graph.kind, graph.request, wave, strict=True)
    ]
    if len(set(keys)) > most:
        keys = [(kind, pool, 0) for kind, pool, _ in keys]
    first: dict[tuple[int, str, int], int] = {}
    for key, step in zip(keys, wave, strict=True):
        first[key] = min(first.get(key, step), step)
    order = sorted(first, key=lambda key: (first[key], graph.kinds[key[0]], key[1]))
    number = {key: i for i, key in enumerate(order)}
    group = [number[key] for key in keys]
    counts = Counter(group)
    names: list[set[str]] = [set() for _ in order]
    for job, name in enumerate(graph.names):
        if len(names[group[job]]) <= 1:
            names[group[job]].add(name)
    return Picture(
        groups=[
            Group(
                label=_label(names[i], graph.kinds[kind]), kind=graph.kinds[kind], pool=pool, jobs=counts[i],
                wave=first[kind, pool, step],
            )
            for i, (kind, pool, step) in enumerate(order)
        ],
        links=_links(graph, group),
        longest=max(wave, default=-1) + 1,
    )  # fmt: skip


def _label(names: set[str], kind: str) -> str:
    return next(iter(names)) if len(names) == 1 else kind.rpartition(".")[2]


def _links(graph: Graph, group: Sequence[int]) -> dict[tuple[int, int], int]:
    givers: dict[int, int] = {}
    for job, signal in enumerate(graph.signal):
        givers.setdefault(signal, job)
    links: Counter[tuple[int, int]] = Counter()
    for signal, job in givers.items():
        for child in graph.children_of(signal):
            links[group[job], group[child]] += 1
    for bringer, brought in graph.brings.items():
        for job in brought:
            links[group[bringer], group[job]] += 1
    return dict(links)


def as_mermaid(picture: Picture) -> str:
    """The picture for a Markdown page: GitHub and many editors draw it."""
    lines = ["graph LR"]
    for i, group in enumerate(picture.groups):
        text = re.sub(r'["\[\]{}|<>]', " ", group.label)
        lines.append(f'  g{i}["{text}{_times(group.jobs)}"]')
    lines += [
        f"  g{one} -->{f'|{count:,}|' if count > 1 else ''} g{other}"
        for (one, other), count in sorted(picture.links.items())
    ]
    return "\n".join(lines)


def as_text(picture: Picture) -> list[str]:
    """The picture in lines: how many, what, where, and what they wait for."""
    above: dict[int, list[str]] = {}
    for (one, other), count in sorted(picture.links.items()):
        group = picture.groups[one]
        what = "one another" if one == other else f"{group.label}{f' ({count:,} links)' if count > 1 else ''}"
        above.setdefault(other, []).append(what)
    width = max((len(group.label) for group in picture.groups), default=0)
    lines = []
    for i, group in enumerate(picture.groups):
        line = f"{group.jobs:>9,} {SIGN} {group.label:<{width}}  {group.pool:<8}"
        parents = above.get(i, [])
        shown = ", ".join(parents[:_SHOWN]) + (
            f" and {len(parents) - _SHOWN} more" if parents[_SHOWN:] else ""
        )
        lines.append(f"{line}  after {shown}" if shown else line.rstrip())
    return lines


_SHOWN = 3  # groups named that a group waits for


def _times(jobs: int) -> str:
    return f" {SIGN} {jobs:,}" if jobs > 1 else ""
