"""A target with a property: labels hold it, a model learns it round by round, verdicts say how sure it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from discoveries_for_tests import small
from relabelling_for_tests import result

from zonemelt import run_flow
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.datasets import commit, open_dataset, write_part
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.explore.deform import Deform
from zonemelt.tasks.explore.explorers import explore
from zonemelt.tasks.explore.orderings import ordered_crystals
from zonemelt.tasks.label.by_ase import emt
from zonemelt.tasks.label.jobs import label_job
from zonemelt.tasks.label.measured import bulk_modulus
from zonemelt.tasks.label.settings import EmtSettings
from zonemelt.tasks.records import Record
from zonemelt.tasks.rounds.discovered import Outcome
from zonemelt.tasks.train.predictor import open_model
from zonemelt.workflows.campaigns.spec import build_flow, load_campaign
from zonemelt.workflows.verdicts import read_verdicts

PROPERTY: dict[str, Any] = {
    "target": "bulk_modulus 0.5 to 1.4 eV/Å^3, above_hull < 0.3, at most 2 atoms",
    "measure": ["bulk_modulus"],
    "models": {"bulk_modulus": {"family": "extra_trees", "settings": {"n_estimators": 40}, "grid": {}}},
}


TINY: dict[str, Any] = {
    **PROPERTY,
    "seeds": [], "initial": 0, "seed": 1, "batch": 3, "refine": 1, "stop": {"rounds": 1},
    "committee": {"members": 2, "basis": {"cutoff": 4.5, "radial": 4, "degree": 1}},
    "generator": {
        "architecture": {"width": 16, "layers": 1, "frequencies": 2}, "settings": {"epochs": 3},
        "within": 1.0, "most_atoms": 2, "cells": 1,
    },
    "sample": [{"count": 6, "near": 4, "strength": 0.2, "steps": 10}],
    "relax": {"force": 0.2, "steps": 15, "method": "lbfgs"},
    "acquire": {"reach": 1.0},
}  # fmt: skip


@pytest.fixture(scope="module")
def known(tmp_path_factory) -> Path:
    """Labels that are there already: deformed orderings of aluminium and gold, with their bulk moduli."""
    place = tmp_path_factory.mktemp("known") / "labels"
    orderings = ordered_crystals(["Al", "Au"], lattices=["fcc"], sizes=[2])
    deform = Deform(copies=3, displacement=0.1, strain=0.04, volume=(-0.2, 0.2))
    some = [*orderings, *explore(deform, orderings, seed=0)["candidates"]][:12]
    records = [
        Record.model_validate(
            label_job.original(
                identifier=one["identifier"], geometry=one["geometry"], oracle="emt", settings={},
                measure=["bulk_modulus"],
            )
        )
        for one in some
    ]  # fmt: skip
    commit(place, [write_part(place, records)], message="known")
    return place


@pytest.fixture(scope="module")
def campaign(tmp_path_factory, known) -> tuple[Path, dict[str, Any]]:
    """The campaign of the catalog, made small, beginning with what is known."""
    place = tmp_path_factory.mktemp("properties") / "campaign"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("here"))
        flow = build_flow(load_campaign("stiff_alloys", {**TINY, "known": str(known)}))
    run_flow(flow, site="inline", directory=place, ensure_success=True)
    return place, result(place)


def test_what_is_known_is_what_it_begins_with(campaign, known):
    _, said = campaign
    first = said["rounds"][0]
    assert first["records"] == len(open_dataset(known)) == 12
    assert first["spent"]["labels"] == 0  # none was asked for
    assert said["records"] > 12
    theories = open_dataset(said["dataset"], said["version"]).theories
    assert len(theories) == 1


def test_labels_hold_what_is_measured_and_models_learn_it(campaign):
    _, said = campaign
    records = {one.identifier: one for one in open_dataset(said["dataset"], said["version"]).records()}
    assert all("bulk_modulus" in one.properties for one in records.values())
    one = records[min(records)]
    again = bulk_modulus(one, lambda each: emt(each, EmtSettings(), identifier="x", workdir=Path()))
    assert one.properties["bulk_modulus"].value == pytest.approx(again.value, rel=1e-9)
    lessons = [
        next(
            each for each in Outcome.model_validate(one["discovery"]).lessons if each.model == "bulk_modulus"
        )
        for one in said["rounds"]
    ]
    assert [one.labels for one in lessons] == [one["records"] for one in said["rounds"]]
    assert lessons[-1].labels > lessons[0].labels
    assert lessons[0].new == 0
    assert lessons[1].new == len(said["rounds"][1]["accepted"])
    # the error of a round is that of the model of the round before, on labels that it had not seen
    before = open_model(said["rounds"][0]["models"]["bulk_modulus"])
    new = [records[name] for name in said["rounds"][1]["accepted"]]
    found = before.predict(Crystals.of(one.geometry for one in new)).mean_NP[:, 0]
    values = [one.properties["bulk_modulus"].value for one in new]
    expected = np.abs(found - values).mean()
    assert lessons[1].errors["bulk_modulus mae (eV/Å^3)"] == pytest.approx(expected)


def test_verdicts_say_what_models_predict_and_how_sure_that_is(campaign):
    place, said = campaign
    verdicts = [one for one, _ in read_verdicts(place) if one.converged]
    assert verdicts
    for one in verdicts:
        assert one.properties["bulk_modulus"].unit == "eV/Å^3"
        assert one.properties["bulk_modulus"].deviation > 0
    outcome = Outcome.model_validate(said["discovery"])
    assert outcome.discoveries
    for one in outcome.discoveries:
        value = one.properties["bulk_modulus"].value
        assert one.predicted == ()  # it has a label: what the oracle measured decides
        assert one.confirmed == (0.5 <= value <= 1.4 and one.above_hull < 0.3)


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"measure": ["bulk_moduls"]}, UnknownKeyError, "did you mean 'bulk_modulus'"),
        ({"models": {}}, InputError, "nothing predicts it.*extra_trees"),
        ({"measure": []}, InputError, "no label will hold bulk_modulus"),
        ({"target": "bulk_modulus 80 to 140 GPa"}, InputError, r"given in eV/Å\^3"),
        ({"target": "above_hull < 0.3"}, UnknownKeyError, "bulk_modulus"),
    ],
)
def test_what_is_refused_before_anything_is_labelled(changes, error, said):
    with pytest.raises(error, match="(?s)" + said):
        small(**{**PROPERTY, **changes}).check()


@pytest.mark.parametrize(
    ("target", "told", "wish", "wished"),
    [
        ("above_hull < 0.1", "", "above_hull", 0.0),
        ("bulk_modulus 0.5 to 1.4 eV/Å^3, above_hull < 0.3", "", "bulk_modulus", 0.95),
        ("bulk_modulus > 0.7 eV/Å^3", "", "bulk_modulus", 0.7),
        ("bulk_modulus > 0.7 eV/Å^3", "above_hull", "above_hull", 0.0),
    ],
)
def test_a_generator_is_asked_for_what_is_looked_for(target, told, wish, wished):
    maker = small(target=target, generator={"wish": told})
    assert maker.wish == wish
    assert maker.wished == pytest.approx(wished)
