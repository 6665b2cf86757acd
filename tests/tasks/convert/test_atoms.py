"""Records and ase.Atoms: nothing computed, nothing invented, nothing changed."""

from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from zonemelt.tasks.convert.atoms import NONCOLLINEAR, atoms_of, record_of_atoms
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Convergence, Correction, Ingested, Property, Record
from zonemelt.tasks.theory import Theory

SAID = {
    "identifier": "cu",
    "theory": Theory(code="emt"),
    "convergence": Convergence(electronic=None, complete=None),
    "provenance": Ingested(source="here", calculation="c", parser="none"),
}


def record_of(atoms: Atoms, **more: Any) -> Record:
    return record_of_atoms(atoms, **SAID, **more)


@pytest.fixture
def copper() -> Atoms:
    atoms = bulk("Cu", "hcp", a=2.6, c=4.2) * (2, 1, 1)
    atoms.rattle(0.1, seed=3)
    return atoms


def test_what_a_calculator_computed_is_kept_to_the_last_digit(copper: Atoms) -> None:
    copper.calc = EMT()
    energy, forces, stress = (
        copper.get_potential_energy(),
        copper.get_forces(),
        copper.get_stress(voigt=False),
    )
    record = record_of(copper)
    assert record.energy_sigma0 == record.energy_free == energy
    assert np.array_equal(record.forces, forces)
    assert np.array_equal(record.stress, stress)
    back = atoms_of(record)
    assert back.get_potential_energy() == energy
    assert back.get_potential_energy(force_consistent=True) == energy
    assert np.array_equal(back.get_forces(), forces)
    assert np.array_equal(back.get_stress(voigt=False), stress)
    assert record_of(back) == record


def test_what_the_calculator_does_not_hold_is_none_and_is_not_computed(copper: Atoms) -> None:
    copper.calc = EMT()
    record = record_of(copper)
    assert (record.energy_free, record.energy_sigma0, record.forces, record.stress) == (None,) * 4
    assert copper.calc.results == {}
    assert atoms_of(record).calc is None


def test_one_energy_does_not_become_the_other(copper: Atoms) -> None:
    copper.calc = SinglePointCalculator(copper, energy=-1.0)
    record = record_of(copper)
    assert (record.energy_sigma0, record.energy_free) == (-1.0, None)
    with pytest.raises(PropertyNotImplementedError):
        atoms_of(record).get_potential_energy(force_consistent=True)


def test_what_the_caller_says_comes_first(copper: Atoms) -> None:
    copper.calc = SinglePointCalculator(copper, energy=-1.0, dipole=[0.0, 0.1, 0.2])
    correction = Correction(scheme="s", energy=0.5)
    record = record_of(
        copper,
        energy_free=-3.0,
        energy_sigma0=0.0,
        correction=correction,
        properties={"gap": Property(value=1.0, unit="eV")},
    )
    assert (record.energy_sigma0, record.energy_free, record.energy_corrected) == (0.0, -3.0, 0.5)
    assert record.properties["dipole"] == Property(value=(0.0, 0.1, 0.2), unit="e Å")
    assert record.properties["gap"].value == 1.0
    assert atoms_of(record).get_dipole_moment().tolist() == [0.0, 0.1, 0.2]


def test_noncollinear_moments_are_kept_as_vectors(copper: Atoms) -> None:
    moments = np.arange(12.0).reshape(4, 3)
    copper.calc = SinglePointCalculator(copper, magmoms=moments)
    record = record_of(copper)
    assert record.magmoms is None
    assert record.properties[NONCOLLINEAR].value == tuple(range(12))
    assert np.array_equal(atoms_of(record).get_magnetic_moments(), moments)


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ({"forces": np.zeros((3, 3))}, "3 forces for 4 atoms"),
        ({"forces": np.zeros((4, 2))}, r"forces of shape \(4, 2\)"),
        ({"stress": np.zeros(5)}, r"stress of shape \(5,\)"),
        ({"energy": float("nan")}, "energy_sigma0: .*finite"),
        ({"forces": np.full((4, 3), np.inf)}, "forces.*finite"),
        ({"magmoms": np.zeros(3)}, "3 magmoms for 4 atoms"),
    ],
)
def test_bad_results_are_refused_with_their_name(copper: Atoms, results: dict[str, Any], words: str) -> None:
    copper.calc = EMT()
    copper.calc.atoms = copper.copy()
    copper.calc.results = results
    with pytest.raises(InputError, match=words) as caught:
        record_of(copper)
    assert caught.value.where == "cu"
    assert caught.value.remedy


def test_results_for_other_positions_are_refused(copper: Atoms) -> None:
    copper.calc = EMT()
    copper.get_potential_energy()
    copper.positions[0] += 0.1
    with pytest.raises(InputError, match="positions changed since"):
        record_of(copper)


@pytest.mark.parametrize(
    ("atoms", "words"),
    [
        (Atoms("X", cell=[1, 1, 1], pbc=True), "X: no such"),
        (Atoms("H", cell=[1, 1, 0], pbc=True), "no volume"),
    ],
)
def test_what_is_no_structure_is_refused(atoms: Atoms, words: str) -> None:
    with pytest.raises(InputError, match=words):
        record_of(atoms)
