"""Networks with different seeds as one model: what they say together, and what is refused."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from collections_for_tests import COGN, fit, labelled, metals, volumes

from zonemelt.tasks.errors import InputError, JobError
from zonemelt.tasks.train.ensemble import ENSEMBLE, assemble, assemble_job
from zonemelt.tasks.train.model_folder import CARD
from zonemelt.tasks.train.predictor import open_model
from zonemelt.tasks.train.said import of_all_members

METALS, NEAR, FAR = ("Al", "Cu"), np.linspace(3.8, 4.2, 20), np.linspace(5.0, 5.4, 6)
SPLIT = {"train": np.arange(0, 40, 2), "validation": np.arange(1, 40, 2)}
SETTINGS = {"epochs": 60, "learning_rate": 1e-2}


@pytest.fixture(scope="module")
def collection():
    crystals = metals(METALS, NEAR)
    return labelled(crystals, {("volume", "Å³/atom"): volumes(crystals)})


@pytest.fixture(scope="module")
def trained(tmp_path_factory, collection):
    folder = tmp_path_factory.mktemp("ensemble")
    for seed in range(3):
        fit(collection, folder / f"member-{seed}", split=SPLIT, settings={**SETTINGS, "seed": seed})
    return folder


@pytest.fixture(scope="module")
def ensemble(trained, collection):
    assemble(trained, [f"member-{seed}" for seed in range(3)], collection, SPLIT)
    return trained


@pytest.fixture
def copied(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "copied")
    return tmp_path / "copied"


def test_members_disagree_more_far_from_what_they_were_trained_on(ensemble):
    opened = open_model(ensemble)
    near = opened.predict(metals(METALS, NEAR[1::2] + 0.005))
    far = opened.predict(metals(METALS, FAR))
    assert far.deviation_NP.min() > near.deviation_NP.mean()
    assert far.deviation_NP.mean() > 4 * near.deviation_NP.mean()
    assert near.properties == (("volume", "Å³/atom"),)


def test_the_whole_says_what_its_members_say(ensemble):
    crystals = metals(METALS, NEAR[:3])
    members = [open_model(ensemble / f"member-{seed}").predict(crystals) for seed in range(3)]
    opened = open_model(ensemble)
    found = opened.predict(crystals)
    together = of_all_members([member.said for member in members])
    np.testing.assert_allclose(found.mean_NP, np.mean([member.mean_NP for member in members], axis=0))
    np.testing.assert_allclose(found.said.deviation_NP, together.deviation_NP)
    mended = opened.uncertainty["volume"].calibration.deviation(together.deviation_NP[:, 0])
    np.testing.assert_allclose(found.deviation_NP[:, 0], mended)
    low, high = found.interval(0.8)
    assert (low < found.mean_NP).all()
    assert (found.mean_NP < high).all()
    wide_low, wide_high = found.interval(0.9)
    assert (wide_high - wide_low > high - low).all()


def test_the_card_says_what_it_is_and_how_good(ensemble, collection):
    card = open_model(ensemble).card
    assert [member.seed for member in card.members] == [0, 1, 2]
    assert card.training["validation_set"] == collection.digest(SPLIT["validation"])
    members = [member.metrics["mae volume (Å³/atom)"] for member in card.members]
    assert card.metrics["mae of a member volume (Å³/atom)"] == pytest.approx(np.mean(members), rel=1e-6)
    assert card.metrics["mae volume (Å³/atom)"] <= np.mean(members) * (1 + 1e-6)  # |mean error|: Jensen
    report = card.uncertainty["volume"].report
    assert report.part == "validation"
    assert report.mae == pytest.approx(card.metrics["mae volume (Å³/atom)"])
    for name in ("ence", "miscalibration_area", "spearman"):
        assert np.isfinite(report.calibrated[name])


def test_members_with_variances_of_their_own(tmp_path, collection):
    for seed in range(2):
        settings = {"epochs": 3, "seed": seed}
        fit(collection, tmp_path / f"m{seed}", split=SPLIT, settings=settings, loss="gaussian")
    split = SPLIT | {"validation": SPLIT["validation"][::2], "test": SPLIT["validation"][1::2]}
    card = assemble(tmp_path, ["m0", "m1"], collection, split, recalibration="isotonic")
    assert card.uncertainty["volume"].report.part == "test"
    assert "test mae volume (Å³/atom)" in card.metrics
    crystals = metals(METALS, NEAR[:3])
    own = [open_model(tmp_path / name).predict(crystals).said.deviation_NP for name in ("m0", "m1")]
    found = open_model(tmp_path).predict(crystals).said.deviation_NP
    assert (found**2 >= np.mean(np.square(own), axis=0)).all()


def test_another_member_than_was_calibrated_is_refused(ensemble, copied):
    card = json.loads((copied / "member-1" / CARD).read_text())
    card["targets"][0]["shift"] += 1
    (copied / "member-1" / CARD).write_text(json.dumps(card))
    with pytest.raises(InputError, match="not the member that the ensemble was calibrated with"):
        open_model(copied)
    document = json.loads((copied / ENSEMBLE).read_text())
    document["members"][0]["folder"] = "../copied/member-0"
    (copied / ENSEMBLE).write_text(json.dumps(document))
    with pytest.raises(InputError, match="no ensemble of ours"):
        open_model(copied)


def test_members_that_do_not_belong_together_are_refused(copied, collection):
    other = SPLIT | {"train": SPLIT["train"][:-1]}
    with pytest.raises(InputError, match="member 'member-0': its training set"):
        assemble(copied, ["member-0"], collection, other)
    fit(collection, copied / "odd", split=SPLIT, settings={"epochs": 1}, loss="quantile")
    with pytest.raises(InputError, match="member 'odd': its head"):
        assemble(copied, ["member-0", "odd"], collection, SPLIT)
    wider = COGN.model_copy(update={"k": 18})
    fit(collection, copied / "wide", split=SPLIT, settings={"epochs": 1}, architecture=wider)
    with pytest.raises(InputError, match="member 'wide': its edges"):
        assemble(copied, ["member-0", "wide"], collection, SPLIT)


def test_too_few_members_are_said_by_name(tmp_path):
    given = {"collection": {}, "split": {}, "directory": str(tmp_path), "least": 2}
    with pytest.raises(JobError, match=r"1 of 3 members are there\n.*see why member-0, member-2 failed"):
        assemble_job.original(members=[None, {}, None], names=["member-0", "member-1", "member-2"], **given)
    with pytest.raises(JobError, match="the collection or its split is not there"):
        assemble_job.original(members=[{}, {}], names=["a", "b"], **(given | {"collection": None}))
