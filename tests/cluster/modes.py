"""Marks for tests that need the SLURM cluster."""

from __future__ import annotations

import pytest

needs_slurm = [pytest.mark.slurm, pytest.mark.timeout(900)]
"""For ``pytestmark`` of a module whose tests take the fixture ``slurm``."""

both_ways = pytest.mark.parametrize("slurm_session", ["squeue", "sacct"], indirect=True, scope="session")
"""Runs a test twice: without a database, where jobs that end are forgotten, and with one."""
