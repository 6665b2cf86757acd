"""Structures as a person writes them into a campaign, and what is said of those that are none."""

from __future__ import annotations

import pytest
from ase.build import bulk

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.written_structures import written

SALT = {"space_group": "Fm-3m", "cell": {"a": 5.64}, "sites": {"Na": [[0, 0, 0]], "Cl": [[0.5, 0.5, 0.5]]}}


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
    with pytest.raises(InputError, match=r"no\.cif: no block has atom sites"):
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


def test_unknown_keys_name_the_nearest():
    with pytest.raises(UnknownKeyError, match="did you mean 'sites'"):
        written({"site": {}, "space_group": 1}, where="x")
