"""Labels stay hidden until they are asked for, and what was needed is counted."""

from __future__ import annotations

import json
from importlib import import_module

import numpy as np
import pytest

OURS = ("discovery", "potentials", "trap", "calibration")  # that need data


@pytest.fixture
def discovery():
    return import_module("benchmarks.active_learning_discovery")


@pytest.fixture
def potentials():
    return import_module("benchmarks.active_learning_potentials")


def test_hidden_labels_are_counted_and_given_once(discovery):
    hidden = discovery.Hidden(np.arange(5.0))
    assert hidden.ask([3, 1]).tolist() == [3.0, 1.0]
    assert hidden.asked == [3, 1]
    with pytest.raises(ValueError, match="asked twice"):
        hidden.ask([2, 3])
    with pytest.raises(ValueError, match="asked twice"):
        hidden.ask([2, 2])
    assert hidden.asked == [3, 1]


def test_search_asks_only_for_what_it_counts(discovery):
    labels = np.random.default_rng(0).normal(size=400)
    hidden = discovery.Hidden(labels)

    def told(_rows, _known, left):
        return {"probability_of_best": -labels[left]}

    history = discovery.search(told, hidden, first=10, batch=2, seed=0)
    assert history[-1][0] == len(hidden.asked) <= 16
    assert history[-1][1] == 4  # the lowest 1 %
    chance = discovery.search(lambda *_: {}, discovery.Hidden(labels), strategy="random", most=400, seed=0)
    assert chance[-1][0] > 100


def test_labels_needed_are_the_first_that_suffice(potentials):
    curve = {8: 0.5, 12: 0.3, 16: 0.35, 20: 0.2}
    assert potentials.needed(curve, 0.3) == 12
    assert potentials.needed(curve, 0.25) == 20
    assert potentials.needed(curve, 0.1) is None


def test_linear_fit_finds_the_weights_and_counts_its_labels(potentials):
    generator, true = np.random.default_rng(0), np.array([1.0, -2.0, 0.5])
    design = potentials.Design(
        energy_NK=generator.normal(size=(30, 3)), forces=[generator.normal(size=(6, 3)) for _ in range(30)]
    )
    energies = design.energy_NK @ true
    hidden = potentials.Hidden(energies - energies.mean(), [own @ true for own in design.forces])
    blocks = design.forces

    def judged(weights):
        away = np.abs(weights - true)
        return float(away.max()), float(away.mean())

    curve = potentials.learn("d_optimal", design, blocks, hidden, judged, counts=(8, 12, 16), seed=0)
    assert [point[0] for point in curve] == [8, 12, 16]
    assert len(hidden.asked) == 16
    assert curve[-1][1] < 0.5


def test_absent_data_are_rows_with_a_reason(monkeypatch, capsys, tmp_path, discovery):
    monkeypatch.setenv("ZONEMELT_DATA", str(tmp_path))
    discovery.pool.cache_clear()
    import_module("benchmarks.active_learning").main(["--quick", "--json", "--only", *OURS])
    discovery.pool.cache_clear()
    found = json.loads(capsys.readouterr().out)
    assert found["rows"]
    assert all("absent" in row["note"] and row["quick"] for row in found["rows"])
