"""zonemelt train: a model from a dataset, gone on with by the same command; what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from properties_for_tests import TINY, dataset_of, records

from zonemelt.tasks.records import Property
from zonemelt.tasks.train.predictor import open_model
from zonemelt.workflows.cli.training_run import progress, progress_line

METALS = ("train", "metals", "--site", "inline", "-p")


@pytest.fixture
def metals(home):
    return dataset_of(records(40), home / "metals")


@pytest.fixture
def spoilt(home):
    """Makes a dataset with one record that somebody wrote carelessly."""

    def make(**changes):
        found = records(20)
        found[7] = found[7].model_copy(update=changes)
        return dataset_of(found, home / "metals")

    return make


def test_a_network_is_trained_judged_and_gone_on_with(zonemelt, metals, home):
    words = (*METALS, "volume", "--model", "cogn", "--out", "model", *TINY)
    found = zonemelt.json(*words)
    assert found["parts"] == {"train": 32, "validation": 4, "test": 4}
    judged = found["properties"]["volume"]
    assert judged["unit"] == "Å³/atom"
    assert judged["records"] == 4
    assert judged["mae"] <= judged["rmse"]
    assert found["seen"]["known"]
    assert found["seen"]["same_structure"] == 0
    assert open_model("model").properties == (("volume", "Å³/atom"),)
    before = (home / "model" / "model.safetensors").stat().st_mtime_ns
    assert zonemelt.json(*words) == found  # it has ended: nothing is trained again
    assert (home / "model" / "model.safetensors").stat().st_mtime_ns == before
    refused = zonemelt.refused(*words, "--set", "settings.learning_rate=0.5")
    assert "another campaign: settings.learning_rate is 0.5, not" in refused
    refused = zonemelt.refused(*words, "--directory", "elsewhere")
    assert "it holds a model already (card.json)" in refused


def test_a_classical_model_is_trained_from_compositions(zonemelt, metals):
    said = zonemelt(*METALS, "modulus", "--model", "ridge", "--out", "model", "--split", "composition",
                    "--fractions", "0.5,0.25,0.25")  # fmt: skip
    assert "20 records to train, 10 records to validation, 10 records to test" in said
    assert "modulus (GPa), 10 records" not in said  # the test part has an element that was not trained on
    assert "the model has not seen" in said


def test_what_is_set_of_a_family_is_not_tried(zonemelt, metals, home):
    words = (*METALS, "modulus", "--model", "ridge", "--out", "model", "--set", "model.alpha=3.5")
    zonemelt(*words)
    card = zonemelt.json("models", "show", "model")["card"]
    assert card["model"]["settings"] == {"alpha": 3.5}
    assert len(card["training"]["tried"]) <= 1
    refused = zonemelt.refused(*METALS, "modulus", "--model", "ridge", "--out", "x", "--set", "model.slope=1")
    assert "unknown key 'slope'" in refused


def test_a_split_file_is_taken_as_it_is_and_kept(zonemelt, metals, home):
    split = {"kind": "given", "parts": {"train": [f"m{i}" for i in range(30)], "test": ["m30", "m31"]}}
    (home / "own.json").write_text(json.dumps(split))
    words = (*METALS, "modulus", "--model", "ridge", "--out", "model", "--split", "own.json")
    assert zonemelt.json(*words)["parts"] == {"train": 30, "test": 2}
    assert json.loads((home / "model" / "split.json").read_text())["parts"] == split["parts"]
    (home / "model" / "split.json").write_text(json.dumps(split | {"parts": {"train": ["m1"]}}))
    assert "its hash is" in zonemelt.refused(*words)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("volme",), "did you mean 'volume'"),
        (("volume", "--model", "cogm"), "did you mean 'cogn'"),
        (("volume", "--set", "settings.learning_rat=1"), "did you mean 'learning_rate'"),
        (("volume", "--set", "settings.learning_rate=-1"), "learning_rate"),
        (("volume", "--set", "model.widthh=8"), "did you mean 'width'"),
        (("volume", "--set", "width=8"), "write settings.KEY for the training, model.KEY for the model"),
        (("volume", "--loss", "gaussiann"), "did you mean 'gaussian'"),
        (("volume", "--split", "randm"), "no way to split called 'randm'"),
        (("volume", "--fractions", "1,2"), "not three numbers"),
        (("volume", "--fractions", "0.5,0.1,0.1"), "1 together"),
        (("volume", "--fractions", "0.98,0.01,0.01"), "part 'test' is empty: 40 records"),
        (("volume", "--split", "elements", "--fractions", "0.98,0.01,0.01"), "in 4 groups"),
        (("volume", "--version", "abc"), "abc"),
        (("volume", "-p", "gap", "--model", "ridge"), "one property"),
        (("volume", "--model", "ridge", "--members", "2"), "2 members"),
        (("volume", "--ranks", "80"), "80 ranks"),
        (("volume", "--site", "atlantis"), "atlantis"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(zonemelt, metals, home, words, says):
    assert says in zonemelt.refused(*METALS, *words, "--out", "model")
    assert not (home / "model").exists()


def test_a_split_that_a_person_keeps_there_outlives_a_refusal(zonemelt, metals, home):
    split = {"kind": "given", "parts": {"train": [f"m{i}" for i in range(30)], "test": ["m30", "m31"]}}
    (home / "model").mkdir()
    (home / "model" / "split.json").write_text(json.dumps(split))
    words = (*METALS, "volume", "--split", "model/split.json", "--site", "atlantis", "--out", "model")
    assert "atlantis" in zonemelt.refused(*words)
    assert json.loads((home / "model" / "split.json").read_text())["parts"] == split["parts"]


@pytest.mark.parametrize(
    ("changes", "name", "says"),
    [
        ({"properties": {"volume": Property(value=1.0, unit="nm³")}}, "volume", "several units"),
        ({"properties": {"volume": Property(value="large", unit="")}}, "volume", "record m7"),
        ({"energy_free": np.inf}, "energy_free_per_atom", "infinite in 1 records: m7"),
        ({"energy_free": np.nan}, "gop", "did you mean 'gap'"),
    ],
)
def test_labels_that_cannot_be_learnt_are_named(zonemelt, spoilt, changes, name, says):
    out = spoilt(**changes).parent / "model"
    assert says in zonemelt.refused(*METALS, name, "--out", out)
    assert not out.exists()


def test_records_without_a_label_are_left_out_of_a_split_that_is_drawn(zonemelt, spoilt):
    spoilt(energy_free=np.nan)
    found = zonemelt.json(*METALS, "energy_free_per_atom", "--model", "linear", "--out", "model")
    assert sum(found["parts"].values()) == 19


@pytest.mark.parametrize(
    ("split", "says"),
    [
        ({"train": ["m1", "m2"], "test": ["m2"]}, "more than once: m2"),
        ({"train": ["m1", "m900"]}, "not there: m900"),
        ({"train": [], "test": ["m1"]}, "part 'train' is empty"),
        ({"test": ["m1"]}, "part 'train' is empty"),
        ({"train": ["m1"], "tests": ["m2"]}, "did you mean 'test'"),
    ],
)
def test_a_split_that_leaks_or_is_empty_is_refused(zonemelt, metals, home, split, says):
    (home / "own.json").write_text(json.dumps({"kind": "given", "parts": split}))
    assert says in zonemelt.refused(*METALS, "volume", "--out", "model", "--split", "own.json")


def test_how_far_it_is_is_said_in_a_line(tmp_path):
    look = progress(tmp_path, 50)
    assert look() == []
    lines = [
        {"epoch": 0, "train gap": 1.0, "scaled mae": 0.4, "mae gap (eV)": 0.8},
        {"epoch": 1, "train gap": 0.9, "scaled mae": 0.5, "mae gap (eV)": 1.0},
    ]
    (tmp_path / "member-1").mkdir()
    for place in (tmp_path, tmp_path / "member-1"):
        (place / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines) + '{"epo')
    said = "epoch 2 of 50: scaled mae 0.5 (best 0.4), mae gap (eV) 1"
    assert look() == [said, f"member-1: {said}"]


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ({"train energy": 2.0, "validation loss": 0.3}, "epoch 8 of 9: validation loss 0.3 (best 0.25)"),
        ({"train loss": 0.5}, "epoch 8 of 9: train loss 0.5 (best 0.5)"),
        (
            {"train forces": 0.5, "weighted scaled mae": 0.2, "forces mae (eV/Å)": 0.04},
            "epoch 8 of 9: weighted scaled mae 0.2 (best 0.2), forces mae (eV/Å) 0.04",
        ),
    ],
)
def test_every_kind_of_training_says_how_far_it_is(last, said):
    """A generator, one without a validation part, a potential."""
    lines = [{"epoch": 6, "validation loss": 0.25} if "validation loss" in last else {"epoch": 6}]
    assert progress_line("", [*lines, {"epoch": 7, **last}], 9) == said
