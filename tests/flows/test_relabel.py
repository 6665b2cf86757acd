"""Loops of active learning: nothing is asked for twice, nothing is lost, and they end with a reason."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from graphs_for_tests import executions
from jobflow import OutputReference
from killed_loops import KilledLoop
from processes_for_tests import two_workers
from relabelling_for_tests import Special, result, small

from zonemelt import run_flow
from zonemelt.tasks.campaign_place import STEERED
from zonemelt.tasks.datasets import open_dataset
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.potentials.load import load_potential
from zonemelt.tasks.train.model_folder import CARD
from zonemelt.workflows.engine.inspect import open_ledger, summarise

LEARNS = {"members": 2, "basis": {"cutoff": 4.5, "radial": 5, "degree": 2}}


def labelled(place: Path) -> Counter[str]:
    """Structure → labels that were computed."""
    with open_ledger(place) as connection:
        rows = connection.execute(
            "SELECT name FROM jobs JOIN events ON events.job = jobs.id"
            " WHERE events.kind = 'done' AND jobs.name LIKE 'label %'"
        )
        return Counter(name for (name,) in rows)


def energies(place: Path) -> dict[str, float]:
    return {one.identifier: one.energy_free for one in open_dataset(place / "dataset").records()}


@pytest.fixture(scope="module")
def copper(tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    place = tmp_path_factory.mktemp("copper") / "campaign"
    run_flow(small(committee=LEARNS).make(), site="inline", directory=place, ensure_success=True)
    return place, result(place)


def test_errors_fall_and_every_label_is_in_the_dataset(copper):
    place, said = copper
    assert said["stopped"] == "3 rounds"
    first, last = said["rounds"][0]["heldout"], said["rounds"][-1]["heldout"]
    assert last["forces mae (eV/Å)"] < first["forces mae (eV/Å)"]
    assert set(labelled(place).values()) == {1}
    learnt, held = energies(place), {r.identifier for r in open_dataset(place / "heldout").records()}
    assert len(learnt) == said["labels"] == 6 + 4 * 4  # one batch more was asked for, ahead
    assert len(labelled(place)) == len(learnt) + len(held)
    assert held.isdisjoint(learnt)


def test_rounds_are_documents_that_say_what_was_done(copper):
    _, said = copper
    counts = [one["records"] for one in said["rounds"]]
    assert counts == [6, 10, 14, 18, 22]
    assert len({one["version"] for one in said["rounds"]}) == 5
    for one in said["rounds"]:
        assert len(open_dataset(one["dataset"], one["version"])) == one["records"]
        assert load_potential(one["committee"]).theory.code == "ase-emt"
        assert not any(one[key] for key in ("pending", "failed", "refused"))
    assert [one["spent"]["asked"] for one in said["rounds"]] == [6, 14, 18, 22, 22]
    assert said["rounds"][1]["surprise"] > 0
    assert json.loads(json.dumps(said)) == said


@pytest.mark.slow
def test_the_same_whatever_the_order_in_which_labels_come(copper, tmp_path):
    """Workers side by side, labels that take long: with a quorum of all the same is chosen."""
    maker = small(kind=Special, committee=LEARNS, straggler=0.5)
    run_flow(maker.make(), site=two_workers(), directory=tmp_path / "other", ensure_success=True)
    assert energies(tmp_path / "other") == energies(copper[0])
    assert result(tmp_path / "other")["records"] == copper[1]["records"]


@pytest.mark.parametrize(("quorum", "wanted"), [(0.55, 55), (0.551, 56), (0.001, 1), (1.0, None)])
def test_a_quorum_is_its_share_of_the_labels_and_no_more(quorum, wanted):
    pending = {f"{number}": {"label": f"{number}", "geometry": {}} for number in range(100)}
    made = small(quorum=quorum).make_collection([], pending, dataset=Path("/d"), number=1, last=False)
    assert made.config.manager_config.get("quorum") == wanted


@pytest.mark.timeout(1800)
def test_stragglers_join_a_later_round(tmp_path):
    maker = small(kind=Special, quorum=0.5, straggler=1.0, stop={"rounds": 2})
    run_flow(maker.make(), site=two_workers(), directory=tmp_path / "c", ensure_success=True)
    said = result(tmp_path / "c")
    assert set(labelled(tmp_path / "c").values()) == {1}
    assert said["records"] == said["labels"] == 6 + 3 * 4
    assert any(one["pending"] for one in said["rounds"])
    assert said["rounds"][-1]["pending"] == {}
    arrived = [name for one in said["rounds"] for name in one["accepted"]]
    assert len(arrived) == len(set(arrived)) == said["records"]


@pytest.mark.timeout(1800)
def test_killed_heads_change_nothing(tmp_path):
    """Kills anywhere: the same labels, the same dataset; executed twice is only what was cut off."""
    quiet, maker = tmp_path / "quiet", small(stop={"rounds": 1}, initial=4, heldout=3, batch=2)
    run_flow(maker.make(), site="inline", directory=quiet, ensure_success=True)
    (tmp_path / "killed").mkdir()
    loop = KilledLoop(tmp_path / "killed", maker, seed=5)
    for _ in range(3):
        loop.start("inline")
        loop.wait_for_progress(loop.random.randint(1, 3))
        loop.kill_head(workers=1)
    loop.finish("inline")
    assert loop.kills == 3
    assert energies(loop.directory) == energies(quiet)
    assert labelled(loop.directory) == labelled(quiet)
    assert sum(executions(loop.folder).values()) <= len(labelled(quiet)) + loop.at_risk
    said, before = result(loop.directory), result(quiet)
    for one, other in zip(said["rounds"], before["rounds"], strict=True):
        assert one["heldout"] == pytest.approx(other["heldout"], rel=1e-6)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_everything_is_killed(copper, tmp_path):
    """Heads, interchanges, managers and workers, ten times while labels take their time."""
    loop = KilledLoop(tmp_path, small(committee=LEARNS), seed=1, seconds=0.5)
    killed = loop.run(10, most=4)
    print(dict(killed), "executions:", sum(executions(loop.folder).values()), "at risk:", loop.at_risk)
    assert sum(killed.values()) >= 7
    assert energies(loop.directory) == energies(copper[0])
    assert labelled(loop.directory) == labelled(copper[0])
    assert sum(executions(loop.folder).values()) <= len(labelled(copper[0])) + loop.at_risk


def test_an_oracle_that_always_fails_ends_the_campaign_with_its_reason(tmp_path):
    run_flow(small(kind=Special, fails=16).make(), site="inline", directory=tmp_path / "c")
    summary = summarise(tmp_path / "c")
    assert summary.status == "failed"
    assert any("the electrons did not converge" in failure.message for failure in summary.failures)
    assert any("6 of 6 labels failed" in failure.message for failure in summary.failures)
    assert sum(labelled(tmp_path / "c").values()) == 12  # no more than it began with


def test_some_labels_fail_and_the_campaign_goes_on(tmp_path):
    maker = small(kind=Special, fails=4, most_failed=0.9, stop={"rounds": 2}, initial=10)
    run_flow(maker.make(), site="inline", directory=tmp_path / "c", ensure_success=True)
    said = result(tmp_path / "c")
    assert said["refused"]
    assert all("did not converge" in why for why in said["refused"].values())
    assert len(energies(tmp_path / "c")) + len(said["refused"]) == 10 + 3 * 4
    quarantine = open_dataset(tmp_path / "c" / "dataset").quarantine
    assert {record.identifier for record in quarantine.records()} == set(said["refused"])


def test_a_pool_that_is_used_up(tmp_path):
    """An explorer that can propose three structures, for batches of four."""
    explore = {
        "one": {"explorer": "deform", "copies": 1, "displacement": 0, "strain": 0, "repeat": (2, 1, 1)},
        "two": {"explorer": "deform", "copies": 1, "displacement": 0, "strain": 0, "repeat": (1, 1, 2)},
    }
    flow = small(explore=explore, ahead=0).make()
    run_flow(flow, site="inline", directory=tmp_path / "c", ensure_success=True)
    said = result(tmp_path / "c")
    assert said["stopped"].startswith("exhausted: nothing is left to be chosen (proposed: 2")
    assert said["rounds"][1]["choice"]["chosen"] == 2
    assert said["records"] == 6 + 2


def test_a_budget_of_labels_is_kept(tmp_path):
    flow = small(stop={"labels": 13, "rounds": None}).make()
    run_flow(flow, site="inline", directory=tmp_path / "c", ensure_success=True)
    said = result(tmp_path / "c")
    assert said["labels"] == said["rounds"][-1]["spent"]["asked"] == 13
    assert said["stopped"] == "13 labels were asked for"


def test_what_is_steered_holds_from_the_next_round_on(tmp_path):
    place = tmp_path / "c"
    place.mkdir()
    (place / STEERED).write_text(json.dumps({"batch": 2, "stop.rounds": 1, "budget_node_hours": 5}))
    run_flow(small(ahead=0).make(), site="inline", directory=place, ensure_success=True)
    said = result(place)
    assert [one["records"] for one in said["rounds"]] == [6, 8]
    assert said["rounds"][1]["steered"]["batch"] == 2


NETWORKS = {
    "members": 3, "kind": "network", "architecture": {"cutoff": 3.7, "channels": [4, 4]},
    "settings": {"epochs": 2},
}  # fmt: skip


def test_networks_of_a_round_begin_with_those_of_the_last(tmp_path):
    maker = small(committee=NETWORKS, resources={"train": {"pool": "gpu", "nodes": 2, "quorum": 3}}, seed=7)
    maker.check()
    last = tmp_path / "committees" / "round-0"
    for number in (0, 2):  # the second has failed
        (last / f"member-{number}").mkdir(parents=True)
        (last / f"member-{number}" / CARD).write_text("{}")
    flow = maker.learn(1, OutputReference("gathered"), [{"committee": str(last)}], tmp_path)
    jobs = {one.name: one for one, _ in flow.iterflow()}
    assert jobs["collection"].function_kwargs["cutoff"] == 3.7
    trained = [jobs[f"train {number}"] for number in range(3)]
    assert [Path(one.function_kwargs["start"]).name for one in trained] == [
        "member-0",
        "member-0",
        "member-2",
    ]
    assert [one.function_kwargs["settings"]["seed"] for one in trained] == [7, 8, 9]
    config = trained[0].config.manager_config
    assert (config["pool"], config["nodes"], config["priority"]) == ("gpu", 2, 5)
    assert "quorum" not in config


def test_loops_that_cannot_begin():
    twice = [*small().structures] * 2
    with pytest.raises(InputError, match="two have one name"):
        small(structures=twice).check()
    with pytest.raises(InputError, match="give one or more to begin with"):
        small(structures=[]).check()
    with pytest.raises(UnknownKeyError, match="did you mean 'channels'"):
        small(committee={**NETWORKS, "architecture": {"chanels": [4]}}).check()


def test_steering_reaches_into_mappings():
    maker = small().with_steering({"explore.shake.copies": 3, "stop.labels": 9})
    assert maker.explore["shake"]["copies"] == 3
    assert maker.stop == {"rounds": 3, "labels": 9}
    assert small().explore["shake"]["copies"] == 12
    with pytest.raises(UnknownKeyError, match="shak"):
        small().with_steering({"explore.shak.copies": 3})
