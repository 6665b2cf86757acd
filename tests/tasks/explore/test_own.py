"""Candidates by a function of a person's own: structures of ASE and pymatgen, and what is none."""

from __future__ import annotations

import pytest
from ase.build import bulk
from crystals_for_tests import parent
from pymatgen.core import Lattice, Structure

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore import own
from zonemelt.tasks.explore.explorers import explore, explorer_of

OWN = {"explorer": "own", "function": "somewhere:propose"}


def asked(monkeypatch, function, *parents, **arguments):
    monkeypatch.setattr(own, "own_function", lambda path, **_: function)
    return explore(explorer_of({**OWN, "arguments": arguments}), list(parents), seed=7)


def test_what_is_no_structure_is_refused_and_the_others_are_kept(monkeypatch):
    def propose(structures, *, seed):
        shared = Structure(Lattice.cubic(3), [{"Cu": 0.5, "Au": 0.5}], [[0, 0, 0]])
        ordered = Structure(Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]])
        return [shared, bulk("Al"), "Al", ordered]

    found = asked(monkeypatch, propose)
    assert found["counts"] == {"proposed": 4, "refused: no structure": 2, "kept": 2}
    assert [one["geometry"]["symbols"] for one in found["candidates"]] == [["Al"], ["Cu"]]


def test_it_is_given_the_parents_the_seed_and_its_arguments(monkeypatch):
    def propose(structures, *, seed, scale):
        assert seed == 7
        larger = structures[0].copy()
        larger.set_cell(scale * larger.cell.array, scale_atoms=True)
        return [larger]

    (one,) = asked(monkeypatch, propose, parent(bulk("Al", a=4.0)), scale=1.5)["candidates"]
    assert max(map(max, one["geometry"]["cell"])) == pytest.approx(3.0)


def test_what_it_raises_is_told(monkeypatch):
    def propose(structures, *, seed):
        raise ZeroDivisionError("no copies")

    with pytest.raises(InputError, match="somewhere:propose: it fails: ZeroDivisionError: no copies"):
        asked(monkeypatch, propose)
