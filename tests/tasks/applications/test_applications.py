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
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.units import KJ_MOL, MICROCOULOMB_CM2
from zonemelt.tasks.written_structures import written

SALT = {"space_group": "Fm-3m", "cell": {"a": 5.64}, "sites": {"Na": [[0, 0, 0]], "Cl": [[0.5, 0.5, 0.5]]}}

HOST = Geometry.of(
    Atoms(
        "LiCoO2", scaled_positions=[(0.5, 0.5, 0.5), (0, 0, 0), (0.26, 0.26, 0.26), (0.74, 0.74, 0.74)],
        cell=[[0, 2.4, 2.4], [2.4, 0, 2.4], [2.4, 2.4, 0]], pbc=True,
    )
)  # fmt: skip


def at_rest(geometry, energy, outcome="converged"):
    return {"geometry": geometry.model_dump(mode="json"), "energy": energy, "outcome": outcome}


def test_a_structure_as_a_person_writes_it():
    salt = written(SALT, where="salt").atoms()
    assert salt.get_chemical_formula() == "ClNa"
    assert salt.get_volume() == pytest.approx(5.64**3 / 4)
    whole = written({**SALT, "primitive": False}, where="salt")
    assert len(whole.symbols) == 8
    # a special place written with few digits is one place
    quartz = {"space_group": 154, "cell": {"a": 4.91, "c": 5.41},
              "sites": {"Si": [[0.47, 0, 0.667]], "O": [[0.414, 0.268, 0.7854]]}}  # fmt: skip
    assert written(quartz, where="quartz").atoms().get_chemical_formula() == "O6Si3"


def test_a_structure_from_a_file(tmp_path):
    bulk("NaCl", "rocksalt", a=5.6).write(tmp_path / "salt.cif")
    assert sorted(written({"file": str(tmp_path / "salt.cif")}, where="x").symbols) == ["Cl", "Na"]
    (tmp_path / "no.cif").write_text("nothing")
    with pytest.raises(InputError):
        written({"file": str(tmp_path / "no.cif")}, where="x")


@pytest.mark.parametrize(
    ("document", "match"),
    [
        ({**SALT, "spacegroup": 1}, "did you mean 'space_group'"),
        ({"cell": {"a": 3.0}}, "give a file, or space_group"),
        ({**SALT, "space_group": "Fm-3q"}, "pymatgen cannot make it"),
        ({**SALT, "cell": {"aa": 5.64}}, "has no 'aa'"),
        ({**SALT, "space_group": "Pnma"}, "needs lengths a, b and c"),
        ({**SALT, "space_group": 14, "cell": {"a": 5.0, "b": 5.1, "c": 5.2}}, "monoclinic cell needs beta"),
        (
            {**SALT, "space_group": 2, "cell": {"a": 5.0, "b": 5.1, "c": 5.2, "beta": 95}},
            "triclinic cell needs alpha and gamma",
        ),
    ],
)
def test_structures_that_are_none(document, match):
    with pytest.raises(InputError, match=match):
        written(document, where="salt")


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


def test_what_is_not_at_rest_has_no_voltage():
    host = Geometry.of(bulk("LiF", "rocksalt", a=4.0))
    empty = without(host, "Li", where="x")
    found = cathode(
        "x", "Li", at_rest(host, -1.0), at_rest(empty, None, "exploded"), at_rest(metal("Li"), -2)
    )
    assert found.voltage is None
    assert found.reason == "charged: exploded"


def test_cathodes_that_are_none():
    with pytest.raises(InputError, match="it has no Li"):
        without(written(SALT, where="x"), "Li", where="salt")
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
    assert found.polarization_born > found.polarization_nominal
    assert found.tetragonality == pytest.approx(stretch)
    assert found.energy_gain == pytest.approx(50.0)
    assert found.displacements["B"] - found.displacements["O apical"] == pytest.approx(2 * shift * c)
    moved = parent.atoms()
    moved.positions += (0.1, 0.2, 0.7)  # the crystal drifts as a whole
    still = ferroelectric("x", at_rest(parent, -1.0), at_rest(Geometry.of(moved), -1.0), valences=[2, 4, -2])
    assert not still.polar
    assert still.polarization_nominal == pytest.approx(0.0, abs=1e-9)
    assert still.polarization_born is None


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
    with pytest.raises(InputError, match="there is no 'quartz'"):
        polymorphs(relaxed, reference="quartz")
    with pytest.raises(InputError, match="'other' is LiF"):
        polymorphs(
            {**relaxed, "other": at_rest(Geometry.of(bulk("LiF", "rocksalt", a=4)), -1.0)}, reference="twice"
        )


def test_unknown_keys_name_the_nearest():
    with pytest.raises(UnknownKeyError, match="did you mean 'sites'"):
        written({"site": {}, "space_group": 1}, where="x")
