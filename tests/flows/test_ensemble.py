"""Members as parallel jobs, one of which may fail, and the ensemble that is made of the others."""

from __future__ import annotations

import json

import pytest
from inline_runs import last_output
from jobflow import Flow, job
from stored_collections_for_tests import SETTINGS, SPLIT
from stored_collections_for_tests import maker as training
from trainings_for_tests import hurry

from zonemelt import run_flow
from zonemelt.flows.ensemble import EnsembleMaker
from zonemelt.flows.train import TrainMaker
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.train.predictor import open_model

PARTS = {"train": SPLIT["train"][::2], "validation": [*SPLIT["train"][1::2], *SPLIT["validation"]]}


def maker(directory, **more):
    train = training(directory, loss="gaussian")
    train.directory = ""
    return EnsembleMaker(**{"train": train, "members": 3, "directory": str(directory), **more})


def run(flow, campaign):
    """The last output of each job that gave one, by its name."""
    found = run_flow(flow, site="inline", directory=campaign)
    return {one.name: last_output(found, one.uuid) for one, _ in flow.iterflow() if found.get(one.uuid)}


def test_members_with_seeds_of_their_own_become_one_model(stored, tmp_path):
    folder = tmp_path / "model"
    outputs = run(maker(folder).make(stored, PARTS), tmp_path / "campaign")
    members = [outputs[f"train {number}"] for number in range(3)]
    first = SETTINGS["seed"]
    assert [one["card"]["training"]["seed"] for one in members] == [first, first + 1, first + 2]
    assert len({one["weights"] for one in members}) == 3
    card = outputs["assemble"]["card"]
    assert [one["weights"] for one in card["members"]] == [one["weights"] for one in members]
    assert list(card["failed"]) == []
    opened = open_model(folder)
    assert json.loads(opened.card.model_dump_json()) == json.loads(json.dumps(card))
    assert opened.uncertainty["volume"].report.samples == len(PARTS["validation"])


def test_members_may_need_more_than_one_job(stored, tmp_path, monkeypatch):
    hurry(monkeypatch, 7.5)
    outputs = run(maker(tmp_path / "model", members=2).make(stored, PARTS), tmp_path / "campaign")
    assert all(outputs[f"train {number}"]["jobs"] > 1 for number in range(2))
    weights = [one["weights"] for one in outputs["assemble"]["card"]["members"]]
    assert weights == [outputs[f"train {number}"]["weights"] for number in range(2)]


def spoil(directory, number):
    """Let a training fail: where its folder should be is a file."""
    directory.mkdir()
    (directory / f"member-{number}").write_text("in the way")


def test_it_goes_on_without_a_member_that_failed(stored, tmp_path):
    spoil(tmp_path / "model", 1)
    outputs = run(maker(tmp_path / "model").make(stored, PARTS), tmp_path / "campaign")
    assert "train 1" not in outputs
    card = open_model(tmp_path / "model").card
    assert [member.folder for member in card.members] == ["member-0", "member-2"]
    assert card.failed == ("member-1",)


def test_it_does_not_go_on_with_too_few(stored, tmp_path):
    spoil(tmp_path / "model", 1)
    outputs = run(maker(tmp_path / "model", least=3).make(stored, PARTS), tmp_path / "campaign")
    assert set(outputs) == {"train 0", "train 2"}
    assert not (tmp_path / "model" / "ensemble.json").exists()


@job
def given(value):
    return value


def test_collection_and_split_may_be_outputs_of_jobs(stored, tmp_path):
    first, second = given(stored), given(PARTS)
    flow = maker(tmp_path / "model", members=1).make(first.output, second.output)
    outputs = run(Flow([first, second, flow]), tmp_path / "campaign")
    assert outputs["assemble"]["folder"] == str(tmp_path / "model")


def test_what_cannot_be_wired_is_refused(stored, tmp_path):
    with pytest.raises(InputError, match="not absolute"):
        maker("here").make(stored, PARTS)
    with pytest.raises(InputError, match="3 members, of which 4 must be there"):
        maker(tmp_path, least=4).make(stored, PARTS)
    with pytest.raises(InputError, match="the trainings have the directory"):
        EnsembleMaker(train=TrainMaker(directory="/x"), directory=str(tmp_path)).make(stored, PARTS)
    odd = TrainMaker(settings=SETTINGS | {"seed": "first"})
    with pytest.raises(InputError, match="seed: 'first' cannot be used"):
        maker(tmp_path, train=odd).make(stored, PARTS)
    assert EnsembleMaker.from_dict(maker(tmp_path).as_dict()) == maker(tmp_path)
