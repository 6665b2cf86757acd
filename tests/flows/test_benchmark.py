"""The protocol of Matbench as a graph, for tables and for graph networks, run by jobflow's own manager."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from stored_collections_for_tests import NETWORK, SETTINGS, stored_metals
from tables_for_tests import document

from zonemelt.flows.benchmark import BenchmarkMaker, NetworkBenchmarkMaker
from zonemelt.flows.train import TrainMaker
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.learn.nested import Protocol
from zonemelt.tasks.learn.property_table import PropertyTable
from zonemelt.tasks.learn.studies import compare
from zonemelt.tasks.metrics.leaderboard import CHOSEN
from zonemelt.tasks.train.collection import read_collection
from zonemelt.tasks.train.fold_result import split_of_fold

PUBLISHED = [{"algorithm": "a paper's", "mae": 0.01, "std": 0.001, "source": "doi"}]
MAKER = BenchmarkMaker(
    name="small", models=["ridge", {"family": "knn", "grid": {"n_neighbors": [2, 4]}}], seeds=[0, 1], inner=2,
    published=PUBLISHED,
)  # fmt: skip
FORMULAS = ["NaCl", "KCl", "MgO", "CaO", "Fe", "Ni", "GaAs", "InP", "Si", "Ge", "LiF", "CsI"]


def run(flow) -> list[dict]:
    store = JobStore(MemoryStore())
    run_locally(flow, store=store, ensure_success=True, log=False)
    return list(store.query({}, load=True))


@pytest.fixture(scope="module")
def documents(tmp_path_factory) -> list[dict]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("run"))
        return run(MAKER.make(document(rows=36)))


def steps(documents: list[dict], step: str) -> list[dict]:
    return [one["output"] for one in documents if one["metadata"]["step"] == step]


def test_each_fold_model_and_seed_is_a_job_of_its_own(documents):
    found = {(one["model"], one["fold"], one["seed"]) for one in steps(documents, "evaluate")}
    assert found == {(m, f, s) for m in ("ridge", "knn") for f in range(3) for s in range(2)}
    assert len(documents) == 1 + 12 + 6 + 1


def test_summary_is_that_of_the_same_in_one_process(documents):
    (summary,) = steps(documents, "summary")
    protocols = [Protocol(inner=2, seed=seed) for seed in (0, 1)]
    here, _ = compare(
        PropertyTable.of(document(rows=36)), MAKER.models, task="small", protocols=protocols,
        published=PUBLISHED, stack=True,
    )  # fmt: skip
    assert set(summary["models"]) == {"ridge", "knn", "stacked", CHOSEN}
    for name, one in summary["models"].items():
        assert one["mae"] == here["models"][name]["mae"]
        assert one["uncertainty"] == pytest.approx(here["models"][name]["uncertainty"], nan_ok=True)
    assert summary["leaderboard"][0] == {**PUBLISHED[0], "ours": False}


def test_formulas_are_described_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    maker = BenchmarkMaker(name="gaps", models=["ridge"], inner=2, coverage=0.7)
    flow = maker.make_of_formulas(
        FORMULAS, [5.0, 5.0, 7.0, 6.0, 0.0, 0.0, 1.4, 1.3, 1.1, 0.7, 9.0, 6.0], [0, 1, 2] * 4,
        unit="eV", blocks=["fractions", "magpie"], bounds=[0.0, None],
    )  # fmt: skip
    found = run(flow)
    assert len(steps(found, "featurize")) == 1
    (summary,) = steps(found, "summary")
    assert list(summary["models"]) == ["ridge"]
    assert all(min(one["predictions"]["mean"]) >= 0 for one in steps(found, "evaluate"))


def test_models_need_names_of_their_own():
    with pytest.raises(InputError, match="a name of its own"):
        BenchmarkMaker(models=["svr", "svr"]).make(document())
    with pytest.raises(InputError, match="a name of its own"):
        BenchmarkMaker(models=[]).make(document())


CGCNN = {"architecture": "cgcnn", "width": 8, "layers": 1, "hidden": 8, "cutoff": 5.0, "k": 12}
VALIDATION = 10 / 12  # of the training rows: as few as can be calibrated with
FOLDS = [number % 2 for number in range(24)]
BENCH = NetworkBenchmarkMaker(
    name="volumes", seeds=[0, 1], validation=VALIDATION, coverage=0.5,
    models=[{"name": "cogn"}, {"name": "cgcnn", "architecture": CGCNN, "settings": {"epochs": 2}}],
    train=TrainMaker(architecture=NETWORK, settings=SETTINGS | {"epochs": 1}, device="cpu"),
    published=[{"algorithm": "the mean", "mae": 2.0, "std": 0.1, "source": "counted"}],
)  # fmt: skip


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """A benchmark of two networks, two folds and two seeds: its documents and their labels."""
    place = tmp_path_factory.mktemp("networks")
    collection = stored_metals(place)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        found = run(replace(BENCH, directory=str(place / "models")).make(collection, FOLDS, unit="Å³/atom"))
    return collection, found


def test_each_fold_of_a_network_is_trained_and_tested_once(networks):
    _, found = networks
    tested = steps(found, "test")
    assert {(one["model"], one["fold"], one["seed"]) for one in tested} == {
        (model, fold, seed) for model in ("cogn", "cgcnn") for fold in (0, 1) for seed in (0, 1)
    }
    assert (len(steps(found, "train")), len(steps(found, "mean")), len(found)) == (8, 4, 8 + 8 + 4 + 1)
    for one in tested:
        assert one["predictions"]["rows"] == list(range(one["fold"], 24, 2))
        assert one["mae"] == pytest.approx(
            np.abs(np.subtract(one["predictions"]["mean"], one["predictions"]["true"])).mean()
        )
        assert len(one["predictions"]["width"]) == 12
        assert one["inner_mae"] > 0


def test_the_trainer_never_sees_the_test_rows(networks):
    collection, found = networks
    labelled = read_collection(collection)
    for one in steps(found, "train"):
        tested = next(t for t in steps(found, "test") if t["folder"] == one["folder"])
        split = split_of_fold(FOLDS, tested["fold"], validation=VALIDATION, seed=tested["seed"])
        assert not set(split["train"] + split["validation"]) & set(tested["predictions"]["rows"])
        training = one["card"]["training"]
        assert training["training_set"] == labelled.digest(np.array(split["train"]))
        assert training["validation_set"] == labelled.digest(np.array(split["validation"]))
        assert Path(one["folder"], "card.json").is_file()


def test_means_over_seeds_are_beside_the_networks_and_the_published(networks):
    _, found = networks
    (summary,) = steps(found, "summary")
    means = [f"{model}, mean of 2 seeds" for model in ("cogn", "cgcnn")]
    assert set(summary["models"]) == {"cogn", "cgcnn", *means, CHOSEN}
    assert {row["algorithm"] for row in summary["leaderboard"]} == {*summary["models"], "the mean"}
    assert summary["seeds"] == [0, 1]
    for name in ("cogn", "cgcnn"):
        assert summary["models"][name]["mae"]["seed_std"] is not None
        by_fold = summary["models"][f"{name}, mean of 2 seeds"]["mae"]["folds"]
        assert (np.array(by_fold) <= np.array(summary["models"][name]["mae"]["folds"]) + 1e-12).all()
    one = next(one for one in steps(found, "mean") if one["model"] == means[0] and one["fold"] == 1)
    members = [t for t in steps(found, "test") if (t["model"], t["fold"]) == ("cogn", 1)]
    assert one["predictions"]["mean"] == pytest.approx(
        np.mean([member["predictions"]["mean"] for member in members], axis=0).tolist()
    )


def test_without_validation_rows_nothing_is_promised(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bench = replace(BENCH, validation=0.0, seeds=[3], models=[{"name": "one"}])
    found = run(replace(bench, directory=str(tmp_path / "m")).make(stored_metals(tmp_path), FOLDS, unit="Å³"))
    (summary,) = steps(found, "summary")
    assert list(summary["models"]) == ["one"]
    assert summary["models"]["one"]["inner_mae"] is None
    assert summary["models"]["one"]["uncertainty"]["coverage"] is None
    assert all(one["card"]["training"]["samples"] == 12 for one in steps(found, "train"))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"models": [{"name": "a"}, {"name": "a"}]}, "a name of its own"),
        ({"models": [{"name": "../a"}]}, "that of a folder"),
        ({"seeds": [1, 1]}, "each once"),
        ({"directory": "here"}, "is not absolute"),
        ({"validation": 0.01}, "0.01 of 12 training rows"),
        ({"train": TrainMaker(directory="/n")}, "the trainings have the directory '/n'"),
    ],
)
def test_a_benchmark_of_networks_that_cannot_be_is_refused(changes, complaint):
    with pytest.raises(InputError, match=complaint):
        replace(BENCH, **{"directory": "/m", **changes}).make({"properties": ["volume"]}, FOLDS, unit="")


def test_a_benchmark_is_of_one_property():
    with pytest.raises(InputError, match="a benchmark is of one property"):
        replace(BENCH, directory="/m").make({"properties": ["volume", "gap"]}, FOLDS, unit="")


def test_a_key_of_a_network_that_is_not_known_is_refused():
    bench = replace(BENCH, directory="/m", models=[{"name": "a", "setting": {}}])
    with pytest.raises(UnknownKeyError, match="did you mean 'settings'"):
        bench.make({"properties": ["volume"]}, FOLDS, unit="")
