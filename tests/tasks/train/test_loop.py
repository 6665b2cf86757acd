"""The trainer: it learns, stops and goes on to the last bit, alone and as several ranks."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import trainings_for_tests as t

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.train.checkpoint import FOLDER, TENSORS
from zonemelt.tasks.train.loop import train
from zonemelt.tasks.train.metrics_log import METRICS, read_metrics
from zonemelt.tasks.train.ranks import joined
from zonemelt.tasks.train.settings import TrainSettings
from zonemelt.tasks.train.step import DivergedError

SCHEDULES = ["one-cycle", "cosine", "plateau", "linear", "constant"]


def same(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_it_learns_and_says_so(tmp_path):
    outcome = t.run(tmp_path, epochs=60)
    found = read_metrics(tmp_path)
    assert outcome.finished
    assert outcome.epochs == len(found) == 60
    assert outcome.best == min(line["mae"] for line in found) < 0.5 * found[0]["mae"]
    assert found[outcome.best_epoch]["mae"] == outcome.best
    assert outcome.samples == 60 * t.SAMPLES
    assert {path.name for path in (tmp_path / FOLDER).iterdir()} == {
        "000059-00000000", "000060-00000000", f"{outcome.best_epoch + 1:06d}-00000000"
    }  # fmt: skip


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_it_stops_at_any_step_and_goes_on_to_the_last_bit(tmp_path, schedule):
    settings = {"dropout": 0.3, "ema": 0.9, "schedule": schedule, "accumulate": 2}
    best = t.run(tmp_path / "whole", **settings).best_epoch
    calls = 0
    while True:  # the deadline has always passed: each call takes one step
        calls += 1
        if t.run(tmp_path / "pieces", deadline=0.0, **settings).finished:
            break
    assert calls == 4 * 4 + 1
    same(t.weights(tmp_path / "pieces"), t.weights(tmp_path / "whole"))
    same(t.weights(tmp_path / "pieces", best), t.weights(tmp_path / "whole", best))
    assert t.course(tmp_path / "pieces") == t.course(tmp_path / "whole")


def test_parts_of_a_step_are_the_step(tmp_path):
    for parts in (1, 3):
        t.run(tmp_path / str(parts), accumulate=parts, precision="fp64", epochs=1)
    whole, parted = (t.weights(tmp_path / str(parts)) for parts in (1, 3))
    for name, value in whole.items():
        assert torch.allclose(value, parted[name], rtol=1e-9, atol=1e-12), name


@pytest.mark.parametrize("count", [2, 4])
def test_ranks_together_are_one_process(tmp_path, count):
    settings = {"epochs": 2, "precision": "fp64", "clip_norm": 0.5}
    t.run(tmp_path / "one", **settings)
    t.ranks(tmp_path / "many", count, **settings)
    one, many = t.weights(tmp_path / "one"), t.weights(tmp_path / "many")
    for name, value in one.items():
        assert torch.allclose(value, many[name], rtol=1e-6, atol=1e-12), name
    for alone, together in zip(t.course(tmp_path / "one"), t.course(tmp_path / "many"), strict=True):
        assert together == pytest.approx(alone, rel=1e-6)


def test_a_killed_rank_costs_what_came_after_the_last_checkpoint(tmp_path):
    settings = {"dropout": 0.3, "epochs": 3}
    t.ranks(tmp_path / "whole", 2, **settings)
    t.ranks(tmp_path / "killed", 2, fails=True, kill_at=[1, 2], **settings)
    assert len(read_metrics(tmp_path / "killed")) == 1
    t.ranks(tmp_path / "killed", 2, **settings)
    same(t.weights(tmp_path / "killed"), t.weights(tmp_path / "whole"))
    assert t.course(tmp_path / "killed") == t.course(tmp_path / "whole")


def test_another_number_of_ranks_goes_on_with_the_same_samples(tmp_path):
    settings = {"epochs": 2, "precision": "fp64"}
    t.run(tmp_path / "one", **settings)
    for _ in range(3):
        t.run(tmp_path / "grown", deadline=0.0, **settings)
    t.ranks(tmp_path / "grown", 3, **settings)
    one, grown = t.weights(tmp_path / "one"), t.weights(tmp_path / "grown")
    assert all(torch.allclose(value, grown[name], rtol=1e-6, atol=1e-12) for name, value in one.items())


def test_checkpoints_come_inside_an_epoch_too(tmp_path):
    t.run(tmp_path, epochs=1, checkpoint_seconds=1e-9, keep=10)
    steps = sorted(path.name for path in (tmp_path / FOLDER).glob("000000-*"))
    assert steps == [f"000000-{step:08d}" for step in (1, 2, 3, 4)]


def test_patience(tmp_path):
    outcome = t.run(tmp_path, epochs=500, learning_rate=1e-12, patience=3)  # nothing moves: the first is best
    assert (outcome.finished, outcome.best_epoch, outcome.epochs) == (True, 0, 4)


def test_a_gradient_that_is_no_number_stops_it_and_names_the_samples(tmp_path):
    with pytest.raises(DivergedError, match=r"(?s)row 7.*epoch 0"):
        t.run(tmp_path, rows=t.Rows(6, spoilt=7), batch_size=6)


def test_a_checkpoint_of_another_model_is_refused(tmp_path, monkeypatch):
    t.run(tmp_path, epochs=1)
    monkeypatch.setattr(t, "CARD", {"architecture": "net-2"})
    with pytest.raises(InputError, match="another training: architecture is not the same"):
        t.run(tmp_path, epochs=2)


def test_a_damaged_checkpoint_is_one_clear_error(tmp_path):
    t.run(tmp_path, epochs=1, keep=1)
    (path,) = (tmp_path / FOLDER).glob(f"0*/{TENSORS}")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="cannot be read"):
        t.run(tmp_path, epochs=2)


def test_bf16_learns(tmp_path):
    t.run(tmp_path, epochs=30, precision="bf16")
    found = read_metrics(tmp_path)
    assert found[-1]["mae"] < found[0]["mae"]
    assert all(value.dtype != torch.bfloat16 for value in t.weights(tmp_path).values())


def test_the_deadline_is_kept(tmp_path, monkeypatch):
    t.hurry(monkeypatch, 0)
    outcome = t.run(tmp_path, epochs=10_000, deadline=30.0)
    assert 0 < outcome.epochs < 30
    assert not outcome.finished
    assert math.isfinite(outcome.best)
    assert Path(tmp_path, FOLDER).is_dir()


def test_an_epoch_without_a_metric_is_not_the_best(tmp_path):
    said = iter([math.nan, 3.0, math.nan, 2.0])
    rows = t.Rows(12)
    torch.manual_seed(0)
    with joined(device="cpu") as ranks:
        outcome = train(
            t.Net(), t.OBJECTIVE, rows, lambda _: {"mae": next(said)}, TrainSettings(seed=0, epochs=4),
            ranks=ranks, directory=tmp_path, card=t.CARD, metric="mae",
        )  # fmt: skip
    assert (outcome.best, outcome.best_epoch) == (2.0, 3)


def test_a_line_that_was_cut_is_left_out_of_the_course(tmp_path):
    assert read_metrics(tmp_path) == []
    (tmp_path / METRICS).write_text('{"epoch": 0, "mae": 1.0}\n{"epoch": 1, "mae": 0.5}\n{"epoch": 2, "ma')
    assert [line["epoch"] for line in read_metrics(tmp_path)] == [0, 1]
