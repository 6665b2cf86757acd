"""Campaigns that reports and pages are made of; only to read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from relabelling_for_tests import SMALL

from zonemelt.workflows.report import write_report
from zonemelt.workflows.report.reading import gather

if TYPE_CHECKING:
    from zonemelt.workflows.report.reading import Gathered

ROOT = Path(__file__).resolve().parents[2]


def recorded(place: Path, **how) -> Path:
    """A discovery as a ledger would know it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        from benchmarks.report_campaigns import record_discovery

        record_discovery(place, **how)
    return place


@pytest.fixture(scope="session")
def aluminium(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small loop of active learning, done."""
    from zonemelt.workflows.campaigns.spec import build_flow, load_campaign
    from zonemelt.workflows.cli.plans import write_document
    from zonemelt.workflows.engine.run import run_flow

    place = tmp_path_factory.mktemp("aluminium") / "campaign"
    spec = load_campaign("al_potential", SMALL)
    run_flow(build_flow(spec), site="inline", directory=place, name=spec.name, ensure_success=True)
    write_document(place, spec.model_dump(mode="json"))
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


class Pages(dict[str, Path]):
    """Reports by the name of their campaign, written when they are first asked for."""

    def __init__(self, request: pytest.FixtureRequest, folder: Path) -> None:
        self.request, self.folder = request, folder

    def __missing__(self, name: str) -> Path:
        self[name] = write_report(self.request.getfixturevalue(name), self.folder / f"{name}.html")
        return self[name]


@pytest.fixture(scope="session")
def pages(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pages:
    return Pages(request, tmp_path_factory.mktemp("pages"))
