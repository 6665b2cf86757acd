"""Relaxation of many structures together beside that of ASE, one by one."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.filters import UnitCellFilter
from ase.optimize import FIRE, LBFGS
from potential_contract import PotentialContract, metal, salt
from potentials_for_tests import Morse, Senseless

from zonemelt.tasks.atomistic.fleet import Pace
from zonemelt.tasks.atomistic.relax import Outcome, RelaxSettings, relax
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.potentials.by_ase import OfCalculator, calculator
from zonemelt.tasks.theory import Theory

SETTINGS = RelaxSettings(force=1e-3, steps=400)


def crooked():
    atoms = bulk("CuCl", "zincblende", a=4.9)
    atoms.rattle(0.1, seed=3)
    atoms.set_cell(atoms.cell.array @ np.array([[1, 0.05, 0], [0, 1.03, 0], [0, 0, 1]]), scale_atoms=True)
    return atoms


def all_of_them():
    return Crystals.of_atoms([salt(), metal(), crooked(), bulk("Cu", cubic=True, a=4.2), bulk("Al", a=4.2)])


class TestThroughAse(PotentialContract):
    """Ours as a calculator of ASE as one of ours."""

    @pytest.fixture(scope="class")
    @classmethod
    def potential(cls):
        ours = Morse()
        return OfCalculator(
            calculator(ours),
            name="morse",
            elements=ours.elements,
            theory=Theory(code="morse", is_dft=False),
            licence="none",
        )


# LBFGS where the curvature is positive: from elsewhere ours learns nothing
@pytest.mark.parametrize(
    ("atoms", "method", "theirs", "steps"),
    [(salt(), "fire", FIRE, 25), (metal(), "fire", FIRE, 25), (crooked(), "fire", FIRE, 25),
     (metal(), "lbfgs", LBFGS, 8)],
)  # fmt: skip
@pytest.mark.parametrize("cell", [True, False])
def test_the_same_steps_as_ase(atoms, cell, method, theirs, steps):
    settings = RelaxSettings(force=1e-9, steps=steps, cell=cell, method=method)
    ours = relax(Morse(), Crystals.of_atoms([atoms]), settings)
    atoms = atoms.copy()
    atoms.calc = calculator(Morse())
    theirs(UnitCellFilter(atoms) if cell else atoms, logfile=None).run(fmax=1e-9, steps=steps)
    np.testing.assert_allclose(ours.crystals.positions_A3, atoms.positions, atol=1e-8)
    np.testing.assert_allclose(ours.crystals.cells_G33[0], atoms.cell.array, atol=1e-8)
    assert ours.outcomes == (Outcome.OUT_OF_STEPS,)


def test_what_converged_is_a_minimum():
    found = relax(Morse(), all_of_them(), SETTINGS)
    assert set(found.outcomes) == {Outcome.CONVERGED}
    again = Morse().evaluate(found.crystals, stress=True)
    assert np.abs(again.forces_A3).max() < 1e-3
    volumes = np.linalg.det(found.crystals.cells_G33)
    assert (np.abs(again.stresses_G33).max(axis=(1, 2)) * volumes < 1e-3 * found.crystals.sizes_G * 1.5).all()
    assert (again.energies_G < Morse().evaluate(all_of_them()).energies_G).all()
    np.testing.assert_allclose(again.energies_G, found.energies_G)


@pytest.mark.parametrize("room", [1, 5, 10_000])
def test_how_many_are_on_their_way_changes_nothing(room):
    settings = RelaxSettings(force=1e-3, steps=400, atoms_in_flight=room)
    found, expected = relax(Morse(), all_of_them(), settings), relax(Morse(), all_of_them(), SETTINGS)
    assert found.steps_G.tolist() == expected.steps_G.tolist()
    np.testing.assert_allclose(found.crystals.positions_A3, expected.crystals.positions_A3, atol=1e-8)


@pytest.mark.parametrize(
    ("evaluations", "method"),
    [(0, "fire"), (1, "fire"), (17, "fire"), (60, "fire"), (1, "lbfgs"), (9, "lbfgs")],
)
def test_what_was_stopped_goes_on_as_if_nothing_had_happened(tmp_path, evaluations, method):
    answers = iter([True] * evaluations)
    settings = RelaxSettings(force=1e-3, steps=400, atoms_in_flight=6, method=method)
    stopped = relax(
        Morse(),
        all_of_them(),
        settings,
        checkpoint=tmp_path / "c.npz",
        pace=Pace(go_on=lambda: next(answers, False)),
    )
    assert Outcome.UNFINISHED in stopped.outcomes
    found = relax(Morse(), all_of_them(), settings, checkpoint=tmp_path / "c.npz")
    expected = relax(Morse(), all_of_them(), settings)
    assert found.outcomes == expected.outcomes
    assert found.steps_G.tolist() == expected.steps_G.tolist()
    assert np.array_equal(found.crystals.positions_A3, expected.crystals.positions_A3)
    assert np.array_equal(found.energies_G, expected.energies_G)


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    relax(Morse(), Crystals.of_atoms([salt()]), SETTINGS, checkpoint=tmp_path / "c.npz")
    with pytest.raises(InputError, match=r"c\.npz.*other structures"):
        relax(Morse(), Crystals.of_atoms([metal()]), SETTINGS, checkpoint=tmp_path / "c.npz")


def test_out_of_steps_is_said():
    found = relax(Morse(), Crystals.of_atoms([salt(), bulk("Al", a=4.2)]), RelaxSettings(force=1e-3, steps=3))
    assert found.outcomes[0] == Outcome.OUT_OF_STEPS
    assert found.steps_G[0] == 3
    assert np.isfinite(found.energies_G).all()


class Pushing(Morse):
    def energies(self, edges):
        pushes_E = (self.cutoff - edges.vectors_E3.norm(dim=1)) ** 2
        return pushes_E.new_zeros(edges.structures).index_add(0, edges.structure_A[edges.centre_E], pushes_E)


def test_what_flies_apart_is_stopped_and_flagged():
    potential = Pushing(cutoff=9.0)
    found = relax(potential, Crystals.of_atoms([bulk("Cu", a=3.7)]), RelaxSettings(force=1e-9))
    assert found.outcomes == (Outcome.EXPLODED,)
    assert 0 < found.steps_G[0] < 500


def test_an_energy_that_is_no_number_is_flagged():
    found = relax(Senseless(), Crystals.of_atoms([metal()]))
    assert found.outcomes == (Outcome.EXPLODED,)
    np.testing.assert_allclose(found.crystals.positions_A3, metal().positions)


def test_a_slab_relaxes_in_its_cell_only():
    slab = metal()
    slab.pbc = (True, True, False)
    with pytest.raises(InputError, match="does not repeat"):
        relax(Morse(), Crystals.of_atoms([slab]))
    found = relax(Morse(), Crystals.of_atoms([slab]), RelaxSettings(cell=False))
    assert found.outcomes == (Outcome.CONVERGED,)
    np.testing.assert_allclose(found.crystals.cells_G33[0], slab.cell.array)


def test_nothing_to_relax():
    assert relax(Morse(), Crystals.of_atoms([])).outcomes == ()


def test_lbfgs_takes_fewer_steps_to_the_same_place():
    fire, lbfgs = (
        relax(Morse(), all_of_them(), RelaxSettings(force=1e-3, steps=400, method=method))
        for method in ("fire", "lbfgs")
    )
    assert set(lbfgs.outcomes) == {Outcome.CONVERGED}
    assert lbfgs.steps_G.sum() < 0.7 * fire.steps_G.sum()
    np.testing.assert_allclose(lbfgs.energies_G, fire.energies_G, atol=1e-4)


def test_only_the_strains_that_may_change_do():
    atoms = bulk("Cu", cubic=True, a=3.9)
    settings = RelaxSettings(force=1e-3, strains=(False, False, True, False, False, False))
    found = relax(Morse(), Crystals.of_atoms([atoms]), settings)
    cell = found.crystals.cells_G33[0]
    np.testing.assert_allclose(cell[:2], atoms.cell.array[:2])
    assert cell[2, 2] < 3.85
    stress = Morse().evaluate(found.crystals, stress=True).stresses_G33[0]
    assert abs(stress[2, 2]) < 1e-3 < stress[0, 0]


def test_under_pressure_the_stress_is_the_pressure():
    settings = RelaxSettings(force=1e-4, pressure=0.05, method="lbfgs")
    found = relax(Morse(), Crystals.of_atoms([bulk("Cu", a=3.7)]), settings)
    stress = Morse().evaluate(found.crystals, stress=True).stresses_G33[0]
    np.testing.assert_allclose(stress, -0.05 * np.eye(3), atol=1e-4)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"force": -1}, "force: -1 cannot be used"),
        ({"method": "newton"}, "fire, lbfgs"),
        ({"cell": False, "pressure": 1.0}, "of a cell that stays"),
    ],
)
def test_settings_that_make_no_sense(wrong, said):
    with pytest.raises(InputError, match=said):
        RelaxSettings(**wrong)
