"""A set of generated crystals judged as a whole: shares are of all, and nothing bad stops it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.judge.generated import Beside, judge_generated, sun
from zonemelt.tasks.judge.generated_jobs import cutoffs_of, judge_generated_job
from zonemelt.tasks.records import Geometry

SALT = bulk("NaCl", "rocksalt", 5.64)
TURNED = SALT.repeat((2, 1, 1))
TURNED.rotate(30, "z", rotate_cell=True)
OVERLAP = Atoms("NaCl", [[1, 1, 1], [1, 1, 1]], cell=[4, 4, 4], pbc=True)
POTASSIUM = bulk("KCl", "rocksalt", 6.29)
ODD = Atoms("Na2Cl", [[0, 0, 0], [2, 2, 2], [2, 0, 0]], cell=[4, 4, 4], pbc=True)
MADE = Crystals.of_atoms([SALT, TURNED, OVERLAP, POTASSIUM, ODD, Atoms(cell=[3, 3, 3], pbc=True)])


def test_shares_are_of_all_that_was_generated():
    known = Crystals.of_atoms([bulk("KCl", "rocksalt", 6.1), bulk("Al")])
    above = np.array([0.0, 0.0, -1.0, 0.05, np.nan, 0.3])
    told = []
    found = judge_generated(
        MADE, Beside(known=known, above_hull_G=above), tell=lambda *said: told.append(said)
    )
    numbers = found.metrics
    assert numbers["crystals"] == 6
    assert numbers["structure_valid"] == pytest.approx(4 / 6)
    assert numbers["composition_valid"] == pytest.approx(4 / 6)
    assert numbers["valid"] == pytest.approx(3 / 6)
    assert numbers["unique"] == pytest.approx(3 / 6)
    assert numbers["novel"] == pytest.approx(3 / 6)
    assert numbers["unique_and_novel"] == pytest.approx(2 / 6)
    assert numbers["stable"] == pytest.approx(4 / 6)
    assert numbers["without_hull"] == 1
    assert numbers["sun"] == pytest.approx(1 / 6)
    assert found.same.row_G.tolist() == [0, 0, -1, 3, 4, -1]
    assert found.fresh is not None
    assert found.fresh.row_G.tolist() == [-1, -1, -1, 0, -1, -1]
    assert found.reasons["two of its atoms are nearer than 0.5 Å"] == 1
    assert told[-1] == ("novel", 4, 4)


def test_a_set_beside_itself():
    pytest.importorskip("matminer")
    good = MADE.take(np.array([0, 3]))
    found = judge_generated(good, Beside(true=good, known=good, cutoffs=(0.2, 4.0), pairs=True)).metrics
    assert found["coverage"]["recall"] == found["coverage"]["precision"] == 1
    assert found["distances"]["density"] == {"every": 0, "drawn": None, "spread": None, "unit": "g/cm³"}
    assert found["distances"]["elements"]["every"] == 0
    assert found["match_rate"] == found["match_rate_of_valid"] == 1
    assert found["rms"] == pytest.approx(0, abs=1e-6)
    assert found["novel"] == 0
    assert found["symmetric"] == 1


def test_properties_are_compared_where_they_are_known():
    values = {"band_gap": ("eV", np.array([1.0, np.nan, 9, 3.0, 9, 9]), np.array([2.0, 4.0, np.nan]))}
    found = judge_generated(MADE, Beside(true=MADE.take(np.array([0, 3, 4])), values=values)).metrics
    assert found["distances"]["band_gap"]["every"] == pytest.approx(1.0)
    assert found["distances"]["band_gap"]["unit"] == "eV"
    assert "coverage" not in found


def test_several_predictions_of_one_crystal():
    true = MADE.take(np.array([0, 3]))
    predicted = Crystals.of_atoms([OVERLAP, TURNED, bulk("KCl", "cesiumchloride", 3.7), OVERLAP])
    found = judge_generated(predicted, Beside(true=true, pairs=True)).metrics
    assert found["predictions"] == 2
    assert found["match_rate"] == found["match_rate_of_valid"] == 0.5


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="no crystals"):
        judge_generated(MADE.take(slice(0, 0)), Beside())
    with pytest.raises(InputError, match="2 energies above the hull of 6 crystals"):
        judge_generated(MADE, Beside(above_hull_G=np.zeros(2)))
    told = []  # refused before anything is compared
    true = MADE.take(slice(0, 4))
    for beside, said in (
        (Beside(true=true, pairs=True), "6 predictions of 4 crystals"),
        (Beside(true=true, values={"gap": ("eV", np.zeros(6), np.zeros(3))}), "3 values of gap of 4"),
        (Beside(known=true, above_hull_G=np.zeros(5)), "5 energies"),
    ):
        with pytest.raises(InputError, match=said):
            judge_generated(MADE, beside, tell=lambda *step: told.append(step))
    assert not told


def test_nothing_valid_is_no_error():
    bad = MADE.take(np.array([2, 5]))
    found = judge_generated(bad, Beside(true=MADE.take(slice(0, 1)), known=MADE, pairs=True)).metrics
    assert found["valid"] == found["unique"] == found["novel"] == found["match_rate"] == 0
    assert found["rms"] is None
    assert found["distances"] == {}


def test_sun_is_the_share_of_what_is_all_three():
    yes, no = np.array([True, True, False, True]), np.array([True, False, True, True])
    assert sun(yes, no, np.ones(4, bool)) == 0.5


def test_the_job_judges_candidates():
    candidates = [
        {"identifier": name, "geometry": Geometry.of(atoms).model_dump(mode="json")}
        for name, atoms in (("a", SALT), ("b", TURNED), ("c", POTASSIUM))
    ]
    candidates.append({"identifier": "d", "geometry": {"cell": "?"}})
    found = judge_generated_job.original(candidates=candidates, above_hull={"a": 0.0, "c": None})
    assert found["metrics"]["unique"] == 0.5
    assert found["metrics"]["unreadable"] == 1
    assert found["metrics"]["without_hull"] == 3
    assert [one["group"] for one in found["each"]] == ["a", "a", "c", None]
    assert "cell" in found["each"][3]["reasons"][0]
    json.dumps(found)


def test_cutoffs_are_named_or_given():
    assert cutoffs_of("perov_5") == (0.2, 4.0)
    assert cutoffs_of("0.1, 3") == cutoffs_of([0.1, 3]) == (0.1, 3.0)
    assert cutoffs_of("") is None
    with pytest.raises(InputError, match="perov"):
        cutoffs_of("perov")
