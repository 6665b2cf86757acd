"""zonemelt predict, evaluate and models: what a trained model says, and what it must not be asked."""

from __future__ import annotations

import csv
import json
import pickle
import re

import pytest
import torch
from ase.build import bulk
from ase.io import write
from properties_for_tests import TINY, dataset_of, records
from typer.testing import CliRunner

from zonemelt.tasks.records import Property
from zonemelt.tasks.train.seen import SEEN


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A dataset, a network with deviations of two properties, and a classical model, in one directory."""
    place = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(place))  # not the settings of whoever runs the tests
        _fill(place)
    return place


def _fill(place):
    from zonemelt.workflows.cli import app

    dataset_of(records(40), place / "metals")
    common = ["train", str(place / "metals"), "--site", "inline", "--fractions", "0.5,0.3,0.2", "-p"]
    for words in (
        ["volume", "-p", "gap", "--model", "cogn", "--loss", "gaussian", "--out", str(place / "net"), *TINY],
        ["modulus", "--model", "ridge", "--out", str(place / "ridge")],
    ):
        ran = CliRunner().invoke(app, [*common, *words])
        assert ran.exit_code == 0, ran.output


@pytest.fixture
def files(home):
    write(home / "al.cif", bulk("Al", a=4.05))
    write(home / "POSCAR", bulk("Cu", a=3.7) * (1, 1, 2))
    write(home / "many.extxyz", [bulk("Au"), bulk("Pt"), bulk("Ag")])
    near = bulk("Cu", cubic=True)
    near.positions[1] = near.positions[0] + 0.1
    write(home / "near.cif", near)
    (home / "note.txt").write_text("no structure")
    return home


def test_one_bad_structure_does_not_spoil_the_others(zonemelt, folder, files):
    names = ("al.cif", "POSCAR", "many.extxyz", "near.cif", "note.txt", "absent.cif")
    found = zonemelt.json("predict", folder / "net", *names, code=1)
    assert (found["predicted"], found["refused"]) == (4, 4)
    said = {one["structure"]: one for one in found["predictions"]}
    assert [said[name]["formula"] for name in ("al.cif", "POSCAR", "many.extxyz#2")] == ["Al", "Cu", "Ag"]
    assert said["many.extxyz#1"]["refused"] == "the model has not seen Pt"
    assert "0.17 Å apart" in said["near.cif"]["refused"]
    assert "not read" in said["note.txt"]["refused"]
    assert "no such file" in said["absent.cif"]["refused"]
    volume = said["al.cif"]["properties"]["volume"]
    assert volume["unit"] == "Å³/atom"
    assert volume["deviation"] > 0
    low, high = volume["interval"]
    assert low < volume["value"] < high
    assert said["near.cif"]["properties"] == {}


def test_alone_and_in_a_batch_a_structure_has_the_same_value(zonemelt, folder, files):
    alone = zonemelt.json("predict", folder / "net", "POSCAR")["predictions"][0]
    among = zonemelt.json("predict", folder / "net", "many.extxyz", "POSCAR", code=1)["predictions"][-1]
    for name, said in alone["properties"].items():
        assert among["properties"][name]["value"] == pytest.approx(said["value"], rel=1e-5)


def test_predictions_as_files(zonemelt, folder, files):
    said = zonemelt("predict", folder / "net", "al.cif", "many.extxyz", "--out", "p.csv", code=1)
    assert "3 predicted, 1 refused: p.csv" in said
    rows = list(csv.DictReader((files / "p.csv").open()))
    assert [row["structure"] for row in rows] == ["al.cif", *(f"many.extxyz#{i}" for i in range(3))]
    assert float(rows[0]["volume (Å³/atom)"]) > 0
    assert float(rows[0]["volume low (Å³/atom)"]) < float(rows[0]["volume high (Å³/atom)"])
    assert rows[2]["volume (Å³/atom)"] == ""
    assert "Pt" in rows[2]["refused"]
    zonemelt("predict", folder / "ridge", folder / "metals", "--out", "p.jsonl")
    lines = [json.loads(line) for line in (files / "p.jsonl").read_text().splitlines()]
    assert [line["structure"] for line in lines] == [
        one["structure"]
        for one in zonemelt.json("predict", folder / "ridge", folder / "metals")["predictions"]
    ]
    assert "one of .csv, .jsonl" in zonemelt.refused("predict", folder / "net", "al.cif", "--out", "p.xls")


def test_a_table_for_people(zonemelt, folder, files):
    said = zonemelt("predict", folder / "net", "al.cif", "many.extxyz", code=1)
    assert "al.cif" in said
    assert "refused: the model has not seen Pt" in said
    assert " … " in said


def test_what_it_was_trained_on_is_no_test(zonemelt, folder):
    refused = zonemelt.refused("evaluate", folder / "net", folder / "metals")
    assert "has seen 32 of 40 records" in refused
    assert "elements, cell and positions" in refused
    found = zonemelt.json("evaluate", folder / "net", folder / "metals", "--seen-too")
    assert found["seen"]["same_structure"] == 32
    words = ("evaluate", folder / "net", folder / "metals", "--split", folder / "net" / "split.json")
    assert zonemelt.json(*words)["seen"]["same_structure"] == 0
    assert "has seen" in zonemelt.refused(*words, "--part", "train")
    assert "did you mean 'test'" in zonemelt.refused(*words, "--part", "tests")


def test_what_it_was_trained_on_is_known_under_other_names(zonemelt, folder, home):
    dataset_of(
        [one.model_copy(update={"identifier": f"x{i}"}) for i, one in enumerate(records(40))], home / "d"
    )
    assert "has seen 32 of 40 records: x" in zonemelt.refused("evaluate", folder / "net", home / "d")


def test_other_structures_with_the_same_names_are_judged_with_a_warning(zonemelt, folder, home):
    dataset_of(records(24), home / "others")
    found = zonemelt.json("evaluate", folder / "net", home / "others", "--seen-too")
    assert found["seen"]["same_name"] > 0
    shown = zonemelt("evaluate", folder / "net", home / "others", "--seen-too")
    assert "MAE" in shown
    assert "intervals that promise 90%" in shown


def test_the_errors_are_those_of_the_predictions(zonemelt, folder):
    words = (folder / "metals", "--split", folder / "ridge" / "split.json")
    judged = zonemelt.json("evaluate", folder / "ridge", *words)["properties"]["modulus"]
    predictions = zonemelt.json("predict", folder / "ridge", folder / "metals")["predictions"]
    value = {one["structure"]: one["properties"]["modulus"]["value"] for one in predictions}
    test = json.loads((folder / "ridge" / "split.json").read_text())["parts"]["test"]
    labels = {one.identifier: one.properties["modulus"].value for one in records(40)}
    errors = [abs(value[name] - labels[name]) for name in test]
    assert judged["mae"] == pytest.approx(sum(errors) / len(errors), rel=1e-9)
    worst = judged["largest"][0]
    assert abs(worst["error"]) == pytest.approx(max(errors))
    assert sum(one["records"] for one in judged["elements"]) == len(test)


def test_a_label_in_another_unit_is_no_label(zonemelt, folder, home):
    properties = {"volume": Property(value=12.0, unit="nm³")}
    dataset_of([one.model_copy(update={"properties": properties}) for one in records(8)], home / "d")
    refused = zonemelt.refused("evaluate", folder / "net", home / "d", "-p", "volume")
    assert "in 'nm³', the model in 'Å³/atom'" in refused
    assert "did you mean 'volume'" in zonemelt.refused("evaluate", folder / "net", home / "d", "-p", "volum")


def test_a_model_of_unknown_origin_is_judged_with_a_warning(zonemelt, folder, home):
    for path in (folder / "ridge").iterdir():
        if path.is_file() and path.name != SEEN:
            (home / path.name).write_bytes(path.read_bytes())
    assert "it is not known what the model was trained on" in zonemelt("evaluate", home, folder / "metals")


def test_what_can_be_trained_and_what_is_there(zonemelt, folder):
    assert "extra_trees" in zonemelt("models", "list")
    known = {one["model"]: one for one in zonemelt.json("models", "list")["models"]}
    assert known["cogn"]["reads"] == "crystals"
    assert known["svr"]["reads"] == "compositions"
    found = zonemelt.json("models", "list", folder)["models"]
    assert [(one["folder"].rpartition("/")[2], one["kind"]) for one in found] == [
        ("net", "network"), ("ridge", "classical"),
    ]  # fmt: skip
    assert found[0]["properties"] == {"volume": "Å³/atom", "gap": "eV"}
    assert set(found[0]["metrics"]) == {"test mae volume (Å³/atom)", "test mae gap (eV)"}
    assert found[0]["nbytes"] > 1000
    assert "ridge" in zonemelt("models", "list", folder)


def test_potentials_and_generators_are_models_too(zonemelt, home):
    known = {one["model"]: one["command"] for one in zonemelt.json("models", "list")["models"]}
    assert known["linear"] == "zonemelt train --model linear"
    assert known["linear potential"] == "zonemelt potential train --kind linear"
    assert known["generator"] == "zonemelt generator train"
    cards = {
        "net/card.json": {"kind": "potential", "metrics": {"validation mae forces (eV/Å)": 0.05}},
        "some/committee.json": {"members": ["a", "b"], "failed": []},
        "some/a/card.json": {"kind": "linear potential", "metrics": {}},
        "gen/card.json": {"kind": "generator", "target": {"name": "gap", "unit": "eV"}, "metrics": {}},
        "free/card.json": {"kind": "generator", "metrics": {"validation loss": 0.5}},
    }
    for name, card in cards.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(json.dumps(card))
    found = {one["folder"]: one for one in zonemelt.json("models", "list", ".")["models"]}
    assert {name: one["kind"] for name, one in found.items()} == {
        "free": "generator", "gen": "generator", "net": "potential", "some": "committee",
    }  # fmt: skip
    assert found["net"]["properties"]["forces"] == "eV/Å"
    assert found["gen"]["properties"] == {"gap": "eV"}
    assert found["free"]["metrics"] == {"validation loss": 0.5}
    assert "kind: committee" in zonemelt("models", "show", "some")
    (home / "some" / "committee.json").write_text("[]")
    assert "does not say what model" in zonemelt.refused("models", "show", "some")


def test_a_card_to_be_read(zonemelt, folder):
    said = zonemelt("models", "show", folder / "net")
    assert "kind: network" in said
    assert "elements: Ag, Al, Au, Cu" in said
    assert "    name: volume\n    unit: Å³/atom\n" in said
    assert re.search(r"factors: \d+ numbers, ", said)
    assert "seed: 0" in zonemelt("models", "show", folder / "ridge")
    assert zonemelt.json("models", "show", folder / "ridge")["card"]["property"] == "modulus"


def test_a_damaged_model_is_listed_as_such(zonemelt, home):
    (home / "broken").mkdir()
    (home / "broken" / "card.json").write_text('{"kind": "astrology"}')
    assert "astrology" in zonemelt("models", "list", ".")
    (home / "empty").mkdir()
    assert "there is no model in empty" in zonemelt("models", "list", "empty")
    assert "no such directory" in zonemelt.refused("models", "list", "nowhere")
    assert "astrology" in zonemelt.refused("models", "show", "broken")


@pytest.mark.parametrize("command", [("predict", "al.cif"), ("evaluate", "metals"), ("models",)])
def test_foreign_pickles_are_never_loaded(zonemelt, folder, files, command):
    (files / "theirs").mkdir()
    torch.save({"weights": torch.zeros(2)}, files / "theirs" / "model.pt")
    (files / "model.pkl").write_bytes(pickle.dumps({"a": 1}))
    word, *rest = command
    rest = [folder / "metals" if one == "metals" else one for one in rest]
    words = (word, "show") if word == "models" else (word,)
    for model in ("theirs", "model.pkl", "nowhere"):
        refused = zonemelt.refused(*words, model, *rest)
        assert "there is no model" in refused
        assert "pickles and checkpoints of others are not read" in refused
