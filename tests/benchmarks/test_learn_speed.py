"""The benchmark of learning speed measures what it says."""

from __future__ import annotations

import time

import pytest


@pytest.fixture
def speed(monkeypatch, tmp_path):
    """The benchmark, where there are no data."""
    monkeypatch.setenv("ZONEMELT_DATA", str(tmp_path))
    from benchmarks import learn_speed

    return learn_speed


def test_tasks_take_turns_and_the_first_turn_is_not_counted(speed):
    called = []
    tasks = {"a": lambda: called.append("a"), "b": lambda: called.append("b")}
    found = speed.in_turn(tasks, repeats=2)
    assert called == ["a", "b"] * 3
    assert [len(seconds) for seconds in found.values()] == [2, 2]


def test_it_is_processor_time_that_counts(speed, monkeypatch):
    clock = iter([0.0, 9.0, 11.5])
    monkeypatch.setattr(time, "process_time", lambda: next(clock))
    assert speed.in_turn({"a": lambda: None}, repeats=1) == {"a": [2.5]}


def test_rates_are_those_of_the_middle(speed):
    found = speed.rates({"train": [1.0, 2.0, 4.0], "peer train": [4.0]}, "train", 8)
    assert (found["ours"], found["peer"], found["seconds"]) == (4.0, 2.0, 11.0)


def test_a_part_that_is_not_there_is_refused(speed, capsys):
    with pytest.raises(SystemExit):
        speed.main(["nothing"])
    assert "no part nothing" in capsys.readouterr().err


@pytest.mark.usefixtures("speed")
def test_without_data_perovskites_are_made_up():
    from benchmarks.learn_speed_data import MADE_UP, structures

    found = structures(6)
    assert found.name == MADE_UP
    assert [len(atoms) for atoms in found.atoms_G] == [5] * 6
    assert found.scaled_G.mean() == pytest.approx(0)
    assert structures(6).values_G.tolist() == found.values_G.tolist()
