"""A graph of jobs as columns: what the ledger knows about them, in memory, for a million of them.

``J`` jobs, ``S`` signals. A signal is a uuid: jobs wait for signals, and a job that replaces itself carries
its signal on.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from zonemelt.workflows.engine.resources import Resources, quorum_count, read_resources

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zonemelt.workflows.engine.graph import JobRow

NO_QUORUM = -1


class Request(NamedTuple):
    """What a job asks of the machine."""

    resources: Resources
    beside_head: bool = False  # it sees the store: only the head has it


@dataclass(frozen=True, kw_only=True, slots=True)
class Graph:
    """Jobs and who waits for whom.

    Attributes:
        kinds: the functions.
        kind: of each job, an index into ``kinds``, [J].
        requests: what jobs ask for.
        request: of each job, an index into ``requests``, [J].
        names: of each job; empty where nobody needs them.
        signal: of each job, [J].
        parents: how many signals each job waits for, [J].
        quorum: how many of them are enough, or ``NO_QUORUM``, [J].
        needs_parents: whether it cannot run without their outputs, [J].
        first_child: where in ``children`` those of a signal begin, [S + 1].
        children: jobs that wait for signals, grouped by signal.
        brings: job → jobs that are there only once it has ended.
        holds: job → signals that must settle before its own does.
        stops: jobs whose children shall not run.
        fails: jobs that fail whenever they are tried.
    """

    kinds: Sequence[str]
    kind: array[int]
    requests: Sequence[Request]
    request: array[int]
    names: Sequence[str]
    signal: array[int]
    parents: array[int]
    quorum: array[int]
    needs_parents: bytearray
    first_child: array[int]
    children: array[int]
    brings: Mapping[int, Sequence[int]]
    holds: Mapping[int, Sequence[int]]
    stops: frozenset[int] = frozenset()
    fails: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.kind)

    def children_of(self, signal: int) -> array[int]:
        """The jobs that wait for a signal."""
        return self.children[self.first_child[signal] : self.first_child[signal + 1]]


class GraphBuilder:
    """Makes a graph, job by job; jobs may wait for signals that come later."""

    def __init__(self) -> None:
        self._kinds: dict[str, int] = {}
        self._requests: dict[Request, int] = {}
        self._names: list[str] = []
        self._kind, self._request = array("i"), array("i")
        self._signal, self._parents, self._quorum = array("q"), array("i"), array("i")
        self._needs = bytearray()
        self._edges = (array("q"), array("q"))  # signal, job that waits for it
        self._signals = 0
        self._brings: dict[int, list[int]] = {}
        self._holds: dict[int, list[int]] = {}
        self._stops: set[int] = set()
        self._fails: set[int] = set()

    def new_signal(self) -> int:
        """A signal that no job gives yet."""
        self._signals += 1
        return self._signals - 1

    def add(
        self,
        kind: str,
        *,
        after: Iterable[int] = (),
        resources: Resources | None = None,
        signal: int | None = None,
        name: str | None = None,
        needs_parents: bool = True,
        beside_head: bool = False,
        origin: int | None = None,
    ) -> int:
        """Add a job; returns its number, which is also its signal's where every job has one of its own.

        Args:
            kind: its function.
            after: the signals it waits for.
            resources: what it asks for.
            signal: the one it gives; default: a new one.
            name: what people call it.
            needs_parents: it is skipped where a parent failed.
            beside_head: it runs where the head does.
            origin: the job whose response brings it.
        """
        job = len(self._kind)
        wanted = Request(resources or _DEFAULT, beside_head)
        self._kind.append(self._kinds.setdefault(kind, len(self._kinds)))
        self._request.append(self._requests.setdefault(wanted, len(self._requests)))
        self._signal.append(self.new_signal() if signal is None else signal)
        if name is not None:
            self._names.append(name)
        parents = dict.fromkeys(after)
        for waited_for in parents:
            self._edges[0].append(waited_for)
            self._edges[1].append(job)
        self._parents.append(len(parents))
        share = wanted.resources.quorum
        self._quorum.append(quorum_count(share, len(parents)) if share else NO_QUORUM)
        self._needs.append(needs_parents)
        if origin is not None:
            self._brings.setdefault(origin, []).append(job)
        return job

    def hold(self, job: int, signal: int) -> None:
        """A job's signal settles only after another one."""
        self._holds.setdefault(job, []).append(signal)

    def mark(self, job: int, *, stops: bool = False, fails: bool = False) -> None:
        """Say how a job ends."""
        if stops:
            self._stops.add(job)
        if fails:
            self._fails.add(job)

    def graph(self) -> Graph:
        """What was added."""
        first, children = _grouped(*self._edges, groups=self._signals)
        return Graph(
            kinds=list(self._kinds), kind=self._kind, requests=list(self._requests), request=self._request,
            names=self._names, signal=self._signal, parents=self._parents, quorum=self._quorum,
            needs_parents=self._needs, first_child=first, children=children, brings=self._brings,
            holds=self._holds, stops=frozenset(self._stops), fails=frozenset(self._fails),
        )  # fmt: skip


_DEFAULT = Resources()


def _grouped(keys: array[int], values: array[int], *, groups: int) -> tuple[array[int], array[int]]:
    """Values in the order of their keys: where each group begins, and the values."""
    first = array("q", bytes(8 * (groups + 1)))
    for key in keys:
        first[key + 1] += 1
    for group in range(groups):
        first[group + 1] += first[group]
    place, ordered = array("q", first), array("q", bytes(8 * len(values)))
    for key, value in zip(keys, values, strict=True):
        ordered[place[key]] = value
        place[key] += 1
    return first, ordered


def graph_of(rows: Sequence[JobRow]) -> Graph:
    """The graph of a flow that was turned into rows; what it waits for in other campaigns has arrived."""
    builder = GraphBuilder()
    signals = {row.uuid: builder.new_signal() for row in rows}
    for row in rows:
        builder.add(
            row.kind,
            after=(signals[parent] for parent in row.parents if parent in signals),
            resources=read_resources(row.manager_config, where=f"job '{row.name}'"),
            signal=signals[row.uuid],
            name=row.name,
            needs_parents=row.needs_parents,
            beside_head=row.expose_store,
        )
    return builder.graph()
