"""The report is one self-contained file that says what was found, and what was not."""

import copy
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from rich.console import Console

from zonemelt.tasks.errors import CampaignError
from zonemelt.tasks.theory import Theory
from zonemelt.workflows.campaigns.base import CampaignSpec
from zonemelt.workflows.campaigns.spec import build_flow, load_campaign
from zonemelt.workflows.report import result_table, write_report
from zonemelt.workflows.report.html import read_summary, render

SMALL = {"sizes": [2, 3], "heldout_orderings": 2, "repeats": 1, "rounds": 1, "initial": 3, "batch": 3}


@pytest.fixture(scope="module")
def spec() -> CampaignSpec:
    return load_campaign("quickstart", SMALL)


@pytest.fixture(scope="module")
def store(spec: CampaignSpec, tmp_path_factory: pytest.TempPathFactory) -> JobStore:
    store = JobStore(MemoryStore())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("run"))
        run_locally(build_flow(spec), store=store, create_folders=True, ensure_success=True, log=False)
    return store


@pytest.fixture(scope="module")
def page(store: JobStore, spec: CampaignSpec, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report(store, spec, tmp_path_factory.mktemp("report")).read_text(encoding="utf-8")


def test_needs_nothing_else(page: str) -> None:
    assert not re.search(r"""(?:src|href)=["'](?!#)""", page)
    assert "<script" not in page
    assert page.count("<svg") == 3


def test_tags_are_balanced(page: str) -> None:
    open_tags: list[str] = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag not in {"meta", "br"}:
                open_tags.append(tag)

        def handle_endtag(self, tag):
            assert open_tags.pop() == tag

    Checker().feed(page)
    assert open_tags == []


def test_says_the_numbers_of_the_summary(page: str, store: JobStore, spec: CampaignSpec) -> None:
    summary = read_summary(store, spec)
    for point in summary["learning"]["uncertainty"]:
        assert f"{1000 * point['mean']:.1f}" in page
    assert all(row["identifier"] in page for row in summary["stable"])
    assert "This is not DFT" in page


def test_dft_gets_no_toy_banner_and_nothing_confirmed_is_fine(store: JobStore, spec: CampaignSpec) -> None:
    summary = copy.deepcopy(read_summary(store, spec))
    summary["oracle"] = {"name": "gpaw", "title": "GPAW", "is_dft": True}
    summary["hull"]["confirmed"] = []
    page = render(summary, timings={"steps": {}, "wall": None, "finished": None}, campaign_file="")
    assert "This is not DFT" not in page
    assert "then labelled</th>" not in page


def test_every_field_of_a_level_of_theory_has_a_name(store: JobStore, spec: CampaignSpec) -> None:
    summary = copy.deepcopy(read_summary(store, spec))
    summary["theory"] = dict.fromkeys(Theory.model_fields, "said")
    page = render(summary, timings={"steps": {}, "wall": None, "finished": None}, campaign_file="")
    hidden = {"setups", "is_dft", "spin"}
    assert page.count("<td>said</td>") == len(set(Theory.model_fields) - hidden)


def test_what_comes_from_outside_is_escaped(store: JobStore, spec: CampaignSpec) -> None:
    summary = copy.deepcopy(read_summary(store, spec))
    summary["campaign"] = "<script>alert(1)</script>"
    page = render(summary, timings={"steps": {}, "wall": None, "finished": None}, campaign_file="<b>")
    assert "<script>" not in page
    assert "&lt;b&gt;" in page


def test_same_summary_same_page(store: JobStore, spec: CampaignSpec, tmp_path: Path) -> None:
    first = write_report(store, spec, tmp_path).read_text()
    assert write_report(store, spec, tmp_path).read_text() == first


def test_no_summary_yet(spec: CampaignSpec, tmp_path: Path) -> None:
    empty = JobStore(MemoryStore())
    empty.connect()
    with pytest.raises(CampaignError, match="let the campaign finish"):
        write_report(empty, spec, tmp_path)


def test_console_table(store: JobStore, spec: CampaignSpec) -> None:
    buffer = io.StringIO()
    Console(width=100, file=buffer).print(result_table(read_summary(store, spec)))
    assert "not DFT" in buffer.getvalue()
    assert "meV/atom" in buffer.getvalue()
