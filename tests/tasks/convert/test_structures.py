"""Records and pymatgen structures."""

import numpy as np
import pytest
from hypothesis import given, settings
from pymatgen.core import DummySpecies, Lattice, Molecule, Structure
from records_for_tests import records

from zonemelt.tasks.convert.structures import geometry_of_structure, record_of_structure, structure_of
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Record


@settings(max_examples=15)
@given(record=records(periodic=True))
def test_a_record_survives_but_for_the_last_digit_of_positions(record: Record) -> None:
    structure = structure_of(record)
    back = record_of_structure(structure)
    assert np.allclose(back.geometry.positions, record.geometry.positions, atol=1e-12)
    same = back.geometry.model_copy(update={"positions": record.geometry.positions})
    assert back.model_copy(update={"geometry": same}) == record
    again = record_of_structure(Structure.from_dict(structure.as_dict()))
    assert again == back


@settings(max_examples=5)
@given(record=records(periodic=True))
def test_labels_are_where_pymatgen_keeps_them(record: Record) -> None:
    structure = structure_of(record)
    assert structure.properties.get("energy_free") == record.energy_free
    assert ("forces" in structure.site_properties) == (record.forces is not None)
    assert ("magmom" in structure.site_properties) == (record.magmoms is not None)


def test_a_structure_of_another_origin_is_no_record() -> None:
    with pytest.raises(InputError, match="no property 'zonemelt'"):
        record_of_structure(Structure(Lattice.cubic(3), ["Cu"], [[0, 0, 0]]))


def test_charges_of_species_are_left_aside() -> None:
    structure = Structure(Lattice.cubic(4), ["Na+", "Cl-"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    structure.add_spin_by_element({"Na": 1, "Cl": 0})
    for form in (structure, structure.as_dict()):
        assert geometry_of_structure(form, where="x").symbols == ("Na", "Cl")


def test_a_molecule_has_no_cell() -> None:
    molecule = Molecule(["O", "H"], [[0, 0, 0], [0, 0, 1]])
    for form in (molecule, molecule.as_dict()):
        geometry = geometry_of_structure(form, where="x")
        assert geometry.periodic == (False, False, False)
        assert geometry.positions == ((0, 0, 0), (0, 0, 1))


@pytest.mark.parametrize(
    ("species", "words"),
    [
        ({"Cu": 0.5, "Au": 0.5}, "Cu0.5 Au0.5"),
        ({"Cu": 0.5}, "Cu0.5"),
        (DummySpecies("X"), "X0?: no such element"),
    ],
)
def test_shared_and_empty_sites_are_refused(species: object, words: str) -> None:
    structure = Structure(Lattice.cubic(3), [species], [[0, 0, 0]])
    with pytest.raises(InputError, match=words):
        geometry_of_structure(structure, where="x")


COPPER = [{"element": "Cu", "occu": 1}]


@pytest.mark.parametrize(
    "junk",
    [
        None,
        5,
        "Cu",
        {},
        {"sites": 1},
        {"sites": [{}]},
        {"sites": [{"species": [1]}]},
        {"sites": [{"species": [{"element": "Cu", "occu": "1"}], "xyz": [0, 0, 0]}]},
        {"sites": [{"species": COPPER, "abc": ["a", "b", "c"]}], "lattice": {"matrix": np.eye(3).tolist()}},
        {"sites": [{"species": COPPER, "abc": [0, 0, 0]}], "lattice": [1, 2, 3]},
        {"sites": [{"species": COPPER, "abc": [0, 0]}], "lattice": {"matrix": np.eye(3).tolist()}},
    ],
)
def test_what_is_no_structure_is_refused(junk: object) -> None:
    with pytest.raises(InputError, match=r"x: (it|there) is no structure"):
        geometry_of_structure(junk, where="x")


def test_nothing_that_a_dictionary_names_is_imported() -> None:
    document = Structure(Lattice.cubic(3), ["Cu"], [[0, 0, 0]]).as_dict()
    document["sites"][0]["properties"] = {"bad": {"@module": "does.not.exist", "@class": "Boom"}}
    assert geometry_of_structure(document, where="x").symbols == ("Cu",)
