"""A potential is asked about what it can answer; the rest is named with its reason, in the order given."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk, fcc100
from potential_contract import metal, salt
from potentials_for_tests import Morse, committee

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.potentials.ask import evaluate_each
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.structure_files import Read
from zonemelt.tasks.units import GPA


def read(name, atoms):
    return Read(name=name, geometry=Geometry.of(atoms))


def alone(atoms, potential=None, **asked):
    return (potential or Morse()).evaluate(Crystals.of_atoms([atoms]), **asked)


def test_each_has_its_own_answer_or_its_reason():
    slab = fcc100("Cu", (1, 1, 3), vacuum=6)
    given = [
        read("slab", slab), Read(name="torn", reason="it is no JSON"), read("salt", salt()),
        read("iron", bulk("Fe")), read("metal", metal()),
    ]  # fmt: skip
    found = evaluate_each(Morse(), given, stress=True)
    assert [one.name for one in found] == ["slab", "torn", "salt", "iron", "metal"]
    assert [one.refused for one in found] == ["", "it is no JSON", "", "morse does not know Fe", ""]
    for place, atoms in ((0, slab), (2, salt()), (4, metal())):
        expected = alone(atoms)
        assert found[place].energy == pytest.approx(expected.energies_G[0])
        np.testing.assert_allclose(found[place].forces_N3, expected.forces_A3, atol=1e-12)
    assert found[0].stress_33 is None  # it has no volume
    np.testing.assert_allclose(found[4].stress_33, alone(metal(), stress=True).stresses_G33[0], atol=1e-12)
    assert (found[1].geometry, found[3].energy, found[3].forces_N3) == (None, None, None)


def test_rows_are_per_atom_and_pressure_is_positive_where_a_crystal_is_pressed():
    pressed, pulled, iron = evaluate_each(
        Morse(), [read(str(a), bulk("Cu", a=a)) for a in (3.3, 4.0)] + [read("iron", bulk("Fe"))], stress=True
    )
    one, other, refused = pressed.row(), pulled.row(), iron.row()
    assert one["pressure (GPa)"] > 0 > other["pressure (GPa)"]
    assert one["pressure (GPa)"] == pytest.approx(-GPA * np.trace(pressed.stress_33) / 3)
    assert (one["formula"], one["atoms"], one["energy (eV/atom)"]) == ("Cu", 1, one["energy (eV)"])
    assert one["largest force (eV/Å)"] == pytest.approx(0, abs=1e-9)
    assert (refused["formula"], refused["refused"]) == ("Fe", "morse does not know Fe")
    assert refused["energy (eV)"] is refused["energy (eV/atom)"] is refused["largest force (eV/Å)"] is None


def test_a_committee_says_by_how_much_it_disagrees():
    two = committee(difference=0.1)
    found, same = evaluate_each(two, [read("one", metal()), read("twice", metal().repeat((2, 1, 1)))])
    assert found.energy == pytest.approx(alone(metal(), two).energies_G[0])
    spread = two.spread(Crystals.of_atoms([metal()]))
    assert found.energy_spread == pytest.approx(spread.energies_G[0])
    assert found.force_spread == pytest.approx(spread.forces_A.max())
    assert same.energy_spread == pytest.approx(found.energy_spread)  # of an atom
    assert evaluate_each(Morse(), [read("one", metal())])[0].energy_spread is None


def test_progress_ends_with_all_of_them():
    done = []
    given = [read(f"m{number}", bulk("Cu", a=3.6 + 0.001 * number)) for number in range(70)]
    found = evaluate_each(Morse(), [*given, read("iron", bulk("Fe"))], progress=done.append)
    assert [one.name for one in found] == [*(f"m{number}" for number in range(70)), "iron"]
    assert done == sorted(done)
    assert done[-1] == 71
