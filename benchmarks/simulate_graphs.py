"""A graph of jobs that sleep: what the simulated site is checked against on a real machine."""

from __future__ import annotations

import time
from random import Random
from typing import Any

from jobflow import Flow, Job, Response, job


def nap(seconds: float, after: Any = None) -> float:
    """Take so long, after what it is given."""
    del after
    time.sleep(seconds)
    return seconds


def doze(seconds: float, after: Any = None) -> float:
    """The same under another name: jobs of two kinds."""
    return nap(seconds, after)


def grow(seconds: list[float], after: Any = None) -> Response[Any]:
    """Be replaced by naps, and by one that needs them."""
    del after
    naps = [nap_job(one) for one in seconds]
    return Response(replace=[*naps, doze_job(0.2, [one.output for one in naps])])


nap_job, doze_job, grow_job = job(nap), job(doze), job(grow)


def mixed(jobs: int, *, shortest: float, longest: float, seed: int = 0) -> Flow:
    """A fan, chains that start from it, a join, two jobs that bring others, and a last one.

    Args:
        jobs: about how many.
        shortest: of the naps, s.
        longest: of the naps, s.
        seed: of their lengths.
    """
    chance = Random(seed)

    def draw() -> float:
        return chance.uniform(shortest, longest)

    first = [nap_job(draw()) for _ in range(jobs // 2)]
    members: list[Flow | Job] = [*first]
    for start in first[: jobs // 8]:
        then = doze_job(draw(), start.output)
        members += [then, doze_job(draw(), then.output)]
    joined = doze_job(draw(), [one.output for one in first])
    grown = [grow_job([draw() for _ in range(max(2, jobs // 20))], joined.output) for _ in range(2)]
    last = nap_job(draw(), [one.output for one in grown])
    return Flow([*members, joined, *grown, last], name="mixed")
