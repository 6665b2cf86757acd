"""Molecular dynamics as an explorer: heat, frames, and the end of a run that a committee is unsure of."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ase.build import bulk
from potentials_for_tests import Morse, committee

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore.explorers import explore, explore_job, explorer_of
from zonemelt.tasks.records import Geometry

PARENT = {
    "identifier": "copper",
    "geometry": Geometry.of(bulk("Cu", cubic=True, a=3.7)).model_dump(mode="json"),
}
SHORT = {"explorer": "dynamics", "steps": 40, "every": 10, "temperatures": [100.0, 400.0]}


def asked(potential, seed=0, **more):
    return explore(explorer_of({**SHORT, **more}), [PARENT], potential=potential, seed=seed)


def test_every_frame_is_kept_and_the_hot_ones_are_farther_from_the_lattice():
    found = asked(Morse(), runs=3)
    assert found["counts"] == {"runs: finished": 3, "proposed": 24, "kept": 24}
    steps = [one["origin"]["settings"]["step"] for one in found["candidates"]]
    assert steps == [10, 20, 30, 40, 50, 60, 70, 80] * 3
    ideal = bulk("Cu", cubic=True, a=3.7)

    def away(temperature):
        moved = []
        for one in found["candidates"]:
            if one["origin"]["settings"]["temperature"] == temperature:
                moves = np.array(one["geometry"]["positions"]) - ideal.positions
                moves -= 3.7 * np.rint(moves / 3.7)
                moved.append(((moves - moves.mean(axis=0)) ** 2).mean())
        return np.mean(moved)

    assert away(400.0) > away(100.0)


def test_frames_are_thinned_evenly_to_the_last():
    found = asked(Morse(), frames=3)
    assert [one["origin"]["settings"]["step"] for one in found["candidates"]] == [10, 50, 80]


def test_a_run_ends_with_the_frame_the_committee_is_unsure_of():
    sure = asked(committee(0.06), unsure=1e6)
    assert sure["counts"]["runs: finished"] == 1
    spreads = [one["origin"]["settings"]["spread"] for one in sure["candidates"]]
    limit = sorted(spreads)[2] + 1e-5  # they are rounded
    found = asked(committee(0.06), unsure=limit)
    assert found["counts"]["runs: unsure"] == 1
    first = next(place for place, spread in enumerate(spreads) if spread > limit)
    assert [one["origin"]["settings"]["spread"] for one in found["candidates"]] == spreads[: first + 1]


def test_what_explodes_is_counted_and_not_kept():
    found = asked(Morse(), temperatures=[200000.0], timestep=20.0)
    assert found["counts"]["runs: exploded"] == 1
    assert found["candidates"] == []


def test_bad_input_is_told():
    with pytest.raises(InputError, match="one potential, and says nothing of its spread"):
        asked(Morse(), unsure=0.1)
    with pytest.raises(InputError, match="needs a potential"):
        asked(None)
    iron = {"identifier": "iron", "geometry": Geometry.of(bulk("Fe")).model_dump(mode="json")}
    with pytest.raises(InputError, match="does not know Fe"):
        explore(explorer_of(SHORT), [iron], potential=Morse(), seed=0)


def test_the_job_is_one_document():
    deform = {"explorer": "deform", "copies": 2}
    found = explore_job.original(explorer=deform, parents=[PARENT], seed=3)
    assert found == explore(explorer_of(deform), [PARENT], seed=3)
    assert json.loads(json.dumps(found)) == found


def test_cells_breathe_under_pressure():
    still = asked(Morse(), temperatures=[300.0])
    assert len({str(one["geometry"]["cell"]) for one in still["candidates"]}) == 1

    def volumes(pressures):
        found = asked(Morse(), temperatures=[300.0], steps=200, every=50, pressures=pressures)
        return [abs(np.linalg.det(one["geometry"]["cell"])) for one in found["candidates"]]

    free, pressed = volumes([0.0, 0.0]), volumes([0.0, 0.1])
    assert len(set(free)) == len(set(pressed)) == 4
    assert pressed[-1] < free[-1] < 3.7**3
