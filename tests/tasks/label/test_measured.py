"""What is measured beside a label: right against an equation of state, and never at the cost of the label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.eos import EquationOfState

from zonemelt.tasks.errors import OracleError, UnknownKeyError
from zonemelt.tasks.label.by_ase import emt
from zonemelt.tasks.label.jobs import label_job
from zonemelt.tasks.label.measured import UNMEASURED, check_measures, with_measures
from zonemelt.tasks.label.settings import EmtSettings
from zonemelt.tasks.records import Geometry, Record


def label(geometry):
    return emt(geometry, EmtSettings(), identifier="x", workdir=Path())


def by_equation_of_state(metal, length):
    """Birch-Murnaghan through nine energies: eV/Å³."""
    volumes, energies = [], []
    for scale in np.linspace(0.99, 1.01, 9):
        atoms = bulk(metal, a=length * scale)
        atoms.calc = EMT()
        volumes.append(atoms.get_volume())
        energies.append(atoms.get_potential_energy())
    _, _, found = EquationOfState(volumes, energies, eos="birchmurnaghan").fit()
    return found


@pytest.mark.parametrize(("metal", "length"), [("Cu", 3.59), ("Al", 3.993), ("Pt", 3.92)])
def test_it_is_the_bulk_modulus_of_an_equation_of_state(tmp_path, monkeypatch, metal, length):
    monkeypatch.chdir(tmp_path)
    geometry = Geometry.of(bulk(metal, a=length)).model_dump(mode="json")
    document = label_job.original(
        identifier="x", geometry=geometry, oracle="emt", settings={}, measure=["bulk_modulus"]
    )
    found = Record.model_validate(document).properties["bulk_modulus"]
    assert found.unit == "eV/Å^3"
    assert found.value == pytest.approx(by_equation_of_state(metal, length), rel=0.03)
    plain = label_job.original(identifier="x", geometry=geometry, oracle="emt", settings={})
    assert plain["properties"] == {}
    assert plain["energy_free"] == document["energy_free"]


def test_it_does_not_depend_on_the_cell():
    atoms = bulk("NiAl", "cesiumchloride", a=2.9)
    values = []
    for one in (atoms, atoms.repeat((2, 1, 1)), atoms.repeat((1, 2, 2))):
        record = with_measures(label(Geometry.of(one)), ["bulk_modulus"], label)
        values.append(record.properties["bulk_modulus"].value)
    assert values == pytest.approx([values[0]] * 3, rel=1e-9)


def test_a_strained_cell_keeps_its_parent():
    geometry = Geometry.of(bulk("Cu") * (2, 1, 1), supercell=[[2, 0, 0], [0, 1, 0], [0, 0, 1]])
    asked = []

    def noted(strained):
        asked.append(strained.supercell)
        return label(strained)

    with_measures(label(geometry), ["bulk_modulus"], noted)
    assert asked == [geometry.supercell] * 2  # or no folded mesh of k-points could be made for it


def test_a_molecule_has_no_bulk_modulus_and_keeps_its_label():
    record = label(Geometry.of(molecule("N2")))
    found = with_measures(record, ["bulk_modulus"], label)
    assert found.energy_free == record.energy_free
    assert "not periodic" in found.properties[UNMEASURED].value


def test_what_cannot_be_measured_is_said_and_the_label_kept():
    record = label(Geometry.of(bulk("Cu")))

    def silent(geometry):
        return label(geometry).model_copy(update={"stress": None})

    def failing(geometry):
        raise OracleError("it is tired", where="x", remedy="let it rest")

    for oracle, said in ((silent, "bulk_modulus: it gives no stress"), (failing, "it is tired")):
        found = with_measures(record, ["bulk_modulus"], oracle)
        assert found.energy_free == record.energy_free
        assert set(found.properties) == {UNMEASURED}
        assert said in found.properties[UNMEASURED].value


def test_what_nobody_measures_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownKeyError, match="bulk_modulus"):
        check_measures(["bulk_moduls"])
