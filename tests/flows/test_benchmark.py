"""The protocol of Matbench as a graph, run by jobflow's own local manager."""

from __future__ import annotations

import pytest
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from tables_for_tests import document

from zonemelt.flows.benchmark import BenchmarkMaker
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.judge.leaderboard import CHOSEN
from zonemelt.tasks.learn.nested import Protocol
from zonemelt.tasks.learn.property_table import PropertyTable
from zonemelt.tasks.learn.studies import compare

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
