"""A whole discovery on SLURM with everything that happens there; what docs/grand-tour.md tells of."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from cluster.campaigns_on_slurm import retries
from cluster.modes import needs_slurm
from cluster.touring import ROOT, Tour, assert_nothing_lost_or_doubled, energies, models

from zonemelt.tasks.datasets import open_dataset

pytestmark = [
    *needs_slurm,
    pytest.mark.parametrize("slurm_session", ["sacct"], indirect=True, scope="session"),
]
# Starting workers is what takes long: labels, which take no time here, share the worker of all small jobs.
SHORT = [
    "--oracle", "emt", "--set", "resources.label={}", "--set", "pools.dft.min_blocks=0",
    "--set", "pools.cpu.workers=1", "--set", "initial=12", "--set", "stop.rounds=1", "--set", "batch=1",
    "--set", "generator.settings.epochs=25", "--set", "sample=[{count: 6, composition: {Al: 3, Au: 1}}]",
]  # fmt: skip


@pytest.fixture
def tours(slurm):
    """Begin a tour on the cluster; its head ends with the test, however that ends."""
    with ExitStack() as stack:
        yield lambda directory: stack.enter_context(Tour(slurm, directory))


@pytest.mark.timeout(3600)
def test_a_short_one_outlives_its_head_and_a_node(tours, tmp_path):
    tour = tours(tmp_path / "tour")
    tour.submit(*SHORT)
    tour.until(lambda: tour.epochs(0) >= 2, "two epochs of the generator")
    tour.lose_power("gn2")
    tour.kill_head()
    tour.resume()
    tour.finish()
    assert_nothing_lost_or_doubled(tour.directory, labels=13)
    assert set(retries(tour.directory)) <= {"infrastructure"}
    assert tour.ranks("train generator") == 2


@pytest.mark.slow
@pytest.mark.dft
@pytest.mark.timeout(7200)
@pytest.mark.skipif(shutil.which("pw.x") is None, reason="Quantum ESPRESSO's pw.x is not installed")
def test_the_grand_tour(tours, tmp_path):
    calm = tours(tmp_path / "calm")
    calm.submit()
    calm.finish()
    assert not retries(calm.directory)
    tour = tours(tmp_path / "tour")
    disturbed(tour)
    compared(calm, tour)
    validated(tour)
    reopened(tour, tmp_path / "elsewhere")


def disturbed(tour: Tour) -> None:
    """The head is killed twice, a node loses power, a block reaches its walltime; users look on."""
    tour.submit()
    tour.until(lambda: tour.labelled() >= 5 and tour.runs("label "), "a label that runs")
    tour.kill_head()
    tour.look("interrupted")
    tour.resume()
    tour.until(lambda: tour.epochs(0) >= 5, "five epochs of the generator")
    tour.lose_power("gn2")
    tour.until(lambda: tour.labelled() >= 30 and tour.runs("label "), "a label of round 0 that runs")
    tour.end_block("dft")
    tour.look("running")
    tour.until(lambda: tour.epochs(2) >= 5, "five epochs of the generator of round 2")
    tour.kill_head()
    tour.resume()
    with tour.watched():
        tour.finish()


def compared(calm: Tour, tour: Tour) -> None:
    """Nothing was lost or doubled, and the same was found as where nothing happened."""
    labels = len(energies(calm.directory)) + len(open_dataset(calm.directory / "dataset").quarantine)
    assert labels > 30 + 3, "to begin with, and three in each of several rounds"
    assert_nothing_lost_or_doubled(calm.directory, labels=labels)
    assert_nothing_lost_or_doubled(tour.directory, labels=labels)
    assert set(retries(tour.directory)) == {"infrastructure"}
    assert energies(tour.directory) == pytest.approx(energies(calm.directory), abs=1e-6)
    assert models(tour.directory) == models(calm.directory)
    tour.zonemelt("diff", calm.directory, tour.directory)
    tour.zonemelt("candidates", tour.directory)
    tour.zonemelt("why", tour.directory, max(energies(tour.directory)))
    tour.zonemelt("report", tour.directory)


def reopened(tour: Tour, elsewhere: Path) -> None:
    """The campaign from its crate, after it is gone: all hashes hold, and a label is the same again."""
    crate = tour.directory.with_suffix(".crate.zip")
    tour.zonemelt("crate", tour.directory, crate)
    tour.directory.rename(tour.directory.with_name("gone"))
    assert tour.document("open", crate, elsewhere)["hashes"]
    replay = tour.document("rerun", elsewhere, f"label {min(energies(elsewhere))}")
    assert [one["verdict"] in {"same", "close"} for one in replay["jobs"]] == [True]


def validated(tour: Tour) -> None:
    """By the public validator, where it is installed."""
    sys.path.insert(0, str(ROOT))
    from benchmarks.provenance import CACHE, VALIDATOR, validate

    program = Path(os.environ.get("ZONEMELT_ROC_VALIDATOR", VALIDATOR))
    cache = Path(os.environ.get("ZONEMELT_ROC_CACHE", CACHE))
    if not program.exists() or not cache.with_suffix(".sqlite").exists():
        tour.note("not validated: `make crate-validator` installs the validator")
        return
    crate = tour.directory.with_suffix(".crate")
    tour.zonemelt("crate", tour.directory, crate)
    found = validate(crate, program=program, cache=cache)
    assert found["passed"], [issue["message"] for issue in found["issues"]]
