"""What a plan rests on: durations, queue waits, jobs that nobody knows yet; and how it says so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zonemelt.sites.clock import clock_seconds
from zonemelt.tasks.errors import InputError
from zonemelt.workflows.paper import duration
from zonemelt.workflows.simulate.amounts import read_amount
from zonemelt.workflows.simulate.forecast import may_bring, same_beginning
from zonemelt.workflows.simulate.machine import BATCH_START, LOCAL_START
from zonemelt.workflows.simulate.past import brought_by_kind, read_past, times_of
from zonemelt.workflows.simulate.times import Times, read_times

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from zonemelt.sites.site import Site
    from zonemelt.workflows.simulate.amounts import Amount
    from zonemelt.workflows.simulate.graph import Graph


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What is known of a campaign before it runs.

    Attributes:
        times: how long jobs take.
        graph: the jobs, those included that an earlier campaign of the same beginning grew.
        dynamic: kind → what is to be said of the jobs that its jobs may bring.
        start: s that workers on this machine took to come up; None where that was not seen.
    """

    times: Times
    graph: Graph
    dynamic: dict[str, str]
    start: float | None = None


def learned(durations: str, graph: Graph, *, local: bool) -> Learned:
    """Durations, the graph as it will grow where that is known, and what is not known of it.

    Args:
        durations: a YAML file, the directory of a campaign that ran, or empty.
        graph: as far as it is known before anything has run.
        local: it runs on this very machine, without a queue.

    Raises:
        InputError: durations cannot be read.
    """
    path = Path(durations)
    if not durations or not path.is_dir():
        times = read_times(path) if durations else Times()
        unknown = "may bring further jobs while it runs: they are not in this plan"
        dynamic = {kind: unknown for kind in graph.kinds if may_bring(kind)}
        return Learned(times=times, graph=graph, dynamic=dynamic)
    times, past, brought = times_of(path), read_past(path), brought_by_kind(path)
    start = past.begun if local and past.heads == 1 else None
    if same_beginning(graph, past.graph):
        grown = f"brings further jobs; taken to be those it brought in {path.name}"
        whole = past.graph if len(past.graph) > len(graph) else graph
        return Learned(times=times, graph=whole, dynamic=dict.fromkeys(brought, grown), start=start)
    found = {}
    for kind in graph.kinds:
        if kind in brought:
            jobs, others = brought[kind]
            found[kind] = (
                f"brought {others / jobs:.3g} further jobs each in {path.name}: they are not in this plan"
            )
        elif may_bring(kind):
            found[kind] = "may bring further jobs while it runs: they are not in this plan"
    return Learned(times=times, graph=graph, dynamic=found, start=start)


def read_waits(given: Iterable[str], site: Site) -> dict[str, Amount]:
    """Pool → its wait in the batch queue, from ``TIME`` or ``POOL=TIME``.

    Raises:
        InputError: there is no such pool, or it is no time.
    """
    found: dict[str, Amount] = {}
    for text in given:
        pool, sign, amount = text.rpartition("=")
        if sign and pool not in site.pools:
            raise InputError(
                f"the site has no pool '{pool}'", where="--wait", remedy=f"its pools: {', '.join(site.pools)}"
            )
        found.update(dict.fromkeys([pool] if sign else site.pools, read_amount(amount, where="--wait")))
    return found


def about_times(times: Times, graph: Graph) -> Iterator[str]:
    """What is taken for the durations, a sentence for each kind."""
    for kind in sorted(graph.kinds):
        amount = times.known(kind)
        if amount is None:
            yield f"{kind}: {duration(times.default.mean)} a job, assumed"
            continue
        several = len(amount.values)
        spread = f", of {several:,} measured" if several > 1 else ""
        yield f"{kind}: {duration(amount.mean)} a job on average{spread}, from {times.source}"


def about_machine(
    site: Site, waits: Mapping[str, Amount], used: Collection[str], start: float | None
) -> Iterator[str]:
    """What is taken for the machine, in sentences."""
    if site.scheduler == "local":
        after = f"{LOCAL_START:g} s" if start is None else f"{duration(start)}, as they did then"
        yield f"workers take jobs after {after}; nothing else needs this machine, nothing fails"
        return
    for name in used:
        pool = site.pools[name]
        wait = f"{duration(waits[name].mean)} on average" if name in waits else "none (give --wait)"
        yield (
            f"{name}: up to {pool.max_blocks} blocks of {pool.nodes_per_block} nodes for "
            f"{duration(clock_seconds(pool.walltime))}; wait in the queue: {wait}"
        )
    yield f"workers take jobs {BATCH_START:g} s after their block begins"
    yield "nothing fails"
