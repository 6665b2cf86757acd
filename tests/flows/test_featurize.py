"""Structures and datasets become shards: by jobs of one shard each, or by one job of several ranks."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk, molecule
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore

from zonemelt import run_flow
from zonemelt.flows.featurize import ShardsMaker
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.graphs import Edges, graphs_of
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.shards.jobs import chunks, shard_of
from zonemelt.tasks.shards.shard_set import INDEX, ShardSet

ATOMS = [bulk("Al"), bulk("Si"), molecule("H2O"), bulk("NaCl", "rocksalt", a=5.6)] * 2 + [bulk("Au")]
GEOMETRIES = [Geometry.of(atoms) for atoms in ATOMS]
DOCUMENTS = [geometry.model_dump(mode="json") for geometry in GEOMETRIES]
WHOLE = graphs_of(Crystals.of(GEOMETRIES), Edges(cutoff=5.0, k=6))


def check(directory, summary, shards):
    found = ShardSet(directory)
    assert summary == {
        "directory": str(directory), "name": found.name, "shards": shards, "graphs": 9,
        "atoms": len(WHOLE.crystals.numbers_A), "edges": len(WHOLE.neighbours),
        "nbytes": sum(path.stat().st_size for path in directory.glob("*.safetensors") if path.name != INDEX),
    }  # fmt: skip
    found.verify()
    read = found.read(slice(None))
    np.testing.assert_array_equal(read.neighbours.vectors_E3, WHOLE.neighbours.vectors_E3)
    np.testing.assert_array_equal(read.crystals.numbers_A, WHOLE.crystals.numbers_A)


def maker(directory, **more):
    return ShardsMaker(directory=str(directory), cutoff=5.0, k=6, graphs=4, **more)


def output(responses):
    """What the job of the index returned."""
    outputs = [one.output for found in responses.values() for one in found.values()]
    (found,) = [one for one in outputs if isinstance(one, dict) and isinstance(one.get("shards"), int)]
    return found


def test_jobflow_runs_it(tmp_path):
    flow = maker(tmp_path / "shards").make(DOCUMENTS)
    responses = run_locally(flow, store=JobStore(MemoryStore()), ensure_success=True, log=False)
    check(tmp_path / "shards", output(responses), 3)


def test_the_engine_runs_it(tmp_path):
    flow = maker(tmp_path / "shards").make(DOCUMENTS)
    responses = run_flow(flow, site="inline", directory=tmp_path / "campaign")
    check(tmp_path / "shards", output(responses), 3)


@pytest.fixture
def dataset(tmp_path):
    """A dataset of the nine structures in two parts; the energy of the second is absent."""
    from zonemelt.tasks.datasets import commit, write_part
    from zonemelt.tasks.records import Convergence, Ingested, Record
    from zonemelt.tasks.theory import Theory

    records = [
        Record(
            identifier=f"r{number}", geometry=geometry, theory=Theory(code="toy"),
            energy_free=None if number == 1 else -float(number), energy_sigma0=-number - 0.5,
            forces=[[0.5 * number, 0.0, 0.0]] * len(geometry.symbols), stress=None,
            convergence=Convergence(electronic=True, ionic=None, complete=True),
            provenance=Ingested(source="nowhere", calculation=f"c{number}", parser="none"),
        )
        for number, geometry in enumerate(GEOMETRIES)
    ]  # fmt: skip
    directory = tmp_path / "dataset"
    parts = [write_part(directory, records[:5]), write_part(directory, records[5:])]
    commit(directory, parts, message="nine")
    return directory


def test_a_dataset_becomes_shards(dataset, tmp_path):
    from zonemelt.tasks.datasets import open_dataset

    flow = maker(tmp_path / "shards").make(dataset=str(dataset))
    responses = run_flow(flow, site="inline", directory=tmp_path / "campaign")
    summary = output(responses)
    assert (summary["graphs"], summary["shards"]) == (9, 3)
    read = ShardSet(tmp_path / "shards").read(slice(None))
    opened = open_dataset(dataset)
    records = list(opened.records())
    np.testing.assert_array_equal(read.crystals.sizes_G, [len(r.geometry.symbols) for r in records])
    expected = [np.nan if r.energy_free is None else r.energy_free for r in records]
    np.testing.assert_array_equal(read.labels_G["energy_free"], expected)
    np.testing.assert_array_equal(read.labels_A["forces"], np.concatenate([r.forces for r in records]))
    assert np.isnan(read.labels_G["stress"]).all()
    assert np.isnan(expected).sum() == 1


def test_what_is_wrong_is_named(dataset, tmp_path):
    (source,) = chunks(str(dataset), "", records=9, graphs=9)
    source["version"] = None
    with pytest.raises(InputError, match=r"from row 0: cutoff: a cutoff of -1\.0 Å"):
        shard_of(source, edges=Edges(cutoff=-1.0), directory=tmp_path)
    for given in ({}, {"geometries": DOCUMENTS, "dataset": "d"}):
        with pytest.raises(InputError, match="geometries or a dataset"):
            maker(tmp_path).make(**given)
    with pytest.raises(InputError, match="absolute path"):
        maker("shards").make(DOCUMENTS)
    with pytest.raises(InputError, match="0 graphs in a shard"):
        ShardsMaker(directory=str(tmp_path), graphs=0).make(DOCUMENTS)
    for edges in ({"cutoff": -1.0}, {"k": 0}):
        with pytest.raises(InputError, match="give a cutoff above 0 Å"):
            ShardsMaker(directory=str(tmp_path), **edges).make(DOCUMENTS)


needs_mpi = pytest.mark.skipif(
    shutil.which("mpiexec", path=str(Path(sys.executable).parent)) is None, reason="there is no mpiexec"
)
RANKS = """
    import json
    from pathlib import Path
    from mpi4py import MPI
    from zonemelt.tasks.shards.jobs import shards_of_ranks_job

    assert MPI.COMM_WORLD.Get_size() == 2
    found = []
    for given in json.loads(Path("given.json").read_text()):
        try:
            found.append(shards_of_ranks_job.original(**given))
        except Exception as error:
            found.append({"error": str(error)})
    Path(f"rank-{MPI.COMM_WORLD.Get_rank()}.json").write_text(json.dumps(found))
"""


@needs_mpi
@pytest.mark.mpi
def test_ranks_share_the_shards(tmp_path):
    from zonemelt.workflows.engine.launch import mpi_command

    wrong = {**DOCUMENTS[0], "positions": [[0.0, 0.0, None]]}
    given = []
    for place, documents in (("shards", DOCUMENTS), ("wrong", [*DOCUMENTS[:4], wrong])):
        (job,) = maker(tmp_path / place, ranks_per_node=2).make(documents).jobs
        assert job.config.manager_config == {"nodes": 1, "ranks_per_node": 2}
        given.append(job.function_kwargs)
    (tmp_path / "given.json").write_text(json.dumps(given))
    (tmp_path / "ranks.py").write_text(textwrap.dedent(RANKS))
    command = [*mpi_command(2, beside=Path(sys.executable).parent), sys.executable, "ranks.py"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    ranks = [json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in range(2)]
    assert ranks[0] == ranks[1]
    done, failed = ranks[0]
    check(tmp_path / "shards", done, 3)
    assert "position" in failed["error"]  # on both: no rank waits for the other
    assert not (tmp_path / "wrong" / INDEX).exists()
