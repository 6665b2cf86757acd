"""Trainings as jobs of the engine: in time, gone on with, begun again, and refused before they run."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import psutil
import pytest
from inline_runs import last_output
from ledgers_for_tests import events
from processes_for_tests import two_workers
from stored_collections_for_tests import NETWORK, SPLIT, maker
from trainings_for_tests import course, hurry
from waiting import until

from zonemelt import RetryPolicy, run_flow
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.train.metrics_log import read_metrics
from zonemelt.workflows.engine.pools import make_workers
from zonemelt.workflows.engine.worker import END_VARIABLE

STEPS = 3 * 2  # of the whole training


@pytest.fixture(scope="module")
def undisturbed(stored, tmp_path_factory):
    directory = tmp_path_factory.mktemp("undisturbed")
    return trained(maker(directory / "model"), stored, directory / "campaign")


def trained(of, stored, campaign, *, site="inline", split=SPLIT, **more):
    """The model that a campaign of one training gives, or how it failed."""
    flow = of.make(stored, split)
    found = run_flow(flow, site=site, directory=campaign, **more)
    if failed := events(campaign, "failed"):
        return failed[-1]
    return last_output(found, flow.jobs[0].uuid)


def test_a_model_comes_out_and_a_second_time_at_once(stored, undisturbed, tmp_path):
    folder = Path(undisturbed["folder"])
    assert (undisturbed["jobs"], undisturbed["steps"], undisturbed["samples"]) == (1, STEPS, 3 * 16)
    assert undisturbed["world_size"] == undisturbed["parts"] == 1
    assert 0 <= undisturbed["waiting"] < 1
    assert undisturbed["card"]["training"]["seed"] == 1
    assert undisturbed["metrics"]["mae volume (Å³/atom)"] > 0
    again = trained(maker(folder), stored, tmp_path / "campaign")
    assert again["weights"] == undisturbed["weights"]
    assert again["samples"] == 0  # all was there


def test_time_runs_out_again_and_again_and_the_model_is_the_same(stored, undisturbed, tmp_path, monkeypatch):
    hurry(monkeypatch, 7.5)
    of = maker(tmp_path / "model", name="volumes", threads=1)
    flow = of.make(stored, SPLIT)
    found = run_flow(flow, site="inline", directory=tmp_path / "campaign")[flow.jobs[0].uuid]
    last = found[max(found)].output
    assert last["jobs"] == len(found) == 4  # the last one only judges
    assert {key: last[key] for key in ("weights", "steps", "samples")} == {
        key: undisturbed[key] for key in ("weights", "steps", "samples")
    }
    assert course(tmp_path / "model") == course(Path(undisturbed["folder"]))
    following = found[1].replace.jobs[0]
    assert following.name == "volumes"
    assert following.config.manager_config == flow.jobs[0].config.manager_config


def test_jobs_without_time_for_a_step_come_to_an_end(stored, tmp_path, monkeypatch):
    monkeypatch.setenv(END_VARIABLE, "1.0")  # the block has ended
    failure = trained(maker(tmp_path / "model"), stored, tmp_path / "campaign")
    assert failure["error"] == "JobError"
    assert "3 jobs in a row had no time left when their training began" in failure["message"]


def test_one_rank_begins_and_two_go_on_as_one_job_and_another(stored, tmp_path, monkeypatch):
    settings = {"epochs": 2}
    trained(maker(tmp_path / "whole", settings=settings), stored, tmp_path / "a")
    monkeypatch.setenv(END_VARIABLE, "1.0")  # the block has ended: a job takes one step
    begun = trained(maker(tmp_path / "grown", settings=settings), stored, tmp_path / "b")
    assert "3 jobs in a row" in begun["message"]
    workers, _ = make_workers(two_workers(), tmp_path / "workers")
    two = maker(tmp_path / "grown", settings=settings, ranks_per_node=2)
    with workers:
        last = trained(two, stored, tmp_path / "c", site=workers)
    assert (last["world_size"], last["jobs"], last["steps"], last["samples"]) == (2, 2, 4, 8)
    for whole, grown in zip(course(tmp_path / "whole"), course(tmp_path / "grown"), strict=True):
        assert grown == pytest.approx(whole, rel=1e-6)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_rank_costs_a_retry_and_not_a_bit(stored, tmp_path):
    workers, _ = make_workers(two_workers(), tmp_path / "workers")
    settings = {"epochs": 40, "checkpoint_seconds": 1e-6, "keep": 100}
    with workers:
        whole = trained(
            maker(tmp_path / "whole", settings=settings, ranks_per_node=2),
            stored,
            tmp_path / "a",
            site=workers,
        )
        killer = threading.Thread(target=kill_a_rank, args=(tmp_path / "killed", tmp_path / "b"))
        killer.start()
        killed = trained(
            maker(tmp_path / "killed", settings=settings, ranks_per_node=2), stored, tmp_path / "b",
            site=workers, retry=RetryPolicy(backoff_s=0.1),
        )  # fmt: skip
        killer.join()
    (retry,) = events(tmp_path / "b", "retry")
    assert (retry["cause"], retry["error"]) == ("infrastructure", "LostRankError")
    assert killed["weights"] == whole["weights"]
    assert 0 < killed["samples"] < whole["samples"]
    assert course(tmp_path / "killed") == course(tmp_path / "whole")


def kill_a_rank(training, campaign):
    """Once some epochs have passed, kill rank 1 as a machine does that has no memory left."""
    until(lambda: len(read_metrics(training)) >= 5, "five epochs", step=0.01)
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(str(campaign)) and process.environ().get("RANK") == "1":
                os.kill(process.pid, signal.SIGKILL)
        except (psutil.Error, OSError):
            continue


def test_another_training_in_the_same_directory_is_refused(stored, tmp_path):
    assert "weights" in trained(maker(tmp_path / "model"), stored, tmp_path / "a")
    other = maker(tmp_path / "model", settings={"learning_rate": 1e-3})
    failure = trained(other, stored, tmp_path / "b")
    assert failure["error"] == "InputError"
    assert "belongs to another training: training.learning_rate is not the same" in failure["message"]
    same = maker(tmp_path / "model", settings={"accumulate": 2, "checkpoint_seconds": 5.0})
    assert "weights" in trained(same, stored, tmp_path / "c")


def test_graphs_with_other_edges_are_refused(stored, tmp_path):
    of = maker(tmp_path / "model", architecture=NETWORK | {"cutoff": 6.0})
    failure = trained(of, stored, tmp_path / "campaign")
    assert "edges {'cutoff': 5.0, 'k': 12}, the model reads {'cutoff': 6.0" in failure["message"]


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"architecture": {"architecture": "cogm"}}, UnknownKeyError, "did you mean 'cogn'"),
        ({"architecture": NETWORK | {"widths": 8}}, UnknownKeyError, "did you mean 'width'"),
        ({"architecture": NETWORK | {"width": "wide"}}, InputError, "width: 'wide' cannot be used"),
        ({"settings": {"epoch": 3}}, UnknownKeyError, "did you mean 'epochs'"),
        ({"settings": {"seed": "x"}}, InputError, "seed: .*initial weights"),
        ({"loss": "gaussians"}, UnknownKeyError, "did you mean 'gaussian'"),
        ({"directory": "model"}, InputError, "'model' is not absolute"),
        ({"nodes": 2, "ranks_per_node": 6}, InputError, "12 ranks, and steps of 8 samples"),
        ({"settings": {"planned_ranks": 9}}, InputError, "9 planned_ranks, and steps of 8 samples"),
        ({"ranks_per_node": 0}, InputError, "ranks_per_node is 0"),
    ],
)
def test_what_is_refused_before_anything_runs(stored, tmp_path, changes, error, words):
    with pytest.raises(error, match=f"(?s){words}"):
        maker(**{"directory": tmp_path, **changes}).make(stored, SPLIT)


def test_ranks_are_counted_against_the_smallest_step(stored, tmp_path):
    of = maker(tmp_path, settings={"batch_size": 12}, ranks_per_node=10)  # 16 samples: steps of 8
    with pytest.raises(InputError, match=r"(?s)batch_size 12, 16 training samples.*10 ranks, and steps of 8"):
        of.make(stored, SPLIT)
    of.make(stored, {"method": "random", "seed": 1})  # how many is not known yet
