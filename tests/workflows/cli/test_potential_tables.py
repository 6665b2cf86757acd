"""What potentials say and how good they are, on paper: units, what was refused, and what is left out."""

from __future__ import annotations

import io

import numpy as np
import pytest
from ase.build import bulk
from rich.console import Console

from zonemelt.tasks.potentials.ask import Asked
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.units import GPA
from zonemelt.workflows.cli import potential_tables as tables


@pytest.fixture
def paper():
    """A console, and what was written on it."""
    console = Console(file=io.StringIO(), width=220)
    return console, console.file.getvalue


def errors(mae):
    return {"forces": {"mae": mae, "rmse": 2 * mae, "largest": 3 * mae, "count": 1200}}


def validation(**changes):
    return {
        "labels": {"judged": 10, "atoms": 400, "source": "salt", "theory": "VASP PBE"},
        "potential": {"theory": "VASP r2SCAN"}, "same_theory": True,
        "errors": {**errors(0.05), "stress": errors(1 / GPA)["forces"]},
        "by_type": {"bulk": errors(0.01)},
        "by_element": {"Na": errors(0.02)["forces"], "Cl": errors(0.08)["forces"]},
        "refused": {"count": 2, "first": [{"name": "fe.cif", "reason": "it does not know Fe"}]},
        "figure": "parity.svg",
        **changes,
    }  # fmt: skip


def test_errors_have_the_units_that_people_use(paper):
    console, text = paper
    tables.print_validation(console, validation())
    said = text()
    assert "10 structures, 400 atoms of salt" in said
    assert "50 meV/Å" in said
    assert "1 GPa" in said
    assert "bulk" in said
    assert "80" in said  # meV/Å, on chlorine
    assert "2 structures were refused: fe.cif: it does not know Fe" in said
    assert "figure parity.svg" in said
    assert "aligned" not in said


def test_labels_of_another_level_are_told(paper):
    console, text = paper
    tables.print_validation(console, validation(same_theory=False))
    assert "the labels are VASP PBE, the potential is VASP r2SCAN: only aligned energies mean" in text()


def test_properties_beside_their_references(paper):
    console, text = paper
    row = {
        "crystal": "NaCl", "property": "bulk modulus", "unit": "GPa", "reference": 24.4,
        "source": "experiment", "reason": None,
    }  # fmt: skip
    rows = [
        row | {"potential": 26.84, "error": 10.0},
        row | {"potential": None, "error": None, "reason": "no minimum among the volumes"},
    ]
    tables.print_validation(console, {"properties": rows})
    assert "26.84 GPa" in text()
    assert "+10.0 %" in text()
    assert "no minimum among the volumes" in text()


def test_long_tables_say_what_they_leave_out(paper):
    console, text = paper
    one = {
        "name": "a", "formula": "Cu4", "natoms": 4, "energy": -16.0, "volume": 11.5, "force": 0.01,
        "steps": 7, "outcome": "converged",
    }  # fmt: skip
    most = tables.MOST
    tables.print_relaxed(
        console, {"file": "relaxed.extxyz", "structures": [one | {"energy": None}] + [one] * (most + 2)}
    )
    assert "-4" in text()  # eV/atom
    assert "and 3 more" in text()
    copper = Asked(
        name="cu",
        geometry=Geometry.of(bulk("Cu")),
        energy=-4.0,
        forces_N3=np.zeros((1, 3)),
        energy_spread=0.01,
    )
    console.print(
        tables.evaluated_table([copper, Asked(name="fe", refused="does not know Fe")] + [copper] * most)
    )
    assert "energy spread" in text()
    assert "force spread" not in text()  # nobody has one
    assert "does not know Fe" in text()
    assert "and 2 more: --out FILE has all" in text()


def test_simulations_and_where_their_frames_are(paper):
    console, text = paper
    one = {
        "name": "salt", "end": "finished", "steps": 100, "temperature": 301.2, "energy": -3.4, "volume": 22.1,
        "pressure": 0.1, "drift": None, "spread": None, "trajectory": "runs/salt", "extxyz": None,
    }  # fmt: skip
    tables.print_simulated(console, {"structures": [one, one | {"extxyz": "runs/salt.extxyz"}]})
    said = text()
    assert "301.2" in said
    assert said.rstrip().endswith("runs/salt\nruns/salt.extxyz")
