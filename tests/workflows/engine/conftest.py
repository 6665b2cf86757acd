"""What tests of the engine share: workers that are started once, ledgers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ledgers_for_tests import Driver
from processes_for_tests import two_workers

from zonemelt.workflows.engine.pools import make_workers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zonemelt.workflows.engine.parsl_workers import ParslWorkers


@pytest.fixture(scope="session")
def workers(tmp_path_factory) -> Iterator[ParslWorkers]:
    """Two running workers of this machine."""
    workers, _ = make_workers(two_workers(), tmp_path_factory.mktemp("workers"))
    with workers:
        yield workers


@pytest.fixture(params=["inline", "local"])
def site(request) -> object:
    """Where a graph runs: the head's own process, or worker processes."""
    return request.getfixturevalue("workers") if request.param == "local" else "inline"


@pytest.fixture
def notes(tmp_path) -> Path:
    """A folder where jobs note that they ran."""
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder


@pytest.fixture
def driver(tmp_path) -> Driver:
    """A ledger without workers."""
    return Driver(tmp_path)
