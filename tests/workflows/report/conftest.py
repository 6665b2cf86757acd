"""Campaigns that reports are written of; only to read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from zonemelt.workflows.report import write_report
from zonemelt.workflows.report.reading import gather

if TYPE_CHECKING:
    from zonemelt.workflows.report.reading import Gathered

ROOT = Path(__file__).resolve().parents[3]


def recorded(place: Path, **how) -> Path:
    """A discovery as a ledger would know it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        from benchmarks.report_campaigns import record_discovery

        record_discovery(place, **how)
    return place


@pytest.fixture(scope="session")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small campaign about one alloy, done."""
    from zonemelt.workflows.campaigns.spec import build_flow, dump_campaign, load_campaign
    from zonemelt.workflows.engine.run import run_flow

    small = {"sizes": [2, 3], "heldout_orderings": 2, "repeats": 1, "rounds": 1, "initial": 3, "batch": 3}
    place = tmp_path_factory.mktemp("quickstart") / "campaign"
    spec = load_campaign("orderings", small)
    run_flow(build_flow(spec), site="inline", directory=place, name=spec.name, ensure_success=True)
    (place / "campaign.yaml").write_text(dump_campaign(spec), encoding="utf-8")
    return place


@pytest.fixture(scope="session")
def discovery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A discovery of a few hundred jobs."""
    return recorded(tmp_path_factory.mktemp("discovery") / "campaign", jobs=300, candidates=4000)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, with names, formulas and errors that are HTML."""
    place = tmp_path_factory.mktemp("hostile") / "campaign"
    return recorded(place, jobs=100, candidates=600, hostile=True)


@pytest.fixture(scope="session")
def found(discovery: Path) -> Gathered:
    return gather(discovery)


@pytest.fixture(scope="session")
def pages(
    quickstart: Path, discovery: Path, hostile: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    return {
        place.parent.name.rstrip("0123456789"): write_report(place, folder / f"{place.parent.name}.html")
        for place in (quickstart, discovery, hostile)
    }
