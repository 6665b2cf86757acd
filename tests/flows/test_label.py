"""Labels as jobs of the engine: a DFT code runs as several MPI ranks by the launcher of its site."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from ase.build import bulk
from jobflow import Flow
from processes_for_tests import two_workers

from zonemelt import run_flow
from zonemelt.tasks.label.jobs import label_job
from zonemelt.tasks.label.prepared import prepared
from zonemelt.tasks.label.settings import EspressoSettings
from zonemelt.tasks.records import Geometry, Record

if TYPE_CHECKING:
    from pathlib import Path

needs_qe = pytest.mark.skipif(not shutil.which("pw.x"), reason="no pw.x: run `make oracle ORACLE=qe`")
COARSE = EspressoSettings(protocol={"based_on": "fast", "kpoint_density": 0.9})


@pytest.mark.dft
@pytest.mark.mpi
@needs_qe
def test_two_ranks_give_the_numbers_of_one(tmp_path: Path) -> None:
    atoms = bulk("Si")
    atoms.rattle(0.05, seed=1)
    settings = prepared("qe", COARSE, elements=["Si"])
    jobs = []
    for ranks in (1, 2):
        made = label_job(
            identifier=f"ranks-{ranks}",
            geometry=Geometry.of(atoms).model_dump(mode="json"),
            oracle="qe",
            settings=settings,
        )
        made.update_config({"manager_config": {"launcher": "program", "ranks_per_node": ranks}})
        jobs.append(made)
    responses = run_flow(Flow(jobs), site=two_workers(), directory=tmp_path / "run")
    one, two = (Record.model_validate(responses[made.uuid][1].output) for made in jobs)
    assert two.energy_free == pytest.approx(one.energy_free, abs=1e-5)
    assert two.theory.key == one.theory.key
    logs = sorted((tmp_path / "run" / "jobs").rglob("espresso.pwo"))
    said = [next(line for line in log.read_text().splitlines() if "Parallel version" in line) for log in logs]
    assert sorted(line.split()[-2] for line in said) == ["1", "2"]
    assert any("K-points division:     npool     =       2" in log.read_text() for log in logs)
