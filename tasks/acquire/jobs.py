"""Choose what to label next, as a job: candidates and a model in, a batch and its reasons out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jobflow import job
from pydantic import Field

from zonemelt.tasks.acquire.likeness import kernel_of_spread
from zonemelt.tasks.acquire.of_model import Aim, Wanted, discovery_scores, scores_of
from zonemelt.tasks.acquire.of_potential import described, pool_of
from zonemelt.tasks.acquire.select import Pool, Selecting, select
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore.candidate import Parent, read_parents
from zonemelt.tasks.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zonemelt.tasks.potentials.potential import Potential
    from zonemelt.tasks.train.predictor import Predictor

KNOWN: Final = "labelled already"
LINEAR: Final = ("d_optimal", "v_optimal")
"""Strategies that need the rows of a linear potential."""


class Acquiring(Selecting):
    """How to acquire: how to select, what tells structures apart, and what is looked for."""

    strategy: str = Field(default="conditional_variance", description="a key of STRATEGIES")
    features: str = Field(default="acsf", description="kind of features; empty for none")
    cutoff: float = Field(default=5.0, gt=0, description="of the features, Å")
    closest: float = Field(
        default=0.5, gt=0, lt=1, description="of the sum of covalent radii; nearer is refused"
    )
    target: str = Field(default="", description="property of the model; its only one where empty")
    wanted: Wanted = Field(default="lowest", description="values of the property")
    limit: float | None = Field(default=None, description="of the property, that is good enough")
    fraction: float = Field(default=0.01, gt=0, le=1, description="of all candidates that counts as the best")
    beta: float = Field(default=1.0, ge=0, description="deviations of optimism")
    coverage: float | None = Field(default=None, gt=0, lt=1, description="of intervals, for 'conformal'")

    @property
    def aim(self) -> Aim:
        """What is looked for."""
        return Aim(wanted=self.wanted, limit=self.limit, fraction=self.fraction, beta=self.beta)


def acquiring_of(document: Mapping[str, Any]) -> Acquiring:
    """Read how to acquire.

    Raises:
        InputError: a key is unknown or a value out of its range.
    """
    return read_settings(Acquiring, document, where="acquisition")


def acquire(
    asked: Potential | Predictor,
    candidates: Sequence[Mapping[str, Any]],
    labelled: Sequence[Mapping[str, Any]],
    settings: Acquiring,
    *,
    count: int,
    seed: int,
) -> dict[str, Any]:
    """Choose a batch.

    Args:
        asked: a committee of potentials, a potential, or a model of a property.
        candidates: documents with ``identifier`` and ``geometry``, as explorers find them.
        labelled: the same of what has a label; for a model of a property each with its ``value``. Candidates
            that are among them are not chosen again.
        settings: see :class:`Acquiring`.
        count: how many to choose.
        seed: of what is drawn.

    Returns:
        ``chosen``: candidates' documents, in the order they were picked; ``scores``: identifier → scores;
        ``summary``: see :attr:`.Selection.summary`. Fewer than ``count`` are chosen where fewer can be
        trusted.

    Raises:
        InputError: a candidate is no structure, or a strategy or score is unknown or not to be had.
    """
    from zonemelt.tasks.potentials.potential import Potential

    by_name = {str(one.get("identifier")): dict(one) for one in candidates}
    known = read_parents(map(dict, labelled), where="labelled") if labelled else []
    done = {one.identifier for one in known}
    every = read_parents(map(dict, candidates), where="candidates") if candidates else []
    # in one order, so that rounding is the same too
    new = sorted((one for one in every if one.identifier not in done), key=lambda one: one.identifier)
    if isinstance(asked, Potential):
        pool = pool_of(
            asked, new, known, features=settings.features, cutoff=settings.cutoff,
            closest=settings.closest, rows=settings.strategy in LINEAR,
        )  # fmt: skip
    else:
        pool = _pool_of_model(asked, new, known, labelled, settings)
    found = select(pool, settings, count=count, seed=seed)
    refused = {**found.refused, **{one.identifier: KNOWN for one in every if one.identifier in done}}
    found = type(found)(
        chosen=found.chosen, scores=found.scores, refused=refused, asked=count, strategy=found.strategy
    )
    return {
        "chosen": [by_name[name] for name in found.chosen],
        "scores": {name: dict(row) for name, row in found.scores.items()},
        "summary": found.summary,
    }


def _pool_of_model(
    model: Predictor,
    new: Sequence[Parent],
    known: Sequence[Parent],
    labelled: Sequence[Mapping[str, Any]],
    settings: Acquiring,
) -> Pool:
    try:
        labels_L = np.array([float(one["value"]) for one in labelled])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"no number: {error}", where="labelled, value", remedy="give each labelled structure its value"
        ) from None
    if not new:  # the scores that windows and aims may name, of nobody
        nobody = discovery_scores(np.empty(0), np.empty(0), labels_L, settings.aim)
        more = {} if settings.coverage is None else {"conformal": np.empty(0)}
        return Pool(names=(), scores=nobody | more)
    scores = scores_of(model, new, labels_L, settings.aim, target=settings.target, coverage=settings.coverage)
    features_NF = known_MF = None
    if settings.features:
        features_NF, known_MF = described(new, known, kind=settings.features, cutoff=settings.cutoff)
    return Pool(
        names=tuple(one.identifier for one in new),
        scores=scores,
        features_NF=features_NF,
        known_MF=known_MF,
        covariance_NN=None if features_NF is None else kernel_of_spread(scores["deviation"], features_NF),
    )


@job
def acquire_job(
    *,
    candidates: list[dict[str, Any]],
    labelled: list[dict[str, Any]],
    settings: dict[str, Any],
    count: int,
    seed: int,
    potential: str | None = None,
    model: str | None = None,
    device: str = "cpu",
) -> dict[str, Any]:
    """Choose what to label next; see :func:`acquire`.

    Args:
        candidates: ``candidates`` of :func:`.explore_job`, of one or of several.
        labelled: what has a label, with ``identifier`` and ``geometry``; records will do.
        settings: see :class:`Acquiring`.
        count: how many to choose.
        seed: of what is drawn.
        potential: name or folder of a potential or a committee; see :func:`.load_potential`.
        model: folder of a model of a property, see :func:`.open_model`; one of the two must be given.
        device: where to compute.

    Returns:
        See :func:`acquire`.

    Raises:
        InputError: see :func:`acquire`; or not exactly one of potential and model is given.
    """
    from zonemelt.tasks.potentials.load import load_potential
    from zonemelt.tasks.train.predictor import open_model

    if (potential is None) == (model is None):
        raise InputError(
            "both are given" if potential else "neither is given",
            where="acquire_job, potential and model",
            remedy="give the folder of one of them",
        )
    asked: Potential | Predictor
    if potential is not None:
        asked = load_potential(potential, device=device, dtype="float64")
    else:
        asked = open_model(str(model), device=device)
    return acquire(asked, candidates, labelled, acquiring_of(settings), count=count, seed=seed)
