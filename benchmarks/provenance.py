"""Provenance: ``python -m benchmarks.provenance [--quick] [--json] [--only NAME…] [--jobs N]``.

``capture`` is what noting it costs a job. ``asking`` asks a campaign of 10⁵ jobs where its last result comes
from and what comes from its first job: all of it. ``crate`` exports a campaign of 10⁴ jobs, opens it in a
fresh directory and replays a job; the public validator, where it is installed (`make crate-validator`), looks
at a smaller one. ``report`` writes the report of a discovery of 10⁴ jobs and 10⁵ candidates, and opens it in
a headless Chromium where there is one.
Times are of the processor, of one process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from benchmarks.provenance_campaigns import record_screening, run_screening
from benchmarks.provenance_capture import capture_rows
from benchmarks.report import ROOT, Row, as_json, as_table, machine, median, spread
from benchmarks.sessions import measured

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

VALIDATOR = ROOT / ".venv-crates" / "bin" / "rocrate-validator"
CACHE = ROOT / ".venv-crates" / "http_cache"
VALIDATED = 300  # jobs of the crate that is validated: the validator's cost grows faster than the crate


def _timed(task: Callable[[], Any], repeats: int) -> tuple[Any, list[float]]:
    found, result = [], None
    for _ in range(repeats):
        began = time.process_time()
        result = task()
        found.append(time.process_time() - began)
    return result, found


def asking_rows(*, quick: bool, jobs: int | None) -> Iterator[Row]:
    """Questions to a large campaign."""
    from zonemelt.workflows.provenance.asking import uses, why
    from zonemelt.workflows.provenance.diff import diff

    repeats = 2 if quick else 5
    with tempfile.TemporaryDirectory(prefix="zonemelt-bench-") as scratch:
        place = Path(scratch, "campaign")
        size = record_screening(place, jobs or (2000 if quick else 100_000))
        for name, task in (
            (f"why, all {size} jobs", lambda: why(place, "last")),
            (f"uses, all {size} jobs", lambda: uses(place, "1")),
        ):
            answer, found = _timed(task, repeats)
            assert len(answer.lineage.nodes) == size, "a lineage lost jobs"
            yield Row(
                name=name, unit="s", ours=median(found), target="ours <= 1", spread=spread(found),
                quick=quick, seconds=sum(found),
            )  # fmt: skip
        _, found = _timed(lambda: why(place, "3"), repeats)
        yield Row(
            name=f"why of one job among {size}", unit="s", ours=median(found), target="ours <= 1",
            spread=spread(found), quick=quick, seconds=sum(found),
        )  # fmt: skip
        _, found = _timed(lambda: _nothing(place), repeats)
        yield Row(
            name=f"an ID that does not exist, {size} jobs", unit="s", ours=median(found), target="ours <= 1",
            spread=spread(found), quick=quick, seconds=sum(found),
        )  # fmt: skip
        yield _command_row(["why", str(place), "last"], size, quick=quick)
        other = Path(scratch, "other")
        smaller = record_screening(other, min(size, 10_000))
        again = Path(scratch, "again")
        record_screening(again, min(size, 10_000))
        found_diff, found = _timed(lambda: diff(other, again), 1)
        assert found_diff.counts == {"same": smaller}, "two runs of one graph differ"
        yield Row(
            name=f"diff of two campaigns of {smaller} jobs", unit="s", ours=found[0], quick=quick,
            seconds=found[0],
        )  # fmt: skip


def _nothing(place: Path) -> None:
    from zonemelt.workflows.provenance.asking import why

    try:
        why(place, "lasst")
    except InputError as error:
        assert "'last'" in str(error), "the nearest name is not given"  # noqa: PT017


def _command_row(words: list[str], size: int, *, quick: bool) -> Row:
    program = str(Path(sys.executable).with_name("zonemelt"))
    before = os.times()
    subprocess.run([program, *words], capture_output=True, check=True)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return Row(
        name=f"zonemelt why, all {size} jobs", unit="s", ours=spent, quick=quick, seconds=spent,
        note="the whole command: starting, asking, printing the tree",
    )  # fmt: skip


def crate_rows(*, quick: bool, jobs: int | None) -> Iterator[Row]:
    """Export, validation, import, replay."""
    from zonemelt.workflows.provenance.crate import write_crate
    from zonemelt.workflows.provenance.opening import open_crate
    from zonemelt.workflows.provenance.rerun import rerun

    with tempfile.TemporaryDirectory(prefix="zonemelt-bench-") as scratch:
        place, crate = Path(scratch, "campaign"), Path(scratch, "campaign.crate.zip")
        size = run_screening(place, jobs or (500 if quick else 10_000))
        written, found = _timed(lambda: write_crate(place, crate), 1)
        yield Row(
            name=f"crate of {size} jobs", unit="s", ours=found[0], target="ours <= 60", quick=quick,
            seconds=found[0],
            note=f"{written.nbytes / 1e6:.0f} MB, {crate.stat().st_size / 1e6:.0f} MB packed",
        )  # fmt: skip
        opened = Path(scratch, "opened")
        said, found = _timed(lambda: open_crate(crate, opened), 1)
        yield Row(
            name=f"opening and verifying it, {said.hashes} hashes", unit="s", ours=found[0], quick=quick,
            seconds=found[0],
        )  # fmt: skip
        replay, found = _timed(lambda: rerun(opened, "last", site="inline", to=Path(scratch, "rerun")), 1)
        differing = sum(job.verdict != "same" for job in replay.jobs)
        yield Row(
            name="exported, opened, rerun: jobs whose hash differs", unit="jobs", ours=differing,
            target="ours <= 0", quick=quick, seconds=found[0], note=f"{len(replay.jobs)} job replayed",
        )  # fmt: skip
        yield _validated_row(Path(scratch), quick=quick)


def _validated_row(scratch: Path, *, quick: bool) -> Row:
    """What the public validator says of a crate, offline."""
    name = f"crate of {VALIDATED} jobs: issues at REQUIRED level"
    program = Path(os.environ.get("ZONEMELT_ROC_VALIDATOR", VALIDATOR))
    cache = Path(os.environ.get("ZONEMELT_ROC_CACHE", CACHE))
    if not program.exists():
        return Row(
            name=name, unit="issues", quick=quick, note="no validator: `make crate-validator` installs it"
        )
    from zonemelt.workflows.provenance.crate import write_crate

    place, crate = scratch / "small", scratch / "small-crate"
    run_screening(place, VALIDATED)
    write_crate(place, crate)
    began = time.perf_counter()
    found = validate(crate, program=program, cache=cache)
    return Row(
        name=name, unit="issues", ours=0 if found["passed"] else max(1, len(found["issues"])),
        target="ours <= 0", quick=quick, seconds=time.perf_counter() - began,
        note="roc-validator, provenance-run-crate-0.5 and all it is based on",
    )  # fmt: skip


def validate(crate: Path, *, program: Path, cache: Path) -> dict[str, Any]:
    """The report of the validator on a crate, offline."""
    report = crate.with_name(f"{crate.name}-report.json")
    subprocess.run(
        [
            str(program), "-y", "--disable-color", "validate", "--offline", "--cache-path", str(cache),
            "-l", "required", "-p", "provenance-run-crate-0.5", "-f", "json", "-o", str(report), str(crate),
        ],
        capture_output=True, check=False,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def report_rows(*, quick: bool, jobs: int | None) -> Iterator[Row]:
    """The report of a large discovery: writing it, its size, opening it."""
    from benchmarks.report_campaigns import record_discovery

    from zonemelt.workflows.report import write_report

    size, candidates = (jobs or 10_000), 10 * (jobs or 10_000)
    if quick:
        size, candidates = jobs or 500, 10 * (jobs or 500)
    with tempfile.TemporaryDirectory(prefix="zonemelt-bench-") as scratch:
        place = Path(scratch, "campaign")
        record_discovery(place, jobs=size, candidates=candidates)
        before = psutil.Process().memory_info().rss
        with measured() as cost:
            path, found = _timed(lambda: write_report(place), 1 if quick else 3)
        what = f"{size} jobs, {candidates} candidates"
        yield Row(
            name=f"report of {what}", unit="s", ours=median(found), target="ours <= 30", spread=spread(found),
            quick=quick, seconds=sum(found),
        )  # fmt: skip
        yield Row(
            name=f"its size, {what}", unit="MB", ours=path.stat().st_size / 1e6, target="ours <= 20",
            quick=quick, note="4.8 MB of it are Plotly's JavaScript",
        )  # fmt: skip
        yield Row(
            name=f"memory, {what}", unit="MB", ours=cost["peak_mb"], quick=quick,
            note=f"peak of the process; {before / 2**20:.0f} MB when the campaign had been made up",
        )  # fmt: skip
        yield from _opening_rows(path, what, quick=quick)


def _opening_rows(page: Path, what: str, *, quick: bool) -> Iterator[Row]:
    """A page in Chromium: until it can be read, until the figures that are seen are drawn, until all are."""
    from benchmarks.browser import Browser, chromium

    names = (
        "wall time until it can be read", "processor time until the figures in sight are drawn",
        "processor time until all are drawn",
    )  # fmt: skip
    found: dict[str, list[float]] = {name: [] for name in names}
    there = chromium() is not None
    for _ in range((1 if quick else 3) if there else 0):
        with Browser() as browser:
            browser.open(page)
            browser.until(lambda: browser.run("document.documentElement.dataset.readyMs"), seconds=300)
            in_sight = browser.spent()
            browser.until(lambda: browser.run("document.documentElement.dataset.drawn"), seconds=300)
            assert browser.noise == [], browser.noise
            readable = float(browser.run("document.documentElement.dataset.loadMs")) / 1000
            for name, value in zip(names, (readable, in_sight, browser.spent()), strict=True):
                found[name].append(value)
    busy = f"{os.getloadavg()[0]:.0f} processes on {os.cpu_count()} cores"
    for name, target in zip(names, ("ours <= 3", "ours <= 3", ""), strict=True):
        yield Row(
            name=f"opening it, {name}", unit="s", ours=median(found[name]) if there else None, target=target,
            spread=spread(found[name]) if there else None, quick=quick, seconds=sum(found[name]),
            note=f"{what}; headless Chromium, its main thread, beside {busy}" if there else "no Chromium",
        )  # fmt: skip


_GROUPS: dict[str, Callable[[bool, int | None], Iterator[Row]]] = {
    "capture": lambda quick, _: capture_rows(quick=quick),
    "asking": lambda quick, jobs: asking_rows(quick=quick, jobs=jobs),
    "crate": lambda quick, jobs: crate_rows(quick=quick, jobs=jobs),
    "report": lambda quick, jobs: report_rows(quick=quick, jobs=jobs),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.provenance", description="Measure provenance."
    )
    parser.add_argument("--quick", action="store_true", help="under a minute; numbers not to be quoted")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--only", nargs="+", choices=_GROUPS, default=list(_GROUPS), help=", ".join(_GROUPS))
    parser.add_argument("--jobs", type=int, help="the size of the campaigns, instead of the usual ones")
    given = parser.parse_args(arguments)
    about = machine()
    rows = [row for name in given.only for row in _GROUPS[name](given.quick, given.jobs)]
    print(as_json(rows, about=about) if given.json else as_table(rows))


if __name__ == "__main__":
    main()
