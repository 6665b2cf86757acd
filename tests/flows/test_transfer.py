"""A study of transfer from datasets to its summary: each source once, no leak, scratch beside it."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from labels_for_tests import record_of
from properties_for_tests import dataset_of

from zonemelt import run_flow
from zonemelt.flows.transfer import TransferMaker, transfer_campaign
from zonemelt.tasks.datasets import open_dataset
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.records import Property, Quality
from zonemelt.tasks.train.collection import read_collection
from zonemelt.tasks.train.transfer_jobs import draw_trials, given_trials_job, summarize_transfer
from zonemelt.workflows.campaigns.spec import build_flow, load_campaign

METALS = ("Al", "Cu", "Ag", "Au", "Ni", "Pd", "Pt", "Ti")
NETWORK = {"architecture": "cogn", "width": 8, "depth": 1, "gaussians": 8, "cutoff": 5.0, "k": 8}
SETTINGS = {"seed": 1, "epochs": 2, "batch_size": 8, "learning_rate": 5e-3}
ARGUMENTS = {
    "architecture": NETWORK, "resources": {"device": "cpu"},
    "pretrain": SETTINGS, "scratch": SETTINGS, "finetune": SETTINGS,
    "draw": {"sizes": [10], "trials": 2, "test": 0.2, "validation": 0.2, "seed": 3},
}  # fmt: skip


def alloys(names, *, value):
    """Records of ordered alloys of two metals each, with one property."""
    found = []
    for number, (one, other) in enumerate(combinations(names, 2)):
        atoms = bulk(f"{one}{other}", "cesiumchloride", a=3.0 + 0.01 * number)
        properties = {"x": Property(value=value(atoms.get_volume()), unit="eV")}
        found.append(record_of(atoms, f"{one}{other}", properties=properties, quality=Quality(accepted=True)))
    return found


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    root = tmp_path_factory.mktemp("datasets")
    linear = alloys(METALS, value=lambda volume: volume)
    squared = alloys(METALS[:6], value=lambda volume: volume**2)
    return {
        "linear": {"path": str(dataset_of(linear, root / "linear")), "property": "x"},
        "squared": {"path": str(dataset_of(squared, root / "squared")), "property": "x"},
    }


@pytest.fixture(scope="module")
def study(datasets, tmp_path_factory):
    root = tmp_path_factory.mktemp("study")
    flow = transfer_campaign(
        directory=str(root / "models"),
        datasets=datasets,
        sources={"linear": ["linear"], "squared": ["squared"], "MPT": "others"},
        targets={"squared": {}},
        strategies=["all", "frozen, new head", "features"],
        pretrain_size=12,
        **ARGUMENTS,
    )
    outputs = run_flow(flow, site="inline", directory=root / "campaign")
    return root, [one for one, _ in flow.iterflow()], outputs


def output(study, name):
    _, jobs, outputs = study
    (found,) = [outputs[one.uuid] for one in jobs if one.name == name]
    return found[max(found)].output


def test_every_cell_is_there_with_its_gain_over_scratch(study):
    summary = output(study, "summary")
    assert not summary["missing"]
    found = {(row["source"], row["strategy"]): row for row in summary["rows"]}
    strategies = ("all", "frozen, new head", "features")
    assert set(found) == {("", "scratch"), *((s, k) for s in ("linear", "MPT") for k in strategies)}
    scratch = found["", "scratch"]
    assert scratch["gain"] is None
    for key, row in found.items():
        assert row["trials"] == 2
        assert row["mae"] == pytest.approx(np.mean(row["values"]))
        if key[1] != "scratch":
            assert row["gain"] == pytest.approx(1 - row["mae"] / scratch["mae"])
            assert row["wins"] == sum(a < b for a, b in zip(row["values"], scratch["values"], strict=True))


def test_a_source_is_trained_once_without_what_is_tested_on(study, datasets):
    _, jobs, _ = study
    names = [one.name for one in jobs]
    assert sorted(name for name in names if name.startswith("pre-train")) == [
        "pre-train MPT for squared",
        "pre-train linear",
    ]
    tested = output(study, "trials of squared")["test"]
    rows = output(study, "samples of linear")
    assert rows["left_out"] == {"linear": len(tested)}  # each alloy of the test part is in both datasets
    assert rows["learned"] == {"linear": 11}
    used = {row for part in rows["split"].values() for row in part}
    linear, squared = (identifiers(datasets[name]["path"]) for name in ("linear", "squared"))
    assert not {linear[row] for row in used} & {squared[row] for row in tested}


def identifiers(path):
    return [record.identifier for record in open_dataset(path).records()]


def test_cells_say_where_they_come_from(study):
    found = output(study, "squared 10 linear all 0")
    before = output(study, "pre-train linear")
    origin = found["card"]["training"]["transfer"]
    assert origin["weights"] == before["weights"][:16]
    assert origin["model"] == before["folder"]
    assert found["card"]["training"]["seed"] == 1
    assert output(study, "squared 10 linear all 1")["card"]["training"]["seed"] == 2
    assert Path(found["folder"]).is_relative_to(study[0])
    assert output(study, "squared 10 linear features 0")["model"] == before["folder"]


def test_trials_share_a_test_part_and_nothing_else(study, datasets):
    root = study[0]
    found = open_dataset(datasets["linear"]["path"])
    labelled = read_collection(
        {
            "shards": str(root / "models" / "graphs" / "linear"),
            "dataset": datasets["linear"]["path"],
            "version": found.version,
            "properties": ["x"],
        }
    )
    drawn = draw_trials(labelled, {"sizes": [5, 10], "trials": 3, "test": 0.25, "validation": 0.2, "seed": 0})
    assert len(drawn["test"]) == 7
    for size, trials in drawn["trials"].items():
        assert len({tuple(parts["train"]) for parts in trials}) == 3
        for parts in trials:
            assert parts["test"] == drawn["test"]
            both = parts["train"] + parts["validation"]
            assert len(set(both)) == int(size)
            assert not set(both) & set(drawn["test"])
    with pytest.raises(UnknownKeyError, match="did you mean 'sizes'"):
        draw_trials(labelled, {"size": [5]})
    with pytest.raises(InputError, match="100 of 25 samples"):
        draw_trials(labelled, {"sizes": [100]})


def test_published_trials_are_taken_as_they_are(study, datasets):
    found = open_dataset(datasets["squared"]["path"])
    collection = {
        "shards": str(study[0] / "models" / "graphs" / "squared"), "dataset": datasets["squared"]["path"],
        "version": found.version, "properties": ["x"],
    }  # fmt: skip
    one, other = ({"train": [0, 1], "validation": [2], "test": [3 + n, 5]} for n in range(2))
    given = given_trials_job.original(collection=collection, splits={"3": [one, other]})
    assert given["test"] == [3, 4, 5]  # of all trials: no pre-training sees any of them
    assert given["trials"]["3"] == [one, other]
    with pytest.raises(InputError, match=r"(?s)split 0 of size 3: it has train.*give a part 'test'"):
        given_trials_job.original(collection=collection, splits={"3": [{"train": [0, 1]}]})


def test_a_cell_that_failed_is_named():
    cells = [
        {"target": "t", "size": 5, "source": "", "strategy": "scratch", "trial": trial} for trial in (0, 1)
    ]
    found = summarize_transfer(cells, [{"metrics": {"test mae x (eV)": 0.5}}, None])
    assert found["missing"] == [cells[1]]
    assert found["rows"][0]["trials"] == 1
    assert found["rows"][0]["std"] is None


def test_what_is_refused(datasets, tmp_path):
    given = {"directory": str(tmp_path), "datasets": datasets, **ARGUMENTS}
    for changes, error, says in (
        ({"directory": "here"}, InputError, "absolute path"),
        ({"strategies": ["newhead"]}, UnknownKeyError, "did you mean 'new head'"),
        ({"sources": {"a": ["linea"]}}, UnknownKeyError, "did you mean 'linear'"),
        ({"sources": {"a": ["linear"]}, "targets": {"linear": {}}}, InputError, "does not hold it"),
        ({"targets": {"linear": {"splits": {}, "draw": {}}}}, InputError, "either 'draw' or 'splits'"),
        ({"finetune": {"epochs": 3}}, InputError, "seed"),
        ({"pretrian": {}}, UnknownKeyError, "did you mean 'pretrain'"),
        ({"resources": {"node": 2}}, UnknownKeyError, "did you mean 'nodes'"),
        ({"sources": {"a": "linear"}}, InputError, "give a list of collections, or 'others'"),
        ({"draw": {}}, InputError, "it has no sizes"),
        ({"draw": {"sizes": [5], "trial": 2}}, UnknownKeyError, "did you mean 'trials'"),
        ({"strategies": {"mine": {"strategy": "frosen"}}}, InputError, "strategy mine: strategy"),
        ({"strategies": {"mine": {"strategies": "all"}}}, UnknownKeyError, "did you mean 'strategy'"),
        ({"strategies": {"mine": {"settings": {"epoch": 1}}}}, UnknownKeyError, "did you mean 'epochs'"),
        (
            {"strategies": {"mine": {"classical": {"family": "rigde"}}}},
            UnknownKeyError,
            "did you mean 'ridge'",
        ),
        (
            {"strategies": {"mine": {"classical": "ridge", "composition": True}}},
            UnknownKeyError,
            "'compositions'",
        ),
        ({"strategies": {"a b": {"strategy": "all"}, "a-b": {"freeze": False}}}, InputError, "two trainings"),
        ({"each": "labels"}, UnknownKeyError, "did you mean 'label'"),
    ):
        with pytest.raises(error, match=says):
            transfer_campaign(**{**given, **changes})


@pytest.mark.parametrize("name", ["transfer_matrix", "transfer_mpt"])
def test_campaigns_of_the_catalog_build_their_graphs(datasets, tmp_path, name):
    path = datasets["linear"]["path"]
    names = load_campaign(name).arguments["datasets"]
    spec = load_campaign(
        name,
        {"arguments.directory": str(tmp_path)}
        | {f"arguments.datasets.{one}": {"path": path, "property": "x"} for one in names},
    )
    flow = build_flow(spec)
    cells = [one for one, _ in flow.iterflow() if one.metadata.get("step") in {"fine-tune", "features"}]
    targets, sources = {"transfer_matrix": (7, 6), "transfer_mpt": (7, 1)}[name]
    strategies, sizes, trials = (len(spec.arguments["strategies"]), 5, 5)
    assert len(cells) == targets * sources * strategies * sizes * trials


def test_a_target_whose_name_is_part_of_a_word_has_a_source_of_all_others(datasets):
    given = {
        name: {"dataset": datasets["linear"]["path"], "properties": ["x"]} for name in ("other", "h", "o")
    }
    flow = TransferMaker(
        pretrain=SETTINGS, scratch=SETTINGS, finetune=SETTINGS, strategies=["all"], directory="/models"
    ).make(
        given, {"MPT": "others"}, {name: {"draw": {"sizes": [10], "trials": 1}} for name in ("other", "h")}
    )
    names = {one.name for one, _ in flow.iterflow()}
    assert {"pre-train MPT for other", "pre-train MPT for h", "h 10 MPT all 0", "other 10 MPT all 0"} <= names


def test_a_maker_takes_published_splits(datasets):
    given = {name: {"dataset": one["path"], "properties": ["x"]} for name, one in datasets.items()}
    flow = TransferMaker(
        pretrain=SETTINGS, scratch=SETTINGS, finetune=SETTINGS, strategies=["all"], directory="/models"
    ).make(given, {"a": ["linear"]}, {"squared": {"splits": {10: [{"file": "one"}, {"file": "two"}]}}})
    names = [one.name for one, _ in flow.iterflow()]
    assert sorted(name for name in names if name.startswith("squared")) == [
        "squared 10 a all 0", "squared 10 a all 1", "squared 10 scratch 0", "squared 10 scratch 1",
    ]  # fmt: skip
