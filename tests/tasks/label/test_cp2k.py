"""CP2K by atomate2's maker: a molecule in a box, small enough for a test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

DATA = Path("/usr/share/cp2k")
LABEL = """
import json, sys
from pathlib import Path
from zonemelt.tasks.label.by_atomate2 import label
from zonemelt.tasks.label.settings import Cp2kSettings
from zonemelt.tasks.records import Geometry

settings = Cp2kSettings(changes={"user_input_settings": {"cutoff": 250, "rel_cutoff": 40}})
geometry = Geometry.model_validate_json(sys.stdin.read())
record = label(geometry, settings, identifier="h2", workdir=Path("run").resolve())
Path("record.json").write_text(record.model_dump_json())
"""


@pytest.mark.slow
@pytest.mark.dft
@pytest.mark.skipif(not shutil.which("cp2k.psmp") or not DATA.is_dir(), reason="CP2K is not installed")
def test_a_stretched_molecule_is_pulled_together(tmp_path):
    from zonemelt.tasks.records import Geometry, Record

    pmg = Path(sys.executable).with_name("pmg")
    subprocess.run([pmg, "config", "--cp2k", DATA, tmp_path / "data"], check=True, capture_output=True)
    (tmp_path / "run").mkdir()
    atoms = Atoms("H2", positions=[(0, 0, 0), (0, 0, 0.9)], cell=[6, 6, 6], pbc=True)
    own = {"PMG_CP2K_DATA_DIR": str(tmp_path / "data"), "PMG_DEFAULT_CP2K_FUNCTIONAL": "PBE"}
    subprocess.run(
        [sys.executable, "-c", LABEL], input=Geometry.of(atoms).model_dump_json(), text=True, check=True,
        cwd=tmp_path, env={k: v for k, v in os.environ.items() if k != "CP2K_DATA_DIR"} | own, timeout=500,
    )  # fmt: skip
    record = Record.model_validate_json((tmp_path / "record.json").read_text())
    assert record.theory.code == "cp2k"
    assert record.theory.functional == "PBE"
    assert record.energy_free == pytest.approx(-31.5, abs=0.5)  # two hydrogen atoms: -27.2 eV, bond: -4.5 eV
    assert record.forces[0][2] > 1
    np.testing.assert_allclose(np.sum(record.forces, axis=0), 0, atol=0.05)
