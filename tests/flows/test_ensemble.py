"""Members as parallel jobs, one of which may fail, and the ensemble that is made of the others."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ase.build import bulk
from jobflow import Flow, JobStore, job, run_locally
from labels_for_tests import record_of
from maggma.stores import MemoryStore

from zonemelt.flows.ensemble import EnsembleMaker
from zonemelt.flows.train import TrainMaker
from zonemelt.tasks.datasets import commit, open_dataset, write_part
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.graphs import Edges
from zonemelt.tasks.records import Property, Quality
from zonemelt.tasks.shards.jobs import shard_of
from zonemelt.tasks.shards.shard_set import write_index
from zonemelt.tasks.train.predictor import open_model

NETWORK = {"architecture": "cgcnn", "width": 8, "layers": 1, "hidden": 8, "cutoff": 5.0}
SPLIT = {"train": list(range(0, 36, 2)), "validation": list(range(1, 36, 2))}


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    directory = tmp_path_factory.mktemp("collection")
    records = []
    for number, a in enumerate(np.linspace(3.8, 4.4, 36)):
        atoms = bulk("Al", "fcc", a=a)
        volume = {"volume": Property(value=atoms.get_volume(), unit="Å³")}
        records.append(record_of(atoms, f"al{number}", properties=volume, quality=Quality(accepted=True)))
    commit(directory / "dataset", [write_part(directory / "dataset", records)], message="made for a test")
    opened = open_dataset(directory / "dataset")
    source = {"dataset": str(directory / "dataset"), "version": opened.version, "start": 0, "stop": 36}
    shards = directory / "shards"
    write_index(shards, [shard_of(source, edges=Edges(cutoff=5.0), directory=shards)])
    return {
        "shards": str(shards), "dataset": str(directory / "dataset"), "version": opened.version,
        "properties": ["volume"],
    }  # fmt: skip


def maker(directory, **more):
    train = TrainMaker(
        architecture=NETWORK,
        settings={"seed": 7, "epochs": 3, "batch_size": 6},
        device="cpu",
        loss="gaussian",
    )
    return EnsembleMaker(train=train, members=3, directory=str(directory), **more)


def run(flow):
    store = JobStore(MemoryStore())
    run_locally(flow, store=store, log=False)
    return {one["name"]: one["output"] for one in store.query({}, load=True)}


@pytest.fixture
def runs_in(tmp_path, monkeypatch):
    (tmp_path / "jobs").mkdir()
    monkeypatch.chdir(tmp_path / "jobs")
    return tmp_path / "model"


def test_members_with_seeds_of_their_own_become_one_model(collection, runs_in):
    outputs = run(maker(runs_in).make(collection, SPLIT))
    assert [outputs[f"train {n}"]["card"]["training"]["seed"] for n in range(3)] == [7, 8, 9]
    assert len({outputs[f"train {n}"]["weights"] for n in range(3)}) == 3
    card = outputs["assemble"]["card"]
    assert [member["weights"] for member in card["members"]] == [
        outputs[f"train {n}"]["weights"] for n in range(3)
    ]
    assert list(card["failed"]) == []
    opened = open_model(runs_in)
    assert json.loads(opened.card.model_dump_json()) == json.loads(json.dumps(card))
    assert opened.uncertainty["volume"].report.samples == 18


def spoil(directory, number):
    """Let a training fail: where its folder should be is a file."""
    directory.mkdir(exist_ok=True)
    (directory / f"member-{number}").write_text("in the way")


def test_it_goes_on_without_a_member_that_failed(collection, runs_in):
    spoil(runs_in, 1)
    outputs = run(maker(runs_in).make(collection, SPLIT))
    assert "train 1" not in outputs
    card = outputs["assemble"]["card"]
    assert [member["folder"] for member in card["members"]] == ["member-0", "member-2"]
    assert list(card["failed"]) == ["member-1"]
    assert open_model(runs_in).card.failed == ("member-1",)


def test_it_does_not_go_on_with_too_few(collection, runs_in):
    spoil(runs_in, 1)
    outputs = run(maker(runs_in, least=3).make(collection, SPLIT))
    assert set(outputs) == {"train 0", "train 2"}
    assert not (runs_in / "ensemble.json").exists()


@job
def given(value):
    return value


def test_collection_and_split_may_be_outputs_of_jobs(collection, runs_in):
    first, second = given(collection), given(SPLIT)
    flow = maker(runs_in, least=1).make(first.output, second.output)
    outputs = run(Flow([first, second, flow]))
    assert outputs["assemble"]["folder"] == str(runs_in)


def test_what_cannot_be_wired_is_refused(collection, tmp_path):
    with pytest.raises(InputError, match="not absolute"):
        maker("here").make(collection, SPLIT)
    with pytest.raises(InputError, match="3 members, of which 4 must be there"):
        maker(tmp_path, least=4).make(collection, SPLIT)
    with pytest.raises(InputError, match="the trainings have the directory"):
        EnsembleMaker(train=TrainMaker(directory="/x"), directory=str(tmp_path)).make(collection, SPLIT)
    document = maker(tmp_path).as_dict()
    assert EnsembleMaker.from_dict(document) == maker(tmp_path)
