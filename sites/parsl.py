"""A site as a Parsl configuration."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parsl import Config
    from parsl.executors import HighThroughputExecutor

    from zonemelt.sites.site import Pool, Site


def parsl_config(site: Site, *, run_directory: Path) -> Config:
    """The Parsl configuration of a site.

    Workers are reached on the loopback interface only, all traffic is encrypted, and Parsl reports its use
    to nobody.

    Args:
        site: the machine.
        run_directory: where Parsl keeps its own files.
    """
    from parsl import Config

    return Config(
        executors=[_executor(name, pool) for name, pool in site.pools.items()],
        run_dir=str(run_directory),
        strategy="simple",  # a block that dies is replaced
        strategy_period=1,
        usage_tracking=0,
        initialize_logging=False,
        exit_mode="skip",
    )


def _executor(name: str, pool: Pool) -> HighThroughputExecutor:
    from parsl.executors import HighThroughputExecutor
    from parsl.launchers import SimpleLauncher
    from parsl.providers import LocalProvider

    # Parsl starts its helpers by name: a virtual environment that is not activated must name them whole.
    programs = Path(sys.executable).parent
    # Many small threads of many workers would fight for the cores.
    environment = {
        "OMP_NUM_THREADS": "1",
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    exports = {**environment, **pool.environment}
    return HighThroughputExecutor(
        label=name,
        address="127.0.0.1",
        loopback_address="127.0.0.1",
        encrypted=True,
        max_workers_per_node=pool.workers_per_node,
        cores_per_worker=1e-3,  # the number of workers is what the pool says, whatever the machine has
        interchange_launch_cmd=[sys.executable, str(programs / "interchange.py")],
        heartbeat_period=2,
        heartbeat_threshold=30,
        block_error_handler=False,
        provider=LocalProvider(  # type: ignore[no-untyped-call]
            launcher=SimpleLauncher(),
            init_blocks=1,
            min_blocks=1,
            max_blocks=1,
            worker_init="\n".join(f"export {k}={shlex.quote(v)}" for k, v in exports.items()),
        ),
    )
