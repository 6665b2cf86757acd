"""A validation from labels and references to one document; what is refused beforehand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from inline_runs import output_of

from zonemelt.flows.validate import ValidateMaker
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.potentials.validation.jobs import FIGURE, VALIDATION

pytest.importorskip("chgnet")

SALT = {
    "structure": {
        "space_group": "Fm-3m", "cell": {"a": 5.69}, "sites": {"Na": [[0, 0, 0]], "Cl": [[0.5, 0.5, 0.5]]},
    },
    "source": "experiment", "volume": 22.4, "bulk_modulus": 24.4,
}  # fmt: skip


def test_labels_and_references_in_one_document(tmp_path):
    atoms = bulk("NaCl", "rocksalt", a=5.6)
    atoms.calc = SinglePointCalculator(atoms, energy=-7.0, forces=np.zeros((2, 3)))
    atoms.write(tmp_path / "salt.extxyz")
    flow = ValidateMaker(
        potential="chgnet-0.3.0", labels={"source": str(tmp_path / "salt.extxyz")}, references={"NaCl": SALT},
        settings={"eos": {"points": 5, "force": 0.05}}, directory=str(tmp_path / "out"), dtype="float32",
    ).make()  # fmt: skip
    document = output_of(flow, tmp_path / "campaign")
    assert json.loads((tmp_path / "out" / VALIDATION).read_text()) == document
    assert (tmp_path / "out" / FIGURE).read_text().startswith("<?xml")
    assert document["errors"]["energy"]["count"] == 1
    volume, modulus = document["properties"]
    assert (volume["unit"], modulus["unit"]) == ("Å³/atom", "GPa")
    assert abs(volume["error"]) < 10
    assert abs(modulus["error"]) < 50


def test_what_cannot_be_is_said_before_anything_runs(tmp_path):
    for more, error, match in (
        ({}, InputError, "nothing to judge on"),
        ({"references": {"NaCl": {**SALT, "volum": 3}}}, UnknownKeyError, "did you mean 'volume'"),
        ({"references": {"NaCl": SALT}, "directory": "here"}, InputError, "not absolute"),
        ({"references": {"NaCl": SALT}, "settings": {"eos": {"point": 3}}}, UnknownKeyError, "'points'"),
        ({"references": {"NaCl": SALT}, "settings": {"eoss": {}}}, UnknownKeyError, "did you mean 'eos'"),
    ):
        with pytest.raises(error, match=match):
            ValidateMaker(**{"directory": str(tmp_path), **more}).make()
