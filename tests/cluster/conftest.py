"""The SLURM cluster that tests share; skipped with a reason where it cannot run."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cluster.slurm import NODES, Cluster, why_not

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def slurm_session(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A running cluster; with a database for tests marked ``both_ways``, the second time."""
    accounting = getattr(request, "param", "squeue") == "sacct"
    if reason := why_not(accounting=accounting):
        pytest.skip(reason)
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="slurm-")), accounting=accounting)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def slurm(slurm_session: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """The cluster with all nodes up and no jobs, and its commands in PATH."""
    for name, value in slurm_session.environment.items():
        monkeypatch.setenv(name, value)
    yield slurm_session
    slurm_session.start_controller()
    slurm_session.run("scancel", "--user=root", check=False)
    for node in NODES:
        slurm_session.boot(node)
