"""Exported potentials give the same energies and forces in a process that knows nothing of zonemelt."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from trained_potentials_for_tests import fit, labelled

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.potentials.exported import export_torchscript
from zonemelt.tasks.potentials.load import load_potential

pytest.importorskip("sevenn")

# What pair_e3gnn.cpp does: types, edges, and the slope of the energy along every edge.
PROGRAM = """
import json, sys
import torch
from ase.io import read
from ase.neighborlist import neighbor_list
about = {"chemical_symbols_to_index": "", "cutoff": ""}
model = torch.jit.load(sys.argv[1], _extra_files=about)
assert "zonemelt" not in sys.modules
text = lambda value: value.decode() if isinstance(value, bytes) else value
types = text(about["chemical_symbols_to_index"]).split()
atoms = read(sys.argv[2])
i, j, vectors = neighbor_list("ijD", atoms, float(text(about["cutoff"])))
vectors = torch.tensor(vectors, dtype=torch.float32, requires_grad=True)
index = torch.tensor([i.tolist(), j.tolist()])
kinds = torch.tensor([types.index(symbol) for symbol in atoms.symbols])
found = model({"x": kinds, "edge_index": index, "edge_vec": vectors,
               "num_atoms": torch.tensor([len(atoms)]), "nlocal": torch.tensor([len(atoms)])})
energy = found["inferred_total_energy"].squeeze()
slopes = torch.autograd.grad(energy, vectors)[0]
forces = torch.zeros(len(atoms), 3).index_add(0, index[0], slopes).index_add(0, index[1], slopes, alpha=-1)
print(json.dumps({"energy": float(energy), "forces": forces.tolist()}))
"""


def in_another_process(file, atoms, folder):
    atoms.write(folder / "some.extxyz")
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(file), str(folder / "some.extxyz")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def same(name, file, atoms, folder):
    said = in_another_process(file, atoms, folder)
    own = load_potential(name).evaluate(Crystals.of_atoms([atoms]))
    assert said["energy"] == pytest.approx(own.energies_G[0], abs=2e-5 * len(atoms))
    np.testing.assert_allclose(said["forces"], own.forces_A3, atol=2e-4)
    assert np.abs(own.forces_A3).max() > 0.05


def test_an_export_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def half(checkpoint, fname, modal=None):
        Path(fname).write_bytes(b"half")
        raise RuntimeError("no")

    monkeypatch.setattr("sevenn.scripts.deploy.deploy", half)
    with pytest.raises(RuntimeError, match="no"):
        export_torchscript("sevennet-0", tmp_path / "s.pt")
    assert list(tmp_path.iterdir()) == []


def test_a_published_sevennet(tmp_path):
    found = export_torchscript("sevennet-0", tmp_path / "s.pt")
    assert found["pair_style"] == "e3gnn"
    assert {"Na", "Cl"} <= set(found["elements"])
    atoms = bulk("NaCl", "rocksalt", a=5.6)
    atoms.rattle(0.1, seed=1)
    same("sevennet-0", tmp_path / "s.pt", atoms, tmp_path)
    assert not list(tmp_path.glob(".*"))


def test_a_network_trained_here(tmp_path):
    fit(labelled(), tmp_path / "net", settings={"epochs": 1, "precision": "fp32"})
    found = export_torchscript(str(tmp_path / "net"), tmp_path / "net.pt")
    assert found["elements"] == ["Al", "Cu"]
    atoms = bulk("Cu", cubic=True, a=3.7)
    atoms.symbols[0] = "Al"
    atoms.rattle(0.2, seed=1)
    same(str(tmp_path / "net"), tmp_path / "net.pt", atoms, tmp_path)


def test_what_no_library_offers(tmp_path):
    for name, path, match in (
        ("chgnet-0.3.0", "x.pt", "chgnet offers no pair style"),
        ("mace:medium", "x.pt", "mace_create_lammps_model"),
        ("sevennet-0", "x.txt", "ends in .pt"),
        ("sevennet-9", "x.pt", "did you mean"),
    ):
        with pytest.raises(InputError, match=match):
            export_torchscript(name, tmp_path / path)
