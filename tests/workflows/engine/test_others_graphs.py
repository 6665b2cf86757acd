"""Flows of atomate2 and quacc, unchanged, in worker processes: the documents that ``run_locally`` leaves."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from replayed_vasp import RECORDED, potentials

TESTS = Path(__file__).parents[2]
DATA = Path(os.environ.get("ZONEMELT_DATA") or TESTS.parents[1] / "shared" / "data")
VASP = DATA / "07_dft_outputs" / "vasp" / "atomate2"

needs_quacc = pytest.mark.skipif(importlib.util.find_spec("quacc") is None, reason="quacc is not installed")
needs_recorded = pytest.mark.skipif(not VASP.is_dir(), reason="no recorded VASP runs in $ZONEMELT_DATA")

GRAPHS = [
    pytest.param("quacc_relax", 50, marks=[needs_quacc]),
    pytest.param("quacc_two_jobs", 100, marks=[needs_quacc, pytest.mark.slow]),
    pytest.param("quacc_slabs", 500, marks=[needs_quacc, pytest.mark.slow]),
    pytest.param("quacc_dynamics", 100, marks=[needs_quacc, pytest.mark.slow]),
    pytest.param("atomate2_dynamics", 100, marks=[pytest.mark.slow]),
    pytest.param("atomate2_band", 100, marks=[pytest.mark.slow]),
    pytest.param("atomate2_eos", 500, marks=[pytest.mark.slow]),
    pytest.param("atomate2_phonons", 100, marks=[pytest.mark.slow]),
    pytest.param("vasp_double_relax", 1000, marks=[needs_recorded, pytest.mark.slow]),
    pytest.param("vasp_elastic", 5000, marks=[needs_recorded, pytest.mark.slow]),
    pytest.param("vasp_matpes", 1000, marks=[needs_recorded, pytest.mark.slow]),
    pytest.param("vasp_mp_static", 1000, marks=[needs_recorded, pytest.mark.slow]),
]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("name", "least"), GRAPHS)
def test_same_as_run_locally(name, least, tmp_path):
    potentials(tmp_path / "psp", {"Si": 4})
    environment = {
        **os.environ,
        "PYTHONPATH": str(TESTS),
        "OMP_NUM_THREADS": "1",
        "QUACC_WORKFLOW_ENGINE": "jobflow",
        "ATOMATE2_VASP_CMD": f"{sys.executable} {TESTS / 'replayed_vasp.py'}",
        "ATOMATE2_VASP_GAMMA_CMD": f"{sys.executable} {TESTS / 'replayed_vasp.py'}",
        "PMG_VASP_PSP_DIR": str(tmp_path / "psp"),
        RECORDED: str(VASP),
    }
    done = subprocess.run(
        [sys.executable, TESTS / "others_graphs.py", name, tmp_path], cwd=tmp_path, env=environment,
        capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-5000:]}"
    compared = re.search(r"(\d+) numbers and words are equal", done.stdout)
    assert compared
    assert int(compared[1]) > least
