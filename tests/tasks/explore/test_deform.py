"""Random strain and displacement: what they are on average, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk, molecule
from crystals_for_tests import parent
from hypothesis import given, settings
from hypothesis import strategies as st

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore.candidate import Candidate, identifier, joined, read_parents
from zonemelt.tasks.explore.explorers import explore, explorer_of


def asked(document, *parents, seed=0, **more):
    return explore(explorer_of(document), list(parents), seed=seed, **more)


def test_moments_are_those_asked_for():
    settings = {"explorer": "deform", "copies": 300, "displacement": 0.05, "strain": 0.02, "closest": 0.1}
    start = bulk("Al", cubic=True)
    found = asked(settings, parent(start))
    cells = np.array([one["geometry"]["cell"] for one in found["candidates"]])
    strains = np.linalg.inv(start.cell.array) @ cells - np.eye(3)
    assert np.allclose(strains, strains.transpose(0, 2, 1))  # no rotation
    assert strains.std(axis=0) == pytest.approx(np.full((3, 3), 0.02), rel=0.15)
    places = np.array([one["geometry"]["positions"] for one in found["candidates"]])
    moves = places - start.positions @ (np.eye(3) + strains)
    assert moves.std() == pytest.approx(0.05, rel=0.03)
    assert abs(moves.mean()) < 0.002


def test_volume_is_drawn_evenly():
    settings = {
        "explorer": "deform",
        "copies": 100,
        "displacement": 0.0,
        "strain": 0.0,
        "volume": [-0.1, 0.2],
    }
    found = asked(settings, parent(bulk("Al")))
    cells = np.array([one["geometry"]["cell"] for one in found["candidates"]])
    changes = np.linalg.det(cells) / np.linalg.det(bulk("Al").cell.array) - 1
    said = np.array([one["origin"]["settings"]["volume"] - 1 for one in found["candidates"]])
    np.testing.assert_allclose(said, changes, atol=1e-6)
    assert changes.min() > -0.1
    assert changes.max() < 0.2
    assert changes.mean() == pytest.approx(0.05, abs=0.03)
    assert changes.std() == pytest.approx(0.3 / 12**0.5, rel=0.15)


def test_what_does_not_repeat_is_not_strained():
    slab = bulk("Al", cubic=True)
    slab.pbc = (True, True, False)
    settings = {"explorer": "deform", "copies": 5, "displacement": 0.0, "strain": 0.05}
    for one in asked(settings, parent(slab))["candidates"]:
        assert one["geometry"]["cell"][2] == pytest.approx(slab.cell.array[2])
    settings = {"explorer": "deform", "copies": 2, "displacement": 0.0, "strain": 0.05}
    found = asked(settings, parent(molecule("H2O", vacuum=3.0)))
    assert found["counts"] == {"proposed": 2, "refused: the same as another": 1, "kept": 1}


@settings(max_examples=15)
@given(seed=st.integers(0, 2**31), copies=st.integers(1, 6), repeat=st.tuples(*[st.integers(1, 2)] * 3))
def test_every_copy_is_a_candidate_of_its_own(seed, copies, repeat):
    document = {"explorer": "deform", "copies": copies, "repeat": repeat}
    found = asked(document, parent(bulk("NaCl", "rocksalt", 5.6)), seed=seed)
    assert found["counts"]["kept"] == copies
    for one in found["candidates"]:
        candidate = Candidate.model_validate(one)
        assert len(candidate.geometry.symbols) == 2 * np.prod(repeat)
        assert candidate.identifier == identifier(candidate.geometry, "deform")
    assert found == asked(document, parent(bulk("NaCl", "rocksalt", 5.6)), seed=seed)


def test_atoms_that_meet_are_refused_and_counted():
    found = asked({"explorer": "deform", "copies": 20, "displacement": 1.5}, parent(bulk("Al", cubic=True)))
    counts = found["counts"]
    assert counts["refused: atoms too close"] > 0
    assert counts["kept"] + counts["refused: atoms too close"] == 20


def test_several_documents_as_one():
    one = asked({"explorer": "deform", "copies": 2}, parent(bulk("Al")))
    other = asked({"explorer": "deform", "copies": 3}, parent(bulk("Cu")))
    both = joined([one, other, one])
    assert both["counts"] == {"proposed": 7, "refused: the same as another": 2, "kept": 5}
    assert [c["identifier"] for c in both["candidates"]] == [
        c["identifier"] for c in [*one["candidates"], *other["candidates"]]
    ]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"explorer": "deform", "copy": 3}, "did you mean 'copies'"),
        ({"explorer": "deforme"}, "did you mean 'deform'"),
        ({"copies": 3}, "does not say which"),
        ({"explorer": "deform", "copies": 0}, "greater than or equal to 1"),
    ],
)
def test_bad_settings_are_told(document, words):
    with pytest.raises(InputError, match=words):
        explorer_of(document)


def test_bad_parents_are_told():
    with pytest.raises(InputError, match="there is none"):
        read_parents([])
    with pytest.raises(InputError, match=r"parents, number 1.*'identifier'"):
        read_parents([parent(bulk("Al")), {"name": "x"}])
    with pytest.raises(InputError, match="'parent' is there twice"):
        read_parents([parent(bulk("Al")), parent(bulk("Cu"))])
