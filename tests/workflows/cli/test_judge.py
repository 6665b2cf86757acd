"""zonemelt judge: a set of generated crystals from files, its table and its JSON; what it refuses."""

from __future__ import annotations

import json

import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write

from zonemelt.tasks.quality.split_file import write_split
from zonemelt.tasks.quality.splits import split_given
from zonemelt.tasks.records import Geometry

SALT = bulk("NaCl", "rocksalt", 5.64)
OVERLAP = Atoms("NaCl", [[1, 1, 1], [1, 1, 1]], cell=[4, 4, 4], pbc=True)
POTASSIUM = bulk("KCl", "rocksalt", 6.29)


@pytest.fixture
def samples(home):
    made = [SALT, SALT.repeat((1, 1, 2)), OVERLAP, POTASSIUM]
    documents = [
        {"identifier": f"s{number}", "geometry": Geometry.of(atoms).model_dump(mode="json")}
        for number, atoms in enumerate(made)
    ]
    documents.append({"identifier": "torn", "geometry": {"cell": 3}})
    (home / "samples.json").write_text(json.dumps({"candidates": documents}))
    write(home / "known.extxyz", [POTASSIUM, bulk("Al")])
    return home


def test_a_set_is_judged(zonemelt, samples):
    (samples / "hull.json").write_text(json.dumps({"s0": 0.0, "s1": 0.0, "s3": 0.05, "s2": None}))
    found = zonemelt.json(
        "judge", "samples.json", "--known", "known.extxyz", "--against", "known.extxyz",
        "--above-hull", "hull.json", "--each", "each.jsonl",
    )  # fmt: skip
    numbers = found["metrics"]
    assert (numbers["crystals"], numbers["unreadable"]) == (5, 1)
    assert numbers["structure_valid"] == pytest.approx(0.6)
    assert numbers["unique"] == pytest.approx(0.4)
    assert numbers["novel"] == pytest.approx(0.4)
    assert numbers["sun"] == pytest.approx(0.2)
    assert numbers["without_hull"] == 2
    assert set(numbers["distances"]) == {"density", "elements"}
    assert found["compared_with"] == {"against": 2, "known": 2}
    each = [json.loads(line) for line in (samples / "each.jsonl").read_text().splitlines()]
    assert [one["group"] for one in each] == ["s0", "s0", None, "s3", None]
    assert each[3]["same_as"] == "known.extxyz#0"
    assert "cell" in each[4]["reasons"][0]
    table = zonemelt("judge", "samples.json", "--known", "known.extxyz")
    assert "5 crystals, 1 of them unreadable, known 2" in table
    assert "unique and novel" in table
    assert "1: two of its atoms are nearer than 0.5 Å, s2 for one" in table


def test_predictions_are_matched_in_order(zonemelt, samples):
    write(samples / "predicted.extxyz", [SALT, bulk("KCl", "cesiumchloride", 3.7)])
    write(samples / "test.extxyz", [SALT, POTASSIUM])
    found = zonemelt.json("judge", "predicted.extxyz", "--against", "test.extxyz", "--pairs")["metrics"]
    assert found["match_rate"] == found["match_rate_of_valid"] == 0.5
    assert "match rate: 50.00%" in zonemelt(
        "judge", "predicted.extxyz", "--against", "test.extxyz", "--pairs"
    )


def test_only_a_part_of_the_test_set(zonemelt, samples):
    names = ["known.extxyz#0", "known.extxyz#1"]
    write_split(
        samples / "split.json",
        split_given({"train": [names[1]], "test": [names[0]]}, names),
    )
    words = ("judge", "samples.json", "--against", "known.extxyz", "--split", "split.json")
    assert zonemelt.json(*words)["compared_with"] == {"against": 1}
    assert "there is no part 'tset'" in zonemelt.refused(*words, "--part", "tset")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("absent.extxyz",), "there is no such file"),
        (("samples.json", "--cutoffs", "mp_20"), "--cutoffs without a test set"),
        (("samples.json", "--pairs"), "--pairs without a test set"),
        (("samples.json", "--against", "known.extxyz", "--cutoffs", "mp20"), "mp_20, or two numbers"),
        (("samples.json", "--against", "known.extxyz", "--pairs"), "5 predictions of 2 crystals"),
        (("samples.json", "--above-hull", "absent.json"), "cannot be read"),
        (("samples.json", "--above-hull", "wrong.json"), "no energy above the hull is of one of the 5"),
    ],
)
def test_what_cannot_be_done_is_said(zonemelt, samples, words, said):
    (samples / "wrong.json").write_text(json.dumps({"another": 0.1}))
    assert said in zonemelt.refused("judge", *words)
