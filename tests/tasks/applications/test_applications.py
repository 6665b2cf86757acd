"""Cathodes, ferroelectrics, polymorphs and hops: arithmetic against closed forms, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st

from zonemelt.tasks.applications.cathodes import VALENCE, cathode, metal, without
from zonemelt.tasks.applications.charges import Charges
from zonemelt.tasks.applications.ferroelectrics import (
    cubic,
    displaced,
    ferroelectric,
)
from zonemelt.tasks.applications.hops import shortest_hop
from zonemelt.tasks.applications.polymorphs import polymorphs
from zonemelt.tasks.crystals import repeats
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.units import KJ_MOL, MICROCOULOMB_CM2

HOST = Geometry.of(
    Atoms(
        "LiCoO2", scaled_positions=[(0.5, 0.5, 0.5), (0, 0, 0), (0.26, 0.26, 0.26), (0.74, 0.74, 0.74)],
        cell=[[0, 2.4, 2.4], [2.4, 0, 2.4], [2.4, 2.4, 0]], pbc=True,
    )
)  # fmt: skip


def at_rest(geometry, energy, outcome="converged"):
    return {"geometry": geometry.model_dump(mode="json"), "energy": energy, "outcome": outcome}


@given(
    st.floats(-8, -1),
    st.floats(-8, -1),
    st.floats(-3, -0.5),
    st.floats(-20, 20),
)
@settings(max_examples=30)
def test_a_voltage_does_not_depend_on_the_zero_of_energy(discharged, charged, ion, shift):
    empty = without(HOST, "Li", where="x")
    found = [
        cathode(
            "x", "Li", at_rest(HOST, discharged + more), at_rest(empty, charged + more),
            at_rest(metal("Li"), ion),
        )
        for more in (0.0, shift)
    ]  # fmt: skip
    assert found[0].voltage == pytest.approx(-(discharged - charged - ion))
    assert found[1].voltage == pytest.approx(found[0].voltage)
    assert found[0].formula == "LiCoO2"
    assert found[0].capacity == pytest.approx(273.8, abs=0.2)  # mAh/g, as everywhere
    assert found[0].energy_density == pytest.approx(found[0].voltage * found[0].capacity)
    assert found[0].volume_change == pytest.approx(0.0)


def test_a_voltage_is_per_electron_and_against_one_atom_of_the_metal():
    host = Geometry.of(bulk("MgO", "rocksalt", a=4.2).repeat((2, 1, 1)))
    empty = without(host, "Mg", where="x")
    assert len(metal("Mg").symbols) == 2
    found = cathode("x", "Mg", at_rest(host, -20.0), at_rest(empty, -10.0), at_rest(metal("Mg"), -3.0))
    assert found.ions == 2
    assert found.voltage == pytest.approx((20 - 10 + 2 * -1.5) / (2 * 2))  # two ions of two electrons
    assert found.capacity == pytest.approx(1330.0, abs=0.5)
    assert found.volume_discharged == pytest.approx(4.2**3 / 4)  # an atom of oxygen


def test_what_is_not_at_rest_has_no_voltage():
    host = Geometry.of(bulk("LiF", "rocksalt", a=4.0))
    empty = without(host, "Li", where="x")
    found = cathode(
        "x", "Li", at_rest(host, -1.0), at_rest(empty, None, "exploded"), at_rest(metal("Li"), -2)
    )
    assert (found.voltage, found.energy_density, found.volume_change) == (None, None, None)
    assert found.reason == "charged: exploded"


def test_cathodes_that_are_none():
    with pytest.raises(InputError, match="it has no Li"):
        without(Geometry.of(bulk("NaCl", "rocksalt", a=5.6)), "Li", where="salt")
    with pytest.raises(InputError, match="nothing but Li"):
        without(metal("Li"), "Li", where="metal")
    with pytest.raises(InputError, match="no metal is known for 'Xe'"):
        metal("Xe")
    assert all(metal(ion).symbols[0] == ion for ion in VALENCE)


def test_the_shortest_hop_moves_one_ion_by_the_nearest_distance():
    host = Geometry.of(bulk("NaCl", "rocksalt", a=5.6))
    first, last, hop = shortest_hop(host, "Na", length=7.0, where="salt")
    assert hop == pytest.approx(5.6 / np.sqrt(2))
    assert first.symbols == last.symbols
    before, after = first.atoms(), last.atoms()
    moved = np.linalg.norm(after.positions - before.positions, axis=1)
    assert (moved > 1e-6).sum() == 1
    assert first.symbols[int(moved.argmax())] == "Na"
    assert len(first.symbols) == 2 * np.prod(repeats(np.array(host.cell), 7.0)) - 1
    with pytest.raises(InputError, match="1 atoms of Na"):
        shortest_hop(host, "Na", length=1.0, where="salt")


@given(st.floats(0.005, 0.05), st.floats(0.98, 1.08))
@settings(max_examples=20)
def test_the_polarization_of_rigid_displacements(shift, stretch):
    parent = cubic("Ba", "Ti", "O", length=4.0)
    polar = displaced(parent, shift=shift, stretch=stretch)
    found = ferroelectric(
        "x", at_rest(parent, -1.0), at_rest(polar, -1.05), valences=[2, 4, -2],
        born=Charges(a=2.75, b=7.16, o_apical=-5.69, o_basal=-2.11, source="Zhong 1994"),
    )  # fmt: skip
    c = 4.0 * stretch
    dipole = (4 * shift + 3 * 2 * shift) * c  # neutral charges: no drift matters
    assert found.polarization_nominal == pytest.approx(MICROCOULOMB_CM2 * dipole / (16 * c))
    born = (7.16 + 5.69 + 2 * 2.11) * shift * c
    assert found.polarization_born == pytest.approx(MICROCOULOMB_CM2 * born / (16 * c))
    assert found.tetragonality == pytest.approx(stretch)
    assert found.energy_gain == pytest.approx(50.0)
    assert found.displacements["B"] - found.displacements["O apical"] == pytest.approx(2 * shift * c)
    moved = parent.atoms()
    moved.positions += (0.1, 0.2, 0.7)  # the crystal drifts as a whole
    still = ferroelectric("x", at_rest(parent, -1.0), at_rest(Geometry.of(moved), -1.0), valences=[2, 4, -2])
    assert not still.polar
    assert still.polarization_nominal == pytest.approx(0.0, abs=1e-9)
    assert still.polarization_born is None
    assert found.polar


def test_a_distortion_is_of_one_formula_unit_at_rest():
    parent = cubic("Ba", "Ti", "O", length=4.0)
    found = ferroelectric(
        "x", at_rest(parent, -1.0), at_rest(parent, -1.0, "out of steps"), valences=[2, 4, -2]
    )
    assert found.reason == "polar: out of steps"
    assert (found.polar, found.energy_gain, found.polarization_nominal) == (None, None, None)
    twice = Geometry.of(parent.atoms().repeat((1, 1, 2)))
    with pytest.raises(InputError, match="10 atoms"):
        ferroelectric("x", at_rest(parent, -1.0), at_rest(twice, -2.0), valences=[2, 4, -2])


def test_polymorphs_of_one_composition():
    one, other = (
        Geometry.of(bulk("NaCl", "rocksalt", a=5.6)),
        Geometry.of(bulk("NaCl", "cesiumchloride", a=3.4)),
    )
    twice = Geometry.of(bulk("NaCl", "rocksalt", a=5.6).repeat((2, 1, 1)))
    relaxed = {"rocksalt": at_rest(one, -7.0), "cesium": at_rest(other, -6.9), "twice": at_rest(twice, -14.0)}
    found = {each.name: each for each in polymorphs(relaxed, reference="rocksalt")}
    assert found["cesium"].energy == pytest.approx(0.1 * KJ_MOL)
    assert found["twice"].energy == pytest.approx(0.0)
    assert found["twice"].volume == pytest.approx(found["rocksalt"].volume)
    assert found["rocksalt"].density == pytest.approx(2.21, abs=0.02)
    assert found["twice"].framework_density == pytest.approx(1000 * 4 / 5.6**3)
    relaxed["cesium"] = at_rest(other, -6.9, "out of steps")
    found = {each.name: each for each in polymorphs(relaxed, reference="rocksalt")}
    assert (found["cesium"].energy, found["cesium"].reason) == (None, "cesium: out of steps")
    assert found["twice"].energy == pytest.approx(0.0)
    with pytest.raises(InputError, match="there is no 'quartz'"):
        polymorphs(relaxed, reference="quartz")
    with pytest.raises(InputError, match="'other' is LiF"):
        polymorphs(
            {**relaxed, "other": at_rest(Geometry.of(bulk("LiF", "rocksalt", a=4)), -1.0)}, reference="twice"
        )
