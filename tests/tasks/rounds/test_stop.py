"""When a loop ends, and what it says then."""

from __future__ import annotations

from typing import Any

import pytest

from zonemelt.tasks.metrics.energies_forces import ENERGY_MAE, FORCES_MAE
from zonemelt.tasks.rounds.judge import Round, round_document
from zonemelt.tasks.rounds.stop import Stop, reason_to_stop

CONFIRMED = [{"confirmed": True}, {"confirmed": False}, {"confirmed": True}]


def now(**changes: Any) -> list[dict[str, Any]]:
    document = {
        "round": 2, "exhausted": False, "choice": {}, "uncertainty": None, "surprise": None,
        "heldout": {ENERGY_MAE: 0.01, FORCES_MAE: 0.1},
        "spent": {"asked": 30, "node_hours": 4.0},
    }  # fmt: skip
    return [{**document, **changes}]


@pytest.mark.parametrize(
    ("stop", "changes", "said"),
    [
        ({}, {}, ""),
        ({"rounds": 2}, {}, "2 rounds"),
        ({"labels": 30}, {}, "30 labels were asked for"),
        ({"node_hours": 3}, {}, "labels took 4 node-hours, 3 were allowed"),
        ({"force_error": 0.2}, {}, "forces mae (eV/Å) 0.1, wanted 0.2"),
        ({"force_error": 0.05}, {}, ""),
        ({"force_error": 0.2, "energy_error": 0.001}, {}, ""),
        ({"uncertainty": 0.3}, {"uncertainty": 0.2}, "calibrated deviation of forces 0.2 eV/Å, wanted 0.3"),
        ({"uncertainty": 0.3}, {"uncertainty": 0.4}, ""),
        ({"uncertainty": 0.3}, {"uncertainty": 0.2, "surprise": 20.0}, ""),
        ({"promise": 0.02}, {"choice": {"promise": 0.01}}, "no candidate left is among the best"),
        ({}, {"exhausted": True, "choice": {"explored": {"proposed": 3}}}, "exhausted: "),
        (
            {"confirmed": 2},
            {"discovery": {"discoveries": CONFIRMED}},
            "2 crystals within the target are conf",
        ),
        ({"confirmed": 3}, {"discovery": {"discoveries": CONFIRMED}}, ""),
        ({"rounds": None}, {"round": 500}, ""),
    ],
)
def test_reasons(stop, changes, said):
    found = reason_to_stop(Stop(**stop), now(**changes))
    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_an_exhausted_campaign_says_what_became_of_what_was_found():
    choice = {
        "explored": {"proposed": 42, "kept": 42, "refused: asked for already": 0},
        "counts": {"generated": 42, "verdict off target": 27, "verdict undefined": 13, "verdict stable": 0},
    }
    history = now(exhausted=True, choice=choice)
    assert reason_to_stop(Stop(), history).endswith("(proposed: 42, off target: 27, undefined: 13)")
    refused = {"deviation above 0.5": 3, "stability below -0.5": 8}
    history = now(exhausted=True, choice={**choice, "refused": refused})
    assert reason_to_stop(Stop(), history).endswith(
        "undefined: 13; left out in choosing (see acquire): deviation above 0.5: 3, stability below -0.5: 8)"
    )
    history = now(exhausted=True, choice={"refused": {"deviation above 0.5": 3}})
    assert reason_to_stop(Stop(), history).endswith(
        "chosen (left out in choosing (see acquire): deviation above 0.5: 3)"
    )


def test_draws_may_find_nothing_once_before_a_campaign_is_exhausted():
    found, nothing = now()[0], now(exhausted=True)[0]
    twice = Stop(empty=2)
    assert reason_to_stop(Stop(), [found, nothing]).startswith("exhausted")
    assert not reason_to_stop(twice, [found, nothing])
    assert not reason_to_stop(twice, [found, nothing, found])
    assert not reason_to_stop(twice, [found, nothing, found, nothing])
    assert reason_to_stop(twice, [found, nothing, nothing]).startswith("exhausted")


def test_a_committee_that_agrees_on_nonsense_does_not_end_a_campaign_by_its_certainty():
    sure = {"uncertainty": 0.01}
    assert reason_to_stop(Stop(uncertainty=0.3), now(**sure, surprise=1.2))
    assert not reason_to_stop(Stop(uncertainty=0.3), now(**sure, surprise=6.0))


def test_what_was_spent_adds_up():
    gathered = {
        "dataset": "d", "version": "v", "records": 3, "quarantine": 1, "accepted": ["a", "b"],
        "refused": {"c": "why"}, "failed": [], "pending": {}, "seconds": 3600.0, "cpu_seconds": 1800.0,
    }  # fmt: skip
    common = {
        "gathered": gathered, "committee": {"folder": "c"}, "heldout": None, "choices": [], "steered": {},
    }  # fmt: skip
    first = round_document(Round(number=0, before=None, nodes=2, **common), {})
    second = round_document(Round(number=1, before=first, nodes=2, **common), {})
    assert second["spent"] == {"labels": 6, "asked": 3, "node_hours": 4.0, "cpu_hours": 1.0}
