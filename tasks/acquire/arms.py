"""Arms of a comparison: each a strategy and a seed, that chooses its own labels from one pool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jobflow import job

from zonemelt.tasks.acquire.select import Pool, Selecting, select
from zonemelt.tasks.errors import UnknownKeyError
from zonemelt.tasks.learn.jobs import rows
from zonemelt.tasks.learn.model_file import from_document

if TYPE_CHECKING:
    from collections.abc import Sequence

STRATEGIES: Final = {"uncertainty": "conditional_variance", "random": "random"}
"""What an arm is called → the strategy of selection."""


def choose(arm: dict[str, Any], features: dict[str, Any], pool: Sequence[str], *, count: int) -> list[str]:
    """What one arm wants labelled next: ``count`` identifiers of the pool it has not chosen before.

    Raises:
        UnknownKeyError: the arm's strategy is not one of :data:`STRATEGIES`.
    """
    if arm["strategy"] not in STRATEGIES:
        raise UnknownKeyError.of(arm["strategy"], STRATEGIES, where="strategies")
    left = [name for name in pool if name not in set(arm["chosen"])]
    known: dict[str, Any] = {}
    if arm["strategy"] == "uncertainty":
        model = from_document(arm["model"])
        known = {"covariance_NN": model.posterior(rows(features, left))[1], "noise": model.noise}
    seed = 1000 * arm["seed"] + len(arm["chosen"])
    return _selected(left, STRATEGIES[arm["strategy"]], count=count, seed=seed, **known)


def _selected(names: Sequence[str], strategy: str, *, count: int, seed: int, **known: Any) -> list[str]:
    """A batch; the draw depends on the places of the candidates in the plan, not on what they are called."""
    pool = Pool(names=tuple(f"{place:08d}" for place in range(len(names))), **known)
    found = select(pool, Selecting(strategy=strategy), count=count, seed=seed).chosen
    return [names[int(place)] for place in (sorted(found) if strategy == "random" else found)]


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
            "chosen": _selected(plan["pool"], "random", count=count, seed=seed + repeat),
        }
        for repeat in range(repeats)
        for strategy in strategies
    ]
    chosen = {name for arm in arms for name in arm["chosen"]}
    return {"arms": arms, "wanted": sorted(chosen | set(plan["heldout"]))}
