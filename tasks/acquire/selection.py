"""Choose the candidates to label next: the most uncertain, or, for control, at random."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jobflow import job

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.learn.jobs import rows
from zonemelt.tasks.learn.model_file import from_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

STRATEGIES: Final = ("uncertainty", "random")


def most_uncertain(covariance_MM: NDArray[np.float64], *, noise: float, count: int) -> list[int]:
    """Pick the candidate of largest variance, condition on it, and pick again.

    The posterior variance of a Gaussian process does not depend on the label, so conditioning is
    exact before the labels are known; a batch therefore holds no near-duplicates.

    Args:
        covariance_MM: posterior covariance of the candidates, eV²/atom².
        noise: standard deviation of a label, eV/atom.
        count: how many to pick.
    """
    covariance = covariance_MM.copy()
    picked: list[int] = []
    for _ in range(min(count, len(covariance))):
        variance = covariance.diagonal().copy()
        variance[picked] = -np.inf
        best = int(variance.argmax())
        picked.append(best)
        column = covariance[:, best]
        covariance = covariance - np.outer(column, column) / (column[best] + noise**2 + 1e-15)
    return picked


def at_random(pool: Sequence[str], *, count: int, seed: int) -> list[str]:
    """Pick without replacement; the same seed picks the same."""
    order = np.random.default_rng(seed).permutation(len(pool))[:count]
    return [pool[i] for i in sorted(order)]


def choose(arm: dict[str, Any], features: dict[str, Any], pool: Sequence[str], *, count: int) -> list[str]:
    """What one arm wants labelled next: ``count`` identifiers of the pool it has not chosen before.

    Raises:
        InputError: the arm's strategy is not one of :data:`STRATEGIES`.
    """
    left = [name for name in pool if name not in set(arm["chosen"])]
    if arm["strategy"] == "random":
        return at_random(left, count=count, seed=1000 * arm["seed"] + len(arm["chosen"]))
    if arm["strategy"] == "uncertainty":
        model = from_document(arm["model"])
        _, covariance = model.posterior(rows(features, left))
        return [left[i] for i in most_uncertain(covariance, noise=model.noise, count=count)]
    raise InputError(
        f"there is no strategy '{arm['strategy']}'",
        where="strategies",
        remedy=f"choose among: {', '.join(STRATEGIES)}",
    )


@job
def select_job(
    *,
    arms: list[dict[str, Any]],
    features: dict[str, Any],
    pool: list[str],
    labels: dict[str, Any],
    count: int,
) -> dict[str, Any]:
    """Let every arm choose; a label wanted by several arms, or already known, is computed once.

    Returns:
        ``arms``: each with its choice added to ``chosen``, without its model; ``wanted``: what must
        be labelled now.
    """
    grown = []
    for arm in arms:
        chosen = [*arm["chosen"], *choose(arm, features, pool, count=count)]
        kept = {key: arm[key] for key in ("strategy", "seed", "history", "first_predictions")}
        grown.append({**kept, "chosen": chosen})
    known = set(labels["energies"]) | set(labels["rejected"])
    wanted = sorted({name for arm in grown for name in arm["chosen"]} - known)
    return {"arms": grown, "wanted": wanted}


@job
def initial_job(
    *, plan: dict[str, Any], strategies: list[str], repeats: int, count: int, seed: int
) -> dict[str, Any]:
    """Give every arm its first labels: at random, the same for all strategies of one seed.

    Returns:
        ``arms`` and ``wanted``, as ``select_job``; what is wanted includes the held-out candidates.
    """
    arms: list[dict[str, Any]] = [
        {
            "strategy": strategy,
            "seed": seed + repeat,
            "history": [],
            "chosen": at_random(plan["pool"], count=count, seed=seed + repeat),
        }
        for repeat in range(repeats)
        for strategy in strategies
    ]
    chosen = {name for arm in arms for name in arm["chosen"]}
    return {"arms": arms, "wanted": sorted(chosen | set(plan["heldout"]))}
