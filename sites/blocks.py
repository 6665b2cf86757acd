"""How a pool's blocks are asked for: a Parsl provider with everything the site says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from zonemelt.sites.environment import worker_init

if TYPE_CHECKING:
    from zonemelt.sites.site import Pool, Site


def provider(site: Site, pool: Pool, *, digest: str = "") -> Any:
    """The provider of a pool on a batch system; ``digest`` is that of its container's image."""
    return {"slurm": _slurm, "pbspro": _pbspro, "pjm": _pjm}[site.scheduler](site, pool, digest)


def local_provider(site: Site, pool: Pool, *, in_job: bool, digest: str = "") -> Any:
    """The provider of a pool on this machine, or on the nodes of the allocation that this process is in."""
    from parsl.providers import LocalProvider

    from zonemelt.sites.launchers import OneManager

    return LocalProvider(  # type: ignore[no-untyped-call]
        launcher=_launcher(site, pool) if in_job else OneManager(),
        nodes_per_block=allocated_nodes(site.scheduler) if in_job and not pool.whole_block else 1,
        init_blocks=1, min_blocks=1, max_blocks=1,
        worker_init=worker_init(site, pool, in_job=in_job, digest=digest),
    )  # fmt: skip


_JOB_VARIABLES = {"slurm": "SLURM_JOB_ID", "pbspro": "PBS_JOBID", "pjm": "PJM_JOBID"}


def own_job(scheduler: str) -> str:
    """The id of the batch job that this process runs in; empty where it runs in none."""
    return os.environ.get(_JOB_VARIABLES.get(scheduler, ""), "")


def allocated_nodes(scheduler: str) -> int:
    """How many nodes the allocation has that this process runs in; 1 where nothing says so."""
    if scheduler == "slurm":
        return int(os.environ.get("SLURM_JOB_NUM_NODES") or os.environ.get("SLURM_NNODES") or 1)
    if scheduler == "pbspro" and (path := os.environ.get("PBS_NODEFILE")):
        with open(path) as file:  # noqa: PTH123
            return max(1, len({line.strip() for line in file if line.strip()}))
    if scheduler == "pjm":
        return int(os.environ.get("PJM_NODE") or 1)
    return 1


def _launcher(site: Site, pool: Pool) -> Any:
    """What starts a manager on each node, or one for the whole block."""
    from zonemelt.sites.launchers import OneManager, make_launcher

    if pool.whole_block:
        return OneManager()

    return make_launcher(pool.launch, site.scheduler)


def _common(site: Site, pool: Pool, digest: str) -> dict[str, Any]:
    return {
        "nodes_per_block": pool.nodes_per_block,
        "init_blocks": pool.min_blocks,
        "min_blocks": pool.min_blocks,
        "max_blocks": pool.max_blocks,
        # Parsl counts workers times nodes as the slots of a block; a whole block is one.
        "parallelism": pool.nodes_per_block if pool.whole_block else 1,
        "walltime": pool.walltime,
        "worker_init": worker_init(site, pool, digest=digest),
        "launcher": _launcher(site, pool),
        "cmd_timeout": site.command_seconds,
        "poll_seconds": site.poll_seconds,
    }


def _slurm(site: Site, pool: Pool, digest: str) -> Any:
    from zonemelt.sites.providers.slurm import SlurmProvider

    directives = list(pool.directives)
    if pool.accelerators.request:
        directives.append(f"#SBATCH --{pool.accelerators.request}")
    if pool.cores:  # for one manager a node; or for as many ranks as a job may have there
        option = "ntasks-per-node" if pool.whole_block else "cpus-per-task"
        directives.append(f"#SBATCH --{option}={pool.cores}")
    return SlurmProvider(
        partition=pool.partition, account=pool.account, qos=pool.qos, constraint=pool.constraint,
        exclusive=pool.exclusive, mem_per_node=pool.memory_gb, scheduler_options="\n".join(directives),
        **_common(site, pool, digest),
    )  # fmt: skip


def _pbspro(site: Site, pool: Pool, digest: str) -> Any:
    from zonemelt.sites.providers.pbspro import PBSProProvider

    return PBSProProvider(
        queue=pool.partition, account=pool.account, select=pool.select,
        select_options=pool.accelerators.request, cpus_per_node=pool.cores or 1, mem_per_node=pool.memory_gb,
        scheduler_options="\n".join(pool.directives), **_common(site, pool, digest),
    )  # fmt: skip


def _pjm(site: Site, pool: Pool, digest: str) -> Any:
    from zonemelt.sites.providers.pjm import PJMProvider

    return PJMProvider(
        group=pool.account, rscgrp=pool.partition,
        max_proc_per_node=(pool.cores or 1) if pool.whole_block else 1,
        scheduler_options="\n".join(pool.directives), **_common(site, pool, digest),
    )  # fmt: skip
