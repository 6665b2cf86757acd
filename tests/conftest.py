"""What holds for all tests: how chance is drawn, and who runs what in ``pytest -n 3 --dist loadgroup``."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples each time, and no complaint about how long a busy machine takes.
settings.register_profile(
    "zonemelt", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("zonemelt")

HERE = Path(__file__).parent
TOGETHER = ("cluster", "workflows/report")
"""Folders whose tests share what is dear to make: a running SLURM, campaigns to report on."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of a file stay together, since they share its fixtures; those of a cluster with its kind."""
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        place = item.path.relative_to(HERE).as_posix()
        group = next((folder for folder in TOGETHER if place.startswith(f"{folder}/")), place)
        kind = getattr(item, "callspec", None) and item.callspec.params.get("slurm_session", "")
        item.add_marker(pytest.mark.xdist_group(f"{group} {kind or ''}".strip()))
