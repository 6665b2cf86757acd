"""What must hold between the values of a site: each rule says which field is wrong, and what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zonemelt.sites.clock import clock_seconds

if TYPE_CHECKING:
    from zonemelt.sites.site import Pool, Site

_RANGE = re.compile(r"(\d+)(?:-(\d+))?")
_LAUNCHERS = {
    "local": {"simple", "mpiexec", "mpirun"},
    "slurm": {"simple", "srun", "mpiexec", "mpirun"},
    "pbspro": {"simple", "mpiexec", "mpirun", "pbsdsh"},
    "pjm": {"simple", "pjm"},
}
_MARKS = {"local": "#", "slurm": "#SBATCH ", "pbspro": "#PBS ", "pjm": "#PJM "}


def processors(text: str) -> list[int]:
    """The processors that ``0-7,64-71`` names, in its order.

    Raises:
        ValueError: it is not a list of numbers and rising ranges.
    """
    found: list[int] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first:
            raise ValueError(f"'{part}' is neither a processor nor a rising range of them, as 0-7 is")
        found.extend(range(first, last + 1))
    return found


def affinity_groups(affinity: str) -> list[list[int]] | None:
    """The processors of each worker; None where an affinity names none.

    Raises:
        ValueError: it is neither ``none`` nor ``block`` nor ``list:0-7:8-15``.
    """
    if affinity in {"none", "block"}:
        return None
    kind, _, groups = affinity.partition(":")
    if kind != "list" or not groups:
        raise ValueError("write 'none', 'block', or 'list:0-7:8-15' with a group for each worker")
    return [processors(group) for group in groups.split(":")]


def pool_problems(pool: Pool) -> list[str]:
    """Everything that contradicts itself in a pool; empty if nothing does."""
    return [*_affinity(pool), *_limits(pool), *_accelerators(pool)]


def _affinity(pool: Pool) -> list[str]:
    try:
        allowed = set(processors(pool.cpu_ids)) if pool.cpu_ids else None
    except ValueError as error:
        return [f"cpu_ids '{pool.cpu_ids}': {error}"]
    try:
        groups = affinity_groups(pool.affinity)
    except ValueError as error:
        return [f"affinity '{pool.affinity}': {error}"]
    if groups is None:
        return []
    found = []
    named = [one for group in groups for one in group]
    if len(groups) != pool.workers_per_node:
        found.append(
            f"affinity '{pool.affinity}' has {len(groups)} groups for {pool.workers_per_node} workers: give "
            "one for each worker, separated by ':', or set affinity to 'none'"
        )
    if twice := sorted({one for one in named if named.count(one) > 1}):
        found.append(f"affinity gives processor {twice[0]} to more than one worker: name each only once")
    if allowed is not None and (strange := sorted(set(named) - allowed)):
        found.append(f"affinity names processor {strange[0]}, but cpu_ids are {pool.cpu_ids}: mend either")
    return found


def _limits(pool: Pool) -> list[str]:
    found = []
    if pool.max_walltime is not None and clock_seconds(pool.walltime) > clock_seconds(pool.max_walltime):
        found.append(
            f"walltime {pool.walltime} is more than this machine allows: give at most {pool.max_walltime}"
        )
    if clock_seconds(pool.drain) >= clock_seconds(pool.walltime):
        found.append(f"drain {pool.drain} leaves nothing of a walltime of {pool.walltime}: give less")
    nodes = pool.nodes_per_block
    if pool.max_nodes is not None and nodes > pool.max_nodes:
        found.append(
            f"nodes_per_block {nodes} is more than this machine allows: give at most {pool.max_nodes}"
        )
    if pool.min_nodes is not None and nodes < pool.min_nodes:
        found.append(
            f"nodes_per_block {nodes} is less than this machine allows: give {pool.min_nodes} or more"
        )
    if pool.min_blocks > pool.max_blocks:
        found.append(f"min_blocks {pool.min_blocks} is more than max_blocks {pool.max_blocks}: give less")
    return found


def _accelerators(pool: Pool) -> list[str]:
    names, count = pool.accelerators.names, pool.accelerators.count
    request = pool.accelerators.request
    found = []
    if names and len(names) != count:
        found.append(f"accelerators.names has {len(names)} names for {count}: name each, or none")
    if request and (request.startswith("-") or "=" not in request):
        found.append(f"accelerators.request '{request}': write it without dashes, e.g. gres=gpu:4 or ngpus=4")
    return found


def _container(site: Site) -> list[str]:
    container, found = site.container, []
    if container.image is not None and container.runtime == "none":
        found.append("container.image is given, and no runtime: say container.runtime, e.g. apptainer")
    if container.image is None and any(pool.contained for pool in site.pools.values()):
        found.append(
            "a pool is contained, and there is no container.image: give it, or take `contained` away"
        )
    for name, pool in site.pools.items():
        if pool.contained and pool.whole_block and pool.nodes_per_block > 1:
            found.append(
                f"pools.{name} is contained and its jobs span nodes: the machine's launcher, which starts "
                "their ranks, is in no container: set contained: false"
            )
    return found


def site_problems(site: Site) -> list[str]:
    """Everything that contradicts itself between the pools and their machine; empty if nothing does."""
    found = _container(site)
    for name, pool in site.pools.items():
        program, fitting = pool.launch.program, _LAUNCHERS[site.scheduler]
        where = f"pools.{name}.launch.program"
        if program not in fitting:
            found.append(f"{where} '{program}' is not for {site.scheduler}: use {', '.join(sorted(fitting))}")
        for line in pool.directives:
            if line.startswith("#") and not line.startswith(_MARKS[site.scheduler]):
                mark = _MARKS[site.scheduler].strip()
                found.append(
                    f"pools.{name}.directives '{line}' is not for {site.scheduler}: write '{mark} …'"
                )
        several = pool.nodes_per_block > 1 and not pool.whole_block and site.scheduler != "local"
        if program == "simple" and several:
            others = ", ".join(sorted(fitting - {"simple"}))
            found.append(f"{where} 'simple' starts workers on the first node of a block only: use {others}")
    return found
