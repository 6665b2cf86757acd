"""steer: checked like the campaign's file, recorded with who and when, shown by status."""

from __future__ import annotations

import json
import os
import pwd
from typing import TYPE_CHECKING

import pytest
import yaml

from zonemelt.tasks.campaign_place import PLACE_VARIABLE, STEERED, steered
from zonemelt.workflows.campaigns.spec import load_campaign
from zonemelt.workflows.cli.plans import write_document
from zonemelt.workflows.engine.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A campaign of a file, which no head drives."""
    place = tmp_path / "begun"
    place.mkdir()
    write_document(place, load_campaign("al_potential").model_dump(mode="json"))
    ledger = Ledger(place)
    with ledger.transaction():
        ledger.put("name", "al_potential")
        ledger.put("status", "running")
    ledger.close()
    return place


def test_what_was_changed_is_where_jobs_look_and_in_the_file(zonemelt, begun: Path):
    said = zonemelt("steer", begun, "batch=3", "stop.labels=50", "explore.md.temperatures=[300, 900]")
    assert "batch = 3" in said
    assert "zonemelt resume" in said
    values = {"batch": 3, "stop.labels": 50, "explore.md.temperatures": [300, 900]}
    assert json.loads((begun / STEERED).read_text()) == values
    assert steered({PLACE_VARIABLE: str(begun)}) == values
    assert steered({}) == {}
    written = yaml.safe_load((begun / "campaign.yaml").read_text())
    assert (written["batch"], written["stop"]["labels"]) == (3, 50)


def test_later_values_win_and_who_changed_them_is_shown(zonemelt, begun: Path):
    zonemelt("steer", begun, "batch=3")
    zonemelt("steer", "batch=5", begun)
    assert json.loads((begun / STEERED).read_text()) == {"batch": 5}
    first, second = zonemelt.json("status", begun)["steered"]
    assert (first["values"], second["values"]) == ({"batch": 3}, {"batch": 5})
    assert first["who"] == pwd.getpwuid(os.geteuid()).pw_name
    assert first["time"] <= second["time"]
    assert "steered: batch = 5" in zonemelt("status", begun)
    assert "set batch = 5" in zonemelt("steer", begun)


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("bach=3", "did you mean 'batch'"),
        ("batch=0", "greater than or equal to 1"),
        ("batch=many", "valid integer"),
        ("oracle=gpaw", "cannot be changed while a campaign runs"),
        ("stop.label=3", "did you mean 'labels'"),
        ("explore.md.temperature=300", "temperature"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_changes(zonemelt, begun: Path, pair: str, said: str):
    before = (begun / "campaign.yaml").read_text()
    assert said in zonemelt.refused("steer", begun, pair)
    assert (begun / "campaign.yaml").read_text() == before
    assert not (begun / STEERED).exists()


def test_a_budget_is_raised(zonemelt, begun: Path):
    zonemelt("steer", begun, "budget_node_hours=7", "max_jobs_in_flight=3")
    from zonemelt.workflows.engine.dispatch import Limits
    from zonemelt.workflows.engine.head import Head
    from zonemelt.workflows.engine.lock import HeadLock
    from zonemelt.workflows.engine.pools import make_workers
    from zonemelt.workflows.engine.retry import RetryPolicy

    ledger = Ledger(begun)
    workers, _ = make_workers("inline", begun)
    with HeadLock(begun) as lock:
        head = Head(ledger, workers, lock=lock, policy=RetryPolicy(), limits=Limits(node_hours=1), store=None)  # type: ignore[arg-type]
        head.begin()
        head.step()
    assert (head.limits.node_hours, head.limits.in_flight, head.spending.budget) == (7, 3, 7)
    ledger.close()


def test_an_ended_campaign_and_one_of_a_program(zonemelt, begun: Path, mixed: Path):
    ledger = Ledger(begun)
    with ledger.transaction():
        ledger.put("status", "finished")
    ledger.close()
    assert "nothing is left to be steered" in zonemelt.refused("steer", begun, "batch=3")
    assert "a program started it" in zonemelt.refused("steer", mixed, "batch=3")


def test_init_lists_what_there_is_and_writes_one(zonemelt, home: Path):
    said = zonemelt("init")
    assert "al_potential" in said
    assert "Learn an interatomic potential" in said
    zonemelt("init", "--from", "al_potential")
    assert load_campaign(home / "al_potential.yaml").kind == "active_potential"
    (home / "here").mkdir()
    zonemelt("init", "--from", "al_potential", "here")
    assert (home / "here" / "al_potential.yaml").exists()
