"""The graphs that engines are compared on: jobs that do nothing, so that what is left is the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobflow import Flow, Job, Response, job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GROUP = 99  # jobs that one reducing job takes together


def same(x: int) -> int:
    """Give back what it is given."""
    return x


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def total(xs: list[int]) -> int:
    """Add up a list."""
    return sum(xs)


def grow(x: int) -> Response[Any]:
    """Be replaced by another job."""
    return Response(replace=same_job(x))


same_job, add_job, total_job, grow_job = job(same), job(add), job(total), job(grow)


def fan(jobs: int) -> Flow:
    """Jobs that have nothing to do with one another."""
    return Flow([same_job(i) for i in range(jobs)], name="fan")


def chain(jobs: int) -> Flow:
    """Each job waits for the one before."""
    members: list[Flow | Job] = [last := add_job(0, 1)]
    members += [last := add_job(last.output, 1) for _ in range(jobs - 1)]
    return Flow(members, name="chain")


def map_reduce(jobs: int) -> Flow:
    """Groups of jobs, each reduced to one number, and these to one."""
    members: list[Flow | Job] = []
    sums: list[Job] = []
    while len(members) < jobs - 1:
        mapped = [same_job(i) for i in range(max(1, min(GROUP, jobs - len(members) - 2)))]
        sums.append(total_job([one.output for one in mapped]))
        members += [*mapped, sums[-1]]
    return Flow([*members, total_job([one.output for one in sums])], name="map-reduce")


def diamond(jobs: int) -> Flow:
    """Diamonds of four jobs: one, two that wait for it, one that waits for both."""
    members: list[Flow | Job] = []
    for i in range(jobs // 4):
        top = same_job(i)
        left, right = add_job(top.output, 1), add_job(top.output, 2)
        members += [top, left, right, add_job(left.output, right.output)]
    return Flow(members, name="diamond")


def replace(jobs: int) -> Flow:
    """Half as many jobs as asked for, each replaced by another while it runs."""
    return Flow([grow_job(i) for i in range(jobs // 2)], name="replace")


GRAPHS: dict[str, Callable[[int], Flow]] = {
    "fan": fan,
    "chain": chain,
    "map-reduce": map_reduce,
    "diamond": diamond,
    "replace": replace,
}


def stream(jobs: int, *, size: int = 500) -> Iterator[Flow]:
    """Fans of ``size`` jobs, made when they are asked for."""
    for start in range(0, jobs, size):
        yield fan(min(size, jobs - start))


# ── the same graphs as calls that return futures ────────────────────────────────────────────────────────


def futures(graph: str, jobs: int, call: Callable[..., Any], join: Callable[..., Any]) -> list[Any]:
    """Submit a graph to an engine of futures; returns those to wait for.

    Args:
        graph: its name in :data:`GRAPHS`.
        jobs: how many.
        call: ``call(function, *arguments)`` submits one and returns its future; futures may be arguments.
        join: likewise for a function that returns a future.
    """
    if graph == "fan":
        return [call(same, i) for i in range(jobs)]
    if graph == "chain":
        last = call(add, 0, 1)
        for _ in range(jobs - 1):
            last = call(add, last, 1)
        return [last]
    if graph == "map-reduce":
        sums: list[Any] = []
        left = jobs - 1
        while left > 0:
            mapped = [call(same, i) for i in range(max(1, min(GROUP, left - 1)))]
            sums.append(call(total, mapped))
            left -= len(mapped) + 1
        return [call(total, sums)]
    if graph == "diamond":
        tops = [call(same, i) for i in range(jobs // 4)]
        return [call(add, call(add, top, 1), call(add, top, 2)) for top in tops]
    return [join(same, i) for i in range(jobs // 2)]
