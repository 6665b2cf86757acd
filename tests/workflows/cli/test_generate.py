"""zonemelt generator train and generate: from a dataset to drawn crystals; what they refuse."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ase.io import read
from generators_for_tests import salts, trained
from labels_for_tests import VASP, record_of

from zonemelt.tasks.datasets import commit, write_part
from zonemelt.tasks.structure_files import read_structures

TINY = (
    "--epochs", "2", "--set", "architecture.width=16", "--set", "architecture.layers=1",
    "--set", "architecture.frequencies=2", "--set", "settings.batch_size=8",
)  # fmt: skip
FEW = ("--steps", "4")


@pytest.fixture(scope="module")
def gen(tmp_path_factory):
    place = tmp_path_factory.mktemp("generators") / "gen"
    crystals = salts(64)
    volumes = np.abs(np.linalg.det(crystals.cells_G33))
    trained(place, crystals, epochs=30, wish=("volume", "Å³", volumes), batch_size=32, learning_rate=1e-2)
    return place


def test_from_a_dataset_to_drawn_crystals(zonemelt, home):
    crystals = salts(20)
    records = [
        record_of(crystals.atoms(i), f"salt-{i}", energy_free=-7.0 - i, theory=VASP) for i in range(20)
    ]
    commit(home / "salts", [write_part(home / "salts", records)], message="made for a test")
    words = ("generator", "train", "salts", "--out", "gen", "--site", "inline", *TINY)
    found = zonemelt.json(*words)
    assert found["elements"] == ["O", "Na", "Mg", "Cl", "K", "Ca"]
    assert found["metrics"]["validation loss"] > 0
    assert zonemelt.json(*words) == found  # it is finished, and the same command finds that
    assert "unknown" in zonemelt.refused(*words[:4], "other", "--set", "architecture.colour=3")
    assert "is no setting" in zonemelt.refused(*words[:4], "other", "--set", "colour=3")
    drawn = zonemelt.json("generate", "gen", "-n", "8", *FEW, code=None)
    assert drawn["counts"]["proposed"] == 8


def test_crystals_into_files_of_each_form(zonemelt, gen, home):
    words = ("generate", gen, "--number", "20", "--seed", "3", "--steps", "20")
    found = zonemelt.json(*words, "--out", "new.jsonl")
    kept = found["counts"]["kept"]
    assert 0 < kept == len(found["candidates"])
    assert kept + sum(n for why, n in found["counts"].items() if why.startswith("refused")) == 20
    lines = [json.loads(line) for line in (home / "new.jsonl").read_text().splitlines()]
    assert lines == found["candidates"]
    said = zonemelt(*words, "--out", "new.extxyz")
    assert f"{kept} of 20 drawn are structures" in said
    assert [atoms.info["name"] for atoms in read("new.extxyz", ":")] == [one["identifier"] for one in lines]
    zonemelt(*words, "--out", "cifs")
    assert len(list((home / "cifs").glob("*.cif"))) == kept
    assert "there is something already" in zonemelt.refused(*words, "--out", "cifs")
    assert "give --out to keep them" in zonemelt(*words)


def test_wishes_and_near_ones(zonemelt, gen, home):
    found = zonemelt.json(
        "generate", gen, "-n", "6", "--composition", "NaCl", "--value", "40", *FEW, code=None
    )
    assert found["wish"] == {"composition": "NaCl", "value": 40.0}
    assert found["candidates"]
    assert {tuple(sorted(one["geometry"]["symbols"])) for one in found["candidates"]} <= {("Cl", "Na")}
    found = zonemelt.json("generate", gen, "-n", "6", "--system", "K, Cl", *FEW, code=None)
    assert found["candidates"]
    assert {symbol for one in found["candidates"] for symbol in one["geometry"]["symbols"]} <= {"K", "Cl"}
    salts(2).atoms(0).write("salt.cif")
    near = ("generate", gen, "-n", "3", "--near", "salt.cif", "--strength", "0.02", *FEW)
    found = zonemelt.json(*near, "--out", "near.extxyz")
    assert found["counts"]["kept"] == 3
    assert {one["origin"]["parent"] for one in found["candidates"]} == {"salt.cif"}
    volumes = [one.geometry.atoms().get_volume() for one in read_structures("near.extxyz")]
    np.testing.assert_allclose(volumes, salts(2).atoms(0).get_volume(), rtol=0.2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--composition", "XeF2"), "does not know F, Xe"),
        (("--composition", "XeF2"), "it draws O, Na, Mg, Cl, K, Ca"),
        (("--composition", "Na.5Cl"), "is no formula with whole numbers"),
        (("--composition", "sodium"), "is no formula"),
        (("--composition", "NaCl", "--atoms", "3"), "3 atoms, and NaCl has 2"),
        (("--composition", "NaCl", "--atoms", "4"), "has seen 2 in a cell at most"),
        (("--composition", "NaCl", "--system", "K-Cl"), "outside the system Cl-K"),
        (("--value", "900"), "volume 900 Å³, and crystals with"),
        (("--near", "there-is-none.cif"), "there is no such file"),
        (("--near", "a.cif", "--value", "40"), "--near and --value"),
        (("--out", "a.docx"), "it ends in '.docx'"),
    ],
)
def test_what_a_person_gets_wrong(zonemelt, gen, words, said):
    assert said in zonemelt.refused("generate", gen, "-n", "2", *FEW, *words)


def test_what_is_no_generator(zonemelt, home):
    (home / "card.json").write_text('{"kind": "network"}')
    assert "no generator of ours" in zonemelt.refused("generate", home, "-n", "2")
    assert "name a folder with the model.safetensors" in zonemelt.refused("generate", "nowhere", "-n", "2")
