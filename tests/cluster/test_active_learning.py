"""Active learning on a real SLURM: DFT under MPI in one pool, trainings in another."""

from __future__ import annotations

import shutil
import sqlite3

import pytest
from cluster.campaigns_on_slurm import TESTS, slurm_site
from cluster.modes import needs_slurm
from relabelling_for_tests import result

from zonemelt import run_flow
from zonemelt.sites.site import Launch, Pool
from zonemelt.tasks.datasets import open_dataset
from zonemelt.workflows.campaigns.spec import build_flow, load_campaign

pytestmark = [
    *needs_slurm,
    pytest.mark.slow,
    pytest.mark.dft,
    pytest.mark.timeout(3000),
    pytest.mark.skipif(shutil.which("pw.x") is None, reason="Quantum ESPRESSO's pw.x is not installed"),
]

ALUMINIUM = {
    "name": "aluminium",
    "structures": [{"bulk": "Al", "crystal": "fcc", "a": 3.98, "cubic": True}],
    "oracle": "qe",
    "initial": 5,
    "heldout": 4,
    "committee": {"members": 2, "basis": {"cutoff": 5.0, "radial": 4, "degree": 2}},
    "explore": {"shake": {"explorer": "deform", "copies": 8, "displacement": 0.15, "strain": 0.04}},
    "batch": 3,
    "stop": {"rounds": 1},
    "resources": {"label": {"pool": "dft", "ranks_per_node": 2}, "train": {"pool": "train"}},
}


def two_pools():
    """One node for trainings and all that is small, one for DFT: a label has its block to itself."""
    environment = {"PYTHONPATH": str(TESTS)}
    small = slurm_site(nodes_per_block=1).pools["cpu"]
    dft = Pool(
        partition="cpu", nodes_per_block=1, max_blocks=1, walltime="00:40:00", exclusive=False,
        drain="00:00:30", whole_block=True, cores=4, environment=environment,
        launch=Launch(program="srun", mpi="mpirun"),
    )  # fmt: skip
    return slurm_site().model_copy(update={"pools": {"train": small, "dft": dft}})


def test_labels_and_trainings_in_pools_of_their_own(slurm, tmp_path):
    flow = build_flow(load_campaign("al_potential", ALUMINIUM))
    run_flow(flow, site=two_pools(), directory=tmp_path / "c", ensure_success=True)
    said = result(tmp_path / "c")
    with sqlite3.connect(tmp_path / "c" / "ledger.db") as connection:
        pools = dict(connection.execute("SELECT name, pool FROM jobs GROUP BY name"))
        hosts = {
            pool: {host for (host,) in connection.execute(
                "SELECT DISTINCT json_extract(data, '$.host') FROM events JOIN jobs ON jobs.id = events.job"
                " WHERE events.kind = 'done' AND pool = ?", (pool,),
            )}
            for pool in ("train", "dft")
        }  # fmt: skip
    assert {pool for name, pool in pools.items() if name.startswith("label ")} == {"dft"}
    assert {pool for name, pool in pools.items() if not name.startswith("label ")} == {"train"}
    print({"hosts": hosts, "rounds": [one["heldout"] for one in said["rounds"]]})
    (theory,) = open_dataset(tmp_path / "c" / "dataset").theories.values()
    assert theory.is_dft
    assert said["records"] == 5 + 2 * 3
