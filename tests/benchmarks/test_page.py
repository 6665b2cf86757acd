"""The page of all measurements: the newest of each row, what was missed first; what fails is not kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture
def page():
    """The module that writes it."""
    from benchmarks import page

    return page


def keep(folder: Path, name: str, *rows: dict) -> None:
    """A report of one machine."""
    machine = {
        "date": f"{name[-10:]}T00:00:00+0000", "cpu": "a processor", "cores": 2, "load": 0.1,
        "python": "3.11", "commit": "0123456789",
    }  # fmt: skip
    plain = {
        "unit": "s",
        "peer": None,
        "peer_name": "",
        "ratio": None,
        "target": "",
        "met": None,
        "quick": False,
    }
    text = json.dumps({"machine": machine, "rows": [plain | row for row in rows]})
    (folder / f"{name}.json").write_text(text)


def test_the_newest_of_each_row_counts_and_what_was_missed_comes_first(page, tmp_path):
    aimed = {"target": "ours <= 2"}
    keep(tmp_path, "engine-2026-11-29", {"name": "restart", "ours": 3.0, "met": False, **aimed})
    keep(
        tmp_path, "engine-2026-11-22",
        {"name": "restart", "ours": 1.0, "met": True, **aimed},
        {"name": "fan", "ours": 1.0, "met": True, **aimed},
    )  # fmt: skip
    keep(tmp_path, "sites-2026-11-22", {"name": "absent", "ours": None, "note": "no SLURM"})
    text = page.page(page.newest(tmp_path.glob("*.json")))
    assert "1 of 2 targets are met" in text
    missed, _, rest = text.partition("## engine")
    assert "| restart | 3 s |  |  | ours <= 2 | **no** |" in missed
    assert "fan" not in missed
    assert "| fan | 1 s" in rest
    assert "absent" not in text
    assert rest.index("2026-11-22") < rest.index("2026-11-29")


def test_a_quick_row_says_so_and_counts_for_nothing(page, tmp_path):
    keep(
        tmp_path,
        "engine-2026-11-22",
        {"name": "a|b", "ours": 1.0, "met": True, "target": "ours <= 2", "quick": True},
    )
    text = page.page(page.newest(tmp_path.glob("*.json")))
    assert "0 of 0 targets" in text
    assert r"| a\|b (quick: not to be quoted) |" in text


def test_a_report_without_a_date_is_refused(page):
    with pytest.raises(ValueError, match="NAME-YYYY-MM-DD"):
        page.benchmark_of(Path("results/engine.json"))


def test_every_report_that_is_kept_is_of_a_benchmark_that_is_run(page):
    from benchmarks.__main__ import BENCHMARKS

    known = tuple(name.replace("_", "-") for name in BENCHMARKS)
    kept = [page.benchmark_of(path) for path in page.RESULTS.glob("*.json")]
    assert [name for name in kept if not name.startswith(known)] == []


def test_every_benchmark_is_run_once_and_every_row_has_a_name_of_its_own(page):
    from benchmarks.__main__ import BENCHMARKS

    assert len(set(BENCHMARKS)) == len(BENCHMARKS)
    for path in page.RESULTS.glob("*.json"):
        names = [row["name"] for row in json.loads(path.read_bytes())["rows"]]
        assert sorted(set(names)) == sorted(names), path.name


def test_the_page_that_is_kept_is_that_of_the_reports(page):
    assert page.PAGE.read_text() == page.page(page.newest(page.RESULTS.glob("*.json")))


def test_a_benchmark_that_fails_leaves_its_report_alone(page, tmp_path, monkeypatch):
    import subprocess

    from benchmarks import __main__ as everything

    monkeypatch.setattr("time.strftime", lambda _: "2026-11-30")
    kept = tmp_path / "engine-2026-11-30.json"
    kept.write_text("of before")
    results = {1: (1, b"half"), 0: (0, b"{}")}
    for status, (returned, out) in results.items():
        monkeypatch.setattr(
            subprocess,
            "run",
            lambda *_, o=out, r=returned, **__: subprocess.CompletedProcess([], r, stdout=o),
        )
        assert everything.run("engine", quick=True, results=tmp_path) is (status == 0)
        assert kept.read_text() == ("of before" if status else "{}")
    assert [one.name for one in tmp_path.iterdir()] == [kept.name]
