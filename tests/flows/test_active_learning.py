"""A whole campaign with EMT, run by jobflow's own local manager."""

import pytest
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore

from zonemelt.flows.active_learning import ActiveLearningMaker

SMALL = ActiveLearningMaker(
    name="small",
    elements=["Al", "Au"],
    oracle="emt",
    reference_strains=[-0.03, -0.01, 0.01, 0.03, 0.05],
    sizes=[2, 3],
    strains=[-0.03, 0.0, 0.03],
    rattle=0.05,
    heldout_orderings=2,
    repeats=1,
    initial=3,
    rounds=1,
    batch=4,
    confirm=1,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> JobStore:
    store = JobStore(MemoryStore())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("run"))
        run_locally(SMALL.make(), store=store, create_folders=True, ensure_success=True, log=False)
    return store


@pytest.fixture(scope="module")
def summary(store: JobStore) -> dict:
    return store.query_one({"metadata.step": "summary"}, load=True)["output"]


def test_error_on_held_out_labels_falls(summary: dict) -> None:
    first, last = summary["learning"]["uncertainty"]
    assert last["mean"] < first["mean"]
    assert (first["labels"], last["labels"]) == (3, 7)


def test_every_label_is_a_job_of_its_own_and_computed_once(store: JobStore, summary: dict) -> None:
    names = [d["name"] for d in store.query({"metadata.step": "label"}, properties=["name", "uuid"])]
    assert len(names) == len(set(names)) == summary["counts"]["labels"] + summary["counts"]["references"]


def test_held_out_labels_are_never_chosen(store: JobStore, summary: dict) -> None:
    arms = [d["output"] for d in store.query({"metadata.step": "train"}, load=True)]
    held = {row["identifier"] for row in summary["parity"]["after"]}
    assert len(held) == summary["counts"]["heldout"] == 8
    assert all(held.isdisjoint(arm["chosen"]) for arm in arms)
    orderings = set(summary["heldout_orderings"])
    assert not any(name.rsplit("-", 1)[0] in orderings for arm in arms for name in arm["chosen"])


def test_hull_is_spanned_by_labels_only(summary: dict) -> None:
    hull = summary["hull"]
    labelled = {row["identifier"] for row in hull["labelled"]}
    assert set(hull["vertices"]) <= labelled
    assert labelled.isdisjoint(row["identifier"] for row in hull["predicted"])
    assert min(row["above_hull"] for row in hull["labelled"]) == pytest.approx(0.0, abs=1e-9)
    assert len(hull["confirmed"]) == 1


def test_says_that_emt_is_a_toy(summary: dict) -> None:
    assert not summary["oracle"]["is_dft"]
    assert "toy potential and not DFT" in summary["notes"][0]


def test_same_seed_same_result(summary: dict, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = JobStore(MemoryStore())
    run_locally(SMALL.make(), store=store, create_folders=True, ensure_success=True, log=False)
    again = store.query_one({"metadata.step": "summary"}, load=True)["output"]
    for key in ("learning", "parity", "hull"):
        assert again[key] == summary[key]
