"""The machine of a simulation: pools with their blocks, and what is assumed about queue and failures."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from zonemelt.sites.clock import clock_seconds
from zonemelt.sites.pace import pace_of
from zonemelt.workflows.simulate.amounts import NOTHING, Amount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zonemelt.sites.site import Pool, Site
    from zonemelt.workflows.engine.results import Cause

LOCAL_START = 5.0  # seconds until workers on this very machine take jobs
BATCH_START = 30.0  # the same on nodes of a batch system: environments come from a shared file system


@dataclass(frozen=True, kw_only=True)
class PoolModel:
    """One pool.

    Attributes:
        nodes: of a block.
        workers: of a block.
        whole_block: its one worker has all nodes of the block for a job.
        outlives_nodes: a block that loses a node goes on with the others; otherwise it ends.
        min_blocks: kept while nothing waits.
        max_blocks: at once.
        init_blocks: asked for at the start.
        walltime: of a block, s.
        drain: no job starts when less than this is left of a block, s.
        wait: in the batch queue.
        start: from the beginning of a block until its workers take jobs.
        idle: s without a job after which blocks are given back.
        give_back_some: idle blocks are given back while others work (Parsl's ``htex_auto_scale``).
        period: s between looks at whether there are enough blocks.
        poll: s between looks at the batch queue, which show that a block has ended.
        notice: s until the loss of a block's workers is noticed.
    """

    nodes: int = 1
    workers: int = 1
    whole_block: bool = False
    outlives_nodes: bool = False
    min_blocks: int = 0
    max_blocks: int = 1
    init_blocks: int = 0
    walltime: float = math.inf
    drain: float = 0.0
    wait: Amount = NOTHING
    start: Amount = NOTHING
    idle: float = 120.0
    give_back_some: bool = False
    period: float = 5.0
    poll: float = 5.0
    notice: float = 30.0

    @property
    def capacity(self) -> int:
        """Workers when all blocks are up."""
        return self.workers * self.max_blocks


@dataclass(frozen=True, kw_only=True)
class Overheads:
    """What the engine itself takes, s; measured with two workers on two cores.

    Attributes:
        head_job: of the head's time for each job, which it deals with one after the other.
        send: from the head to a pool.
        give_back: from a worker to the head.
        worker_job: of a worker, for each job.
    """

    head_job: float = 0.0003
    send: float = 0.003
    give_back: float = 0.003
    worker_job: float = 0.001


@dataclass(frozen=True, kw_only=True)
class Failures:
    """How often things go wrong.

    Attributes:
        attempts: cause → probability that an attempt ends by it, at a random moment.
        nodes: losses per node-hour.
    """

    attempts: Mapping[Cause, float] = field(default_factory=dict)
    nodes: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Pools, the default one first, and what is assumed of the rest."""

    pools: Mapping[str, PoolModel]
    failures: Failures = Failures()
    overheads: Overheads = Overheads()


def machine_of(
    site: Site,
    *,
    waits: Mapping[str, Amount] | None = None,
    start: float | None = None,
    failures: Failures | None = None,
) -> Machine:
    """The machine that a site describes.

    Args:
        site: the site.
        waits: pool → time in the queue; none where it is not given.
        start: s from the beginning of a block until its workers take jobs; a guess where it is not given.
        failures: what goes wrong; nothing by default.
    """
    pools = {name: _pool(pool, site) for name, pool in site.pools.items()}
    pools = {name: replace(pool, wait=(waits or {}).get(name, NOTHING)) for name, pool in pools.items()}
    if start is not None:
        pools = {name: replace(pool, start=Amount((start,))) for name, pool in pools.items()}
    return Machine(pools=pools, failures=failures or Failures())


def _pool(pool: Pool, site: Site) -> PoolModel:
    workers = pool.capacity // pool.max_blocks
    if site.scheduler == "local":  # no batch system: one block is there from the start, and stays
        return PoolModel(
            workers=workers, whole_block=pool.whole_block, min_blocks=1, init_blocks=1, period=1,
            start=Amount((LOCAL_START,)),
        )  # fmt: skip
    pace = pace_of(site)
    return PoolModel(
        nodes=pool.nodes_per_block,
        workers=workers,
        whole_block=pool.whole_block,
        outlives_nodes=site.scheduler == "slurm" and not pool.whole_block,  # the script says --no-kill
        min_blocks=pool.min_blocks,
        max_blocks=pool.max_blocks,
        init_blocks=pool.min_blocks,
        walltime=clock_seconds(pool.walltime),
        drain=clock_seconds(pool.drain),
        start=Amount((BATCH_START,)),
        idle=pace.idle,
        give_back_some=True,
        period=pace.period,
        poll=site.poll_seconds,
        notice=pace.threshold,
    )
