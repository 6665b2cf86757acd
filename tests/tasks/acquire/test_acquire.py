"""Potentials and models asked what to label next, from their candidates to the batch."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from ase.build import bulk
from potentials_for_tests import Morse

from zonemelt.tasks.acquire.jobs import acquire, acquire_job, acquiring_of
from zonemelt.tasks.acquire.of_model import Aim, discovery_scores
from zonemelt.tasks.acquire.of_potential import design_blocks, information, pool_of
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore.candidate import read_parents
from zonemelt.tasks.explore.explorers import explore, explorer_of
from zonemelt.tasks.potentials.committee import Committee
from zonemelt.tasks.potentials.linear import Basis, Linear, LinearCard
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.theory import Theory

COMMITTEE = Committee("three", [Morse(depth=depth) for depth in (0.27, 0.3, 0.33)])
LABELLED = [{"identifier": "known", "geometry": Geometry.of(bulk("Cu", cubic=True)).model_dump(mode="json")}]


def candidates(copies=8, seed=0):
    document = {"explorer": "deform", "copies": copies, "displacement": 0.1, "volume": [-0.1, 0.1]}
    return explore(explorer_of(document), LABELLED, seed=seed)["candidates"]


def asked(found, count=3, potential=COMMITTEE, labelled=LABELLED, **settings):
    return acquire(potential, found, labelled, acquiring_of(settings), count=count, seed=0)


@pytest.mark.parametrize("strategy", ["top", "farthest", "conditional_variance", "random"])
def test_committee_chooses_candidates_with_their_origin(strategy):
    some = candidates()
    found = asked(some, strategy=strategy)
    assert len({one["identifier"] for one in found["chosen"]}) == 3
    assert all(one in some for one in found["chosen"])
    assert found["summary"]["chosen"] == 3
    assert set(found["scores"]) == {one["identifier"] for one in some}
    assert asked(some[::-1], strategy=strategy) == found


def test_spread_is_that_of_the_committee():
    some = candidates()
    found = asked(some, strategy="top", score="force_spread")
    spread = COMMITTEE.spread(Crystals.of(Geometry.model_validate(one["geometry"]) for one in some))
    largest = spread.forces_A.reshape(len(some), -1).max(axis=1)
    for one, value in zip(some, largest, strict=True):
        assert found["scores"][one["identifier"]]["force_spread"] == pytest.approx(value)
    assert found["chosen"][0] == some[int(largest.argmax())]


def test_copies_of_one_structure_are_not_a_batch():
    some = candidates(copies=4)
    worst, *others = asked(some, strategy="top", count=4)["chosen"]
    near = [{**worst, "identifier": f"copy-{number}"} for number in range(6)]

    def copies(strategy):
        found = asked([*near, *others], strategy=strategy, count=4)["chosen"]
        return sum(one["identifier"].startswith("copy") for one in found)

    assert copies("top") == 4
    assert copies("conditional_variance") == 1


def test_what_is_labelled_foreign_or_impossible_is_refused_and_counted():
    some = candidates(copies=3)
    gold = {"identifier": "gold", "geometry": Geometry.of(bulk("Au")).model_dump(mode="json")}
    squeezed = {
        "identifier": "squeezed", "geometry": Geometry.of(bulk("Cu", a=1.2)).model_dump(mode="json"),
    }  # fmt: skip
    found = asked([*some, gold, squeezed], labelled=[*LABELLED, some[0]], count=10)
    assert found["summary"]["refused"] == {
        "atoms too close": 1, "labelled already": 1, "the potential does not know Au": 1,
    }  # fmt: skip
    assert found["summary"]["candidates"] == 5
    assert [one["identifier"] for one in found["chosen"]] != []
    assert found["summary"]["chosen"] == 2


def test_committee_that_agrees_on_nonsense_is_not_believed():
    """Members that agree far from all that they know: only the distance says so."""
    agreeing = Committee("two", [Morse(), Morse()])
    known = [{"identifier": f"known-{n}", "geometry": one["geometry"]} for n, one in enumerate(candidates(6))]
    apart = {
        "identifier": "apart", "geometry": Geometry.of(bulk("Cu", cubic=True, a=6.5)).model_dump(mode="json"),
    }  # fmt: skip
    some = [*candidates(6, seed=1), apart]
    found = asked(some, potential=agreeing, labelled=known, strategy="random", count=7)
    assert found["scores"]["apart"]["force_spread"] == 0.0
    assert found["summary"]["chosen"] == 7
    guarded = asked(
        some,
        potential=agreeing,
        labelled=known,
        strategy="random",
        count=7,
        windows={"distance": [None, 3.0]},
    )
    assert "apart" not in {one["identifier"] for one in guarded["chosen"]}
    assert guarded["summary"]["refused"]["distance above 3"] >= 1


def test_nothing_left_is_a_batch_of_none():
    for some, refused in (([], {}), ([LABELLED[0]], {"labelled already": 1})):
        found = asked(some)
        assert found["chosen"] == []
        assert (found["summary"]["chosen"], found["summary"]["refused"]) == (0, refused)


def linear(seed=0):
    basis = Basis(cutoff=3.6, radial=2, degree=1, elements=("Cu",))
    card = LinearCard(basis=basis, references={"Cu": -1.0}, theory=Theory(code="none"), ridge=0.0)
    import torch

    weights = torch.from_numpy(np.random.default_rng(seed).normal(size=(1, basis.features)))
    return Linear("linear", card, weights)


def test_rows_of_a_linear_potential_give_its_energies_and_forces():
    model = linear()
    crystals = Crystals.of(one.geometry for one in read_parents(candidates(2)))
    found = model.evaluate(crystals)
    weights = model._weights_ZF.numpy().reshape(-1)
    for place, block in enumerate(design_blocks(crystals, model.card.basis, energy_weight=4.0)):
        rows = np.concatenate(
            [
                [(found.energies_G[place] / 4 + 1.0) * np.sqrt(4.0 * 12)],
                found.forces_A3[4 * place : 4 * place + 4].reshape(-1),
            ]
        )
        # a triangle stands for the rows: the same length
        assert np.linalg.norm(block @ weights) == pytest.approx(np.linalg.norm(rows), rel=1e-8)


def test_d_optimal_batch_of_a_linear_committee():
    members = Committee("linear", [linear(0), linear(1)])
    some = candidates()
    for strategy in ("d_optimal", "v_optimal"):
        found = asked(some, potential=members, strategy=strategy, count=3)
        assert len(found["chosen"]) == 3
    with pytest.raises(InputError, match="needs rows of a linear model"):
        asked(some, strategy="d_optimal")
    basis = linear().card.basis
    known = information(Crystals.of(one.geometry for one in read_parents(LABELLED)), basis)
    assert np.linalg.eigvalsh(known).min() > 0


def test_one_potential_has_no_spread_but_features():
    pool = pool_of(Morse(), read_parents(candidates()), read_parents(LABELLED))
    assert set(pool.scores) == {"force", "distance"}
    assert pool.covariance_NN is None


class Model:
    """Answers with the volume of the cell, and is not sure of it."""

    properties = (("volume", "Å³"), ("other", ""))

    def predict(self, crystals):
        mean = np.abs(np.linalg.det(crystals.cells_G33))[:, None] * [1.0, 0.0]
        return SimpleNamespace(
            mean_NP=mean,
            deviation_NP=np.ones_like(mean),
            interval=lambda coverage: (mean - coverage, mean + coverage),
        )


def test_model_of_a_property_looks_for_the_best():
    some = candidates()
    known = [{**LABELLED[0], "value": 47.0}]
    volumes = [abs(np.linalg.det(one["geometry"]["cell"])) for one in some]
    settings = {"strategy": "top", "score": "improvement", "target": "volume", "coverage": 0.9, "limit": 45}
    found = acquire(Model(), some, known, acquiring_of(settings), count=1, seed=0)
    assert found["chosen"] == [some[int(np.argmin(volumes))]]
    scores = found["scores"][some[0]["identifier"]]
    assert set(scores) == {
        "probability_of_best", "optimistic", "promise", "deviation", "improvement", "probability",
        "conformal",
    }  # fmt: skip
    assert scores["conformal"] == pytest.approx(0.9 - volumes[0])
    most = acquiring_of({**settings, "wanted": "highest"})
    found = acquire(Model(), some, known, most, count=1, seed=0)
    assert found["chosen"] == [some[int(np.argmax(volumes))]]


@pytest.mark.parametrize("labelled", [[], [{**LABELLED[0], "value": 47.0}]])
def test_of_no_candidates_a_model_has_the_scores_that_are_named(labelled):
    settings = {
        "target": "volume", "coverage": 0.9, "limit": 45.0, "strategy": "pareto",
        "windows": {"deviation": [None, 2.0], "conformal": [0.0, None]},
        "aims": {"optimistic": 0.0, "probability": 0.0},
    }  # fmt: skip
    found = acquire(Model(), labelled, labelled, acquiring_of(settings), count=3, seed=0)
    assert found["chosen"] == []
    assert found["summary"]["candidates"] == len(labelled)
    wrong = acquiring_of({**settings, "windows": {"deviatio": [None, 2.0]}})
    with pytest.raises(InputError, match="did you mean 'deviation'"):
        acquire(Model(), [], labelled, wrong, count=3, seed=0)


class Certain(Model):
    """Says nothing of how sure it is."""

    def predict(self, crystals):
        return SimpleNamespace(mean_NP=super().predict(crystals).mean_NP, deviation_NP=None)


def test_scores_without_a_label_have_no_improvement():
    found = discovery_scores(np.zeros(2), np.ones(2), np.empty(0), Aim())
    assert "improvement" not in found


def test_bad_input_is_told():
    with pytest.raises(InputError, match="did you mean 'strategy'"):
        acquiring_of({"strategie": "top"})
    with pytest.raises(InputError, match="name one of them"):
        acquire(Model(), candidates(1), [], acquiring_of({}), count=1, seed=0)
    with pytest.raises(InputError, match="did you mean 'volume'"):
        acquire(Model(), candidates(1), [], acquiring_of({"target": "volum"}), count=1, seed=0)
    with pytest.raises(InputError, match="nothing of how sure it is of 'volume'"):
        acquire(Certain(), candidates(1), [], acquiring_of({"target": "volume"}), count=1, seed=0)
    with pytest.raises(InputError, match="give each labelled structure its value"):
        acquire(Model(), candidates(1), LABELLED, acquiring_of({"target": "volume"}), count=1, seed=0)
    with pytest.raises(InputError, match="neither is given"):
        acquire_job.original(candidates=[], labelled=[], settings={}, count=1, seed=0)
    with pytest.raises(InputError, match="candidates, number 0"):
        asked([{"identifier": "x"}])
