"""Marks for tests that need the SLURM cluster."""

from __future__ import annotations

from typing import Any

import pytest

needs_slurm = [pytest.mark.slurm, pytest.mark.timeout(900)]
"""For ``pytestmark`` of a module whose tests take the fixture ``slurm``."""

WAYS = ("squeue", "sacct")
"""Without a database, where jobs that end are forgotten, and with one."""


def in_ways(*quick: str) -> Any:
    """Runs a test in every one of :data:`WAYS`; only some of them where slow tests are left out.

    Args:
        quick: these.
    """
    ways = [pytest.param(way, marks=() if way in quick else pytest.mark.slow) for way in WAYS]
    return pytest.mark.parametrize("slurm_session", ways, indirect=True, scope="session")


both_ways = in_ways(*WAYS)
