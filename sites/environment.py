"""What runs on a node before its workers: modules, variables, and a look at whether zonemelt is there."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from zonemelt import __version__
from zonemelt.sites.clock import clock_seconds
from zonemelt.sites.containers import in_container, is_contained, python

if TYPE_CHECKING:
    from zonemelt.sites.site import Pool, Site

# How a worker is told what the site knows about starting ranks.
LAUNCH_VARIABLE = "ZONEMELT_LAUNCH"
VENDOR_VARIABLE = "ZONEMELT_ACCELERATORS"
CONTAINER_VARIABLE = "ZONEMELT_CONTAINER"
DIGEST_VARIABLE = "ZONEMELT_CONTAINER_DIGEST"
END_VARIABLE = "ZONEMELT_BLOCK_END"  # seconds since the epoch


def worker_init(site: Site, pool: Pool, *, in_job: bool = False, digest: str = "") -> str:
    """The shell lines of a block before its workers start.

    The environment of the head is not assumed: after a note of when the block ends comes what the site's
    ``setup`` brings, then the Python that runs this, unless the site has a container, then the variables. A
    block whose Python lacks zonemelt, or has another version, ends here and says so.

    Args:
        site: the machine.
        pool: whose block it is.
        in_job: the block is part of the allocation that the head runs in, and ends with it.
        digest: of the container's image.
    """
    lines = [*site.setup, *pool.setup]
    if site.scheduler != "local" and not in_job:
        # Before the setup, which may take a while: the block's time runs already.
        lines.insert(0, f"export {END_VARIABLE}=$(( $(date +%s) + {clock_seconds(pool.walltime)} ))")
    lines += [f"export {name}={shlex.quote(value)}" for name, value in _variables(site, pool, digest).items()]
    if not is_contained(site, pool):
        # What is installed beside this Python is at hand, but never instead of the machine's own: an mpiexec
        # from a wheel knows nothing of the interconnect, nor the options of the machine's launcher.
        lines.append(f'export PATH="$PATH{os.pathsep}"{shlex.quote(str(Path(sys.executable).parent))}')
    if site.scheduler != "local":
        command = f"{in_container(site, pool)}{python(site, pool, sys.executable)}"
        lines.append(f"{command} -m zonemelt.sites.hello {_versions()} || exit 3")
    return "\n".join(lines)


def _versions() -> str:
    import parsl

    return f"{__version__} {parsl.__version__} {sys.version_info[0]}.{sys.version_info[1]}"


def _variables(site: Site, pool: Pool, digest: str) -> dict[str, str]:
    # Many small threads of many workers would fight for the cores.
    variables = {"OMP_NUM_THREADS": "1", VENDOR_VARIABLE: pool.accelerators.vendor}
    if site.scheduler != "local":
        variables[LAUNCH_VARIABLE] = json.dumps(_launch(site, pool), separators=(",", ":"))
        # srun has ignored sbatch's --cpus-per-task since SLURM 22.05.
        if site.scheduler == "slurm" and pool.cores:
            variables["SRUN_CPUS_PER_TASK"] = str(pool.cores)
    if is_contained(site, pool):
        variables[CONTAINER_VARIABLE] = str(site.container.image)  # for the provenance of what runs in it
        variables["PYTHONNOUSERSITE"] = "1"  # packages of the person's home are not the image's
        if digest:
            variables[DIGEST_VARIABLE] = digest
    if site.network.proxy:
        variables |= dict.fromkeys(("http_proxy", "https_proxy"), site.network.proxy)
    return {**variables, **site.environment, **pool.environment}


def _launch(site: Site, pool: Pool) -> dict[str, object]:
    distributed = site.distributed
    return {
        "program": pool.launch.program if pool.whole_block else "simple",
        "options": pool.launch.ranks,
        "mpi": pool.launch.mpi,
        "nodes": pool.nodes_per_block if pool.whole_block else 1,
        "backend": distributed.backend,
        "interface": distributed.interface,
        "master_suffix": distributed.master_suffix,
        "environment": distributed.environment,
    }
