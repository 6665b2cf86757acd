"""What a model of a property says of candidates: how good they may be, and how surely."""

# N candidates, L labels

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from zonemelt.tasks.acquire.scores import (
    confidence_bound,
    expected_improvement,
    probability_beyond,
    probability_of_best,
)
from zonemelt.tasks.errors import InputError, UnknownKeyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.explore.candidate import Parent
    from zonemelt.tasks.train.predictor import Predictor

    Floats = NDArray[np.float64]

Wanted = Literal["lowest", "highest"]
SIGNS: Final = {"lowest": -1, "highest": 1}


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What is looked for.

    Attributes:
        wanted: whether the lowest or the highest values are.
        limit: what is good enough, such as 0 eV/atom above the hull; None for no such limit.
        fraction: of all candidates, labelled or not, that counts as the best.
        beta: deviations of optimism.
    """

    wanted: Wanted = "lowest"
    limit: float | None = None
    fraction: float = 0.01
    beta: float = 1.0


def discovery_scores(mean_N: Floats, deviation_N: Floats, labels_L: Floats, aim: Aim) -> dict[str, Floats]:
    """All scores for finding the best, by name.

    Returns:
        ``probability_of_best``, ``improvement`` (where there is a label), ``optimistic`` (a bound),
        ``promise`` (the mean, with the sign), ``deviation`` and, with a limit, ``probability`` of being
        beyond it. All are larger for what is worth more.
    """
    sign = SIGNS[aim.wanted]
    scores: dict[str, Floats] = {
        "probability_of_best": probability_of_best(
            mean_N, deviation_N, labels_L, fraction=aim.fraction, sign=sign
        ),
        "optimistic": confidence_bound(mean_N, deviation_N, beta=aim.beta, sign=sign),
        "promise": sign * np.asarray(mean_N, float),
        "deviation": np.asarray(deviation_N, float),
    }
    if len(labels_L):
        best = float((sign * np.asarray(labels_L)).max() * sign)
        scores["improvement"] = expected_improvement(mean_N, deviation_N, best=best, sign=sign)
    if aim.limit is not None:
        scores["probability"] = probability_beyond(mean_N, deviation_N, limit=aim.limit, sign=sign)
    return scores


def scores_of(
    model: Predictor,
    candidates: Sequence[Parent],
    labels_L: Floats,
    aim: Aim,
    *,
    target: str = "",
    coverage: float | None = None,
) -> dict[str, Floats]:
    """Ask a trained model of a property.

    Args:
        model: see :func:`.open_model`.
        candidates: to choose among; at least one.
        labels_L: known values of the property.
        aim: what is looked for.
        target: of those that the model has; its only one where empty.
        coverage: also a score ``conformal``: the better end of an interval that holds a label with this
            probability.

    Raises:
        InputError: the model has no deviations, or not this property, or refuses a candidate.
    """
    from zonemelt.tasks.crystals import Crystals

    names = [name for name, _ in model.properties]
    if not target and len(names) > 1:
        raise InputError(
            f"the model has {', '.join(names)}", where="acquisition, target", remedy="name one of them"
        )
    target = target or names[0]
    if target not in names:
        raise UnknownKeyError.of(target, names, where="acquisition, target")
    column = names.index(target)
    found = model.predict(Crystals.of(one.geometry for one in candidates))
    if found.deviation_NP is None:
        raise InputError(
            f"the model says nothing of how sure it is of '{target}'",
            where="acquisition, model",
            remedy="give an ensemble, or a network with a head for its deviation: docs/uncertainty.md",
        )
    scores = discovery_scores(found.mean_NP[:, column], found.deviation_NP[:, column], labels_L, aim)
    if coverage is not None:
        low_NP, high_NP = found.interval(coverage)
        scores["conformal"] = -low_NP[:, column] if aim.wanted == "lowest" else high_NP[:, column]
    return scores
