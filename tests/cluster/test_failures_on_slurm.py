"""Blocks that never bring a worker up, through Parsl itself: given up after three, with everybody's words."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import parsl
import pytest
from cluster.modes import needs_slurm
from parsl.executors import HighThroughputExecutor

from zonemelt.sites.failures import BlockFailures
from zonemelt.sites.launchers import NodeLauncher
from zonemelt.sites.providers.slurm import SlurmProvider

pytestmark = needs_slurm


@pytest.fixture
def run(slurm, tmp_path):
    """Submit one task to workers on SLURM blocks; the exception it ends with."""

    def submitted(**options) -> BaseException:
        programs = Path(sys.executable).parent
        provider = SlurmProvider(
            **{"partition": "cpu", "poll_seconds": 1, "launcher": NodeLauncher("srun"), **options}
        )
        executor = HighThroughputExecutor(
            label="cpu", provider=provider, encrypted=False, address="127.0.0.1",
            loopback_address="127.0.0.1",
            interchange_launch_cmd=[sys.executable, str(programs / "interchange.py")],
            block_error_handler=BlockFailures(),
        )  # fmt: skip
        config = parsl.Config(
            executors=[executor], run_dir=str(tmp_path / "parsl"), strategy_period=1, usage_tracking=0,
            initialize_logging=False,
        )  # fmt: skip
        with parsl.DataFlowKernel(config) as kernel:
            task = kernel.submit(
                len, app_args=("abc",), app_kwargs={}, executors=["cpu"], cache=False, ignore_for_cache=()
            )
            return task.exception(timeout=300)

    return submitted


def submissions(slurm):
    names = slurm.run("squeue", "--noheader", "--all", "--states=all", "--format=%j").split()
    return sum(name.startswith("parsl.cpu.block") for name in names)


def test_workers_that_cannot_start_are_given_up(slurm, run):
    before = submissions(slurm)
    error = run(worker_init="echo no module named zonemelt on $HOSTNAME >&2; exit 3")
    assert "3 blocks in a row ended before a worker connected" in str(error)
    assert len(re.findall(r"block \d, job \d+: SLURM: FAILED", str(error))) == 3
    assert "| no module named zonemelt on cn" in str(error)
    assert submissions(slurm) - before == 3


def test_submissions_that_are_refused_are_given_up(run):
    assert "invalid partition specified: nowhere" in str(run(partition="nowhere"))
