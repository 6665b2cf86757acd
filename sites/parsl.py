"""A site as a Parsl configuration."""

from __future__ import annotations

import os
import shlex
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from zonemelt.sites.clock import clock_seconds
from zonemelt.sites.containers import image_digest, in_container, is_contained
from zonemelt.sites.load import SiteFileError, check_complete
from zonemelt.sites.pace import pace_of

if TYPE_CHECKING:
    from parsl import Config
    from parsl.executors import HighThroughputExecutor

    from zonemelt.sites.site import Network, Pool, Site

_LOOPBACK = "127.0.0.1"


def parsl_config(site: Site, *, run_directory: Path, in_job: bool = False) -> Config:
    """The Parsl configuration of a site.

    All traffic is encrypted, nobody is asked for our address, and Parsl reports its use to nobody.

    Args:
        site: the machine.
        run_directory: where Parsl keeps its own files.
        in_job: run inside the allocation that this process is in, on all its nodes, instead of asking the
            scheduler for blocks.

    Raises:
        SiteFileError: a value is missing that only the user knows, the network interface does not exist, or
            the container's image is another than the site says.
    """
    from parsl import Config

    check_complete(site)
    batch, pace = site.scheduler != "local", pace_of(site)
    return Config(
        executors=[
            _executor(site, name, pool, run_directory, in_job=in_job) for name, pool in site.pools.items()
        ],
        run_dir=str(run_directory),
        # On a batch system blocks come and go with the work; here the one that dies is replaced.
        strategy="htex_auto_scale" if batch and not in_job else "simple",
        strategy_period=pace.period,
        max_idletime=pace.idle,
        usage_tracking=0,
        initialize_logging=False,
        exit_mode="skip",
    )


def _executor(
    site: Site, name: str, pool: Pool, run_directory: Path, *, in_job: bool
) -> HighThroughputExecutor:
    from parsl.executors.high_throughput.executor import DEFAULT_LAUNCH_CMD

    from zonemelt.sites.blocks import local_provider, provider
    from zonemelt.sites.executor import BlockExecutor
    from zonemelt.sites.failures import BlockFailures

    programs = Path(sys.executable).parent
    batch, pace = site.scheduler != "local", pace_of(site)
    accelerators, digest = pool.accelerators, image_digest(site)
    return BlockExecutor(
        label=name,
        address=address(site.network) if batch else _LOOPBACK,
        loopback_address=_LOOPBACK,
        encrypted=True,
        worker_port_range=port_range(run_directory, name, 54000),
        interchange_port_range=port_range(run_directory, name, 55000),
        max_workers_per_node=pool.workers_per_node,
        cores_per_worker=1e-3,  # the number of workers is what the pool says, whatever the machine has
        available_accelerators=list(accelerators.names) or accelerators.count,
        cpu_affinity=pool.affinity,
        launch_cmd=_launch_command(site, pool, DEFAULT_LAUNCH_CMD, run_directory),
        interchange_launch_cmd=[sys.executable, str(programs / "interchange.py")],
        heartbeat_period=pace.heartbeat,
        heartbeat_threshold=pace.threshold,
        drain_period=drain_seconds(pool) if batch and not in_job else None,
        block_error_handler=BlockFailures() if batch else False,
        provider=local_provider(site, pool, in_job=in_job, digest=digest)
        if in_job or not batch
        else provider(site, pool, digest=digest),
    )


def _launch_command(site: Site, pool: Pool, command: str, run_directory: Path) -> str:
    """Parsl's command for a manager, in the site's container, or else by the Python that runs this."""
    program, _, rest = command.partition(" ")
    if is_contained(site, pool):
        # The campaign, and where modules of a person's own are imported from.
        return f"{in_container(site, pool, (run_directory.absolute().parent, Path.cwd()))}{command}"
    whole = Path(sys.executable).parent / program
    return f"{shlex.quote(sys.executable)} {shlex.quote(str(whole))} {rest}" if whole.exists() else command


def drain_seconds(pool: Pool) -> int:
    """Seconds from the start of a block after which its workers begin nothing more."""
    return max(1, clock_seconds(pool.walltime) - clock_seconds(pool.drain))


def port_range(run_directory: Path, pool: str, base: int) -> tuple[int, int]:
    """A range of ports for one pool of one campaign, the same every time.

    An interchange that a killed head left behind keeps looking for its old ports; a later one of another
    campaign must not sit there.
    """
    width = 20
    slot = zlib.crc32(f"{run_directory.resolve()}:{pool}".encode()) % (1000 // width)
    return base + slot * width, base + (slot + 1) * width


def address(network: Network) -> str:
    """The address at which workers reach the head, looked up on the machine itself.

    Raises:
        SiteFileError: there is no such interface here, or it has no IPv4 address.
    """
    import socket

    import psutil

    if network.address is not None:
        return network.address
    if network.interface is None:
        return socket.gethostbyname(socket.gethostname())
    interfaces = psutil.net_if_addrs()
    entries = interfaces.get(network.interface, [])
    found = [entry.address for entry in entries if entry.family == socket.AF_INET]
    if not found:
        raise SiteFileError(
            f"network.interface: this machine ({os.uname().nodename}) has no interface "
            f"'{network.interface}' with an IPv4 address\n  → it has: {', '.join(sorted(interfaces))}; "
            "give --set network.interface=NAME, or network.address=ADDRESS"
        )
    return str(found[0])
