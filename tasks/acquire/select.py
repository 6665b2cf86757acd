"""Select a batch of candidates by the name of a strategy, among those that can be trusted."""

# N candidates, F features, D aims

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from zonemelt.tasks.acquire.batches import conditional_variance, d_optimal, farthest_points, v_optimal
from zonemelt.tasks.acquire.likeness import taken
from zonemelt.tasks.acquire.pareto import by_hypervolume
from zonemelt.tasks.errors import InputError, UnknownKeyError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.acquire.likeness import Covariance

    Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Pool:
    """What is known of candidates before any of them is labelled. Rows agree in all fields.

    Attributes:
        names: of the candidates, each once.
        scores: name of a score → its value for each candidate (N,); all are larger for what is worth more.
        features_NF: what tells candidates apart; distances between rows are meaningful.
        known_MF: the same of what is labelled.
        covariance_NN: of predictions, or of how unsure they are; whole, or made row by row.
        noise: standard deviation of a label, in the unit of the covariance's root.
        blocks: rows (R, K) of each candidate in a model that is linear in K weights, in units of the noise.
        known_KK: sum of the squares of the rows of what is labelled, with the prior.
        refused: names that nothing could be computed of → why.
    """

    names: tuple[str, ...]
    scores: Mapping[str, Floats] = field(default_factory=dict)
    features_NF: Floats | None = None
    known_MF: Floats | None = None
    covariance_NN: Covariance | None = None
    noise: float = 0.0
    blocks: Sequence[Floats] | None = None
    known_KK: Floats | None = None
    refused: Mapping[str, str] = field(default_factory=dict)

    def score(self, name: str) -> Floats:
        """One score (N,).

        Raises:
            UnknownKeyError: there is none of this name.
        """
        if name not in self.scores:
            raise UnknownKeyError.of(name, self.scores, where="selection, score")
        return self.scores[name]

    def take(self, rows: Sequence[int]) -> Pool:
        """Some of the candidates, in this order."""
        index = np.asarray(rows, dtype=np.int64)
        return Pool(
            names=tuple(self.names[row] for row in index),
            scores={name: np.asarray(values)[index] for name, values in self.scores.items()},
            features_NF=None if self.features_NF is None else self.features_NF[index],
            known_MF=self.known_MF,
            covariance_NN=None if self.covariance_NN is None else taken(self.covariance_NN, index),
            noise=self.noise,
            blocks=None if self.blocks is None else [self.blocks[row] for row in index],
            known_KK=self.known_KK,
            refused=self.refused,
        )


class Selecting(BaseModel):
    """How to select; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    strategy: str = Field(default="top", description="a key of STRATEGIES")
    score: str = Field(default="", description="that ranks candidates; the first of the pool where empty")
    windows: dict[str, tuple[float | None, float | None]] = Field(
        default_factory=dict, description="score → least and largest value that is trusted; null for no limit"
    )
    shortlist: float | None = Field(
        default=None,
        ge=1,
        description="for strategies of diversity: they choose among so many batches, the best by score",
    )
    aims: dict[str, float] = Field(
        default_factory=dict, description="for pareto: score → the least value that is of any worth"
    )


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What was selected.

    Attributes:
        chosen: names, in the order they were picked.
        scores: name of each candidate → its scores; None where one is not a number.
        refused: name → why it was not to be chosen.
        asked: the size of the batch asked for.
        strategy: by which.
    """

    chosen: tuple[str, ...]
    scores: Mapping[str, Mapping[str, float | None]]
    refused: Mapping[str, str]
    asked: int
    strategy: str

    @property
    def summary(self) -> dict[str, Any]:
        """Counts: ``asked``, ``chosen``, ``candidates``, ``trusted``, and ``refused`` by reason."""
        total = len(self.scores) + len(set(self.refused) - set(self.scores))
        return {
            "strategy": self.strategy,
            "asked": self.asked,
            "chosen": len(self.chosen),
            "candidates": total,
            "trusted": total - len(self.refused),
            "refused": dict(sorted(Counter(self.refused.values()).items())),
        }


def at_random(pool: Pool, _settings: Selecting, count: int, generator: np.random.Generator) -> Sequence[int]:
    """The control: without looking."""
    picked: list[int] = generator.permutation(len(pool.names))[:count].tolist()
    return picked


def top(pool: Pool, settings: Selecting, count: int, _generator: np.random.Generator) -> Sequence[int]:
    """The largest scores: for finding the best; for learning it picks copies, and can lose to chance."""
    picked: list[int] = np.argsort(-_ranking(pool, settings), kind="stable")[:count].tolist()
    return picked


def oracle_best(
    pool: Pool, _settings: Selecting, count: int, _generator: np.random.Generator
) -> Sequence[int]:
    """The control at the other end: the largest of a score ``truth`` that only a benchmark has."""
    picked: list[int] = np.argsort(-pool.score("truth"), kind="stable")[:count].tolist()
    return picked


def farthest(pool: Pool, settings: Selecting, count: int, _generator: np.random.Generator) -> Sequence[int]:
    """What is farthest from all that is labelled or picked, in features."""
    rows = _shortlist(pool, settings, count)
    features_NF = _needed(pool.features_NF, "features", settings)
    return [rows[place] for place in farthest_points(features_NF[rows], count=count, known_MF=pool.known_MF)]


def by_variance(
    pool: Pool, settings: Selecting, count: int, _generator: np.random.Generator
) -> Sequence[int]:
    """What is least certain after the labels of those picked before."""
    rows = _shortlist(pool, settings, count)
    covariance_NN = _needed(pool.covariance_NN, "a covariance", settings)
    some = taken(covariance_NN, rows)
    return [rows[place] for place in conditional_variance(some, noise=pool.noise, count=count)]


def by_determinant(
    pool: Pool, settings: Selecting, count: int, _generator: np.random.Generator
) -> Sequence[int]:
    """What tells a linear model most about its weights: exact, before any label is known."""
    rows = _shortlist(pool, settings, count)
    blocks = _needed(pool.blocks, "rows of a linear model", settings)
    known_KK = _needed(pool.known_KK, "rows of a linear model", settings)
    return [rows[place] for place in d_optimal([blocks[row] for row in rows], known_KK, count=count)]


def by_mean_variance(
    pool: Pool, settings: Selecting, count: int, _generator: np.random.Generator
) -> Sequence[int]:
    """What makes a linear model surer of the whole pool: of what is labelled and what is not."""
    rows = _shortlist(pool, settings, count)
    blocks = _needed(pool.blocks, "rows of a linear model", settings)
    known_KK = _needed(pool.known_KK, "rows of a linear model", settings)
    target_KK = known_KK + sum(block.T @ block for block in blocks)
    return [
        rows[place] for place in v_optimal([blocks[row] for row in rows], known_KK, target_KK, count=count)
    ]


def pareto(pool: Pool, settings: Selecting, count: int, _generator: np.random.Generator) -> Sequence[int]:
    """What adds most to the volume that is dominated in several scores at once.

    Raises:
        InputError: fewer than two aims are given.
    """
    if len(settings.aims) < 2:  # noqa: PLR2004  one is 'top'
        raise InputError(
            f"{len(settings.aims)} aims",
            where="selection, aims",
            remedy="give two or more scores with the least worth",
        )
    aims_ND = np.column_stack([pool.score(name) for name in settings.aims])
    return by_hypervolume(aims_ND, count=count, reference_D=np.array(list(settings.aims.values())))


STRATEGIES: Final[dict[str, Callable[[Pool, Selecting, int, np.random.Generator], Sequence[int]]]] = {
    "random": at_random,
    "top": top,
    "oracle_best": oracle_best,
    "farthest": farthest,
    "conditional_variance": by_variance,
    "d_optimal": by_determinant,
    "v_optimal": by_mean_variance,
    "pareto": pareto,
}
"""Name → function of trusted candidates, settings, how many to pick, and random numbers; it returns rows."""


def select(pool: Pool, settings: Selecting, *, count: int, seed: int) -> Selection:
    """Select a batch; the order of the candidates does not matter.

    A pool with fewer trusted candidates than asked for gives all of them: see ``summary``. Scores that are no
    numbers are refused, and counted.

    Args:
        pool: the candidates.
        settings: see :class:`Selecting`.
        count: how many to pick.
        seed: of what is drawn.

    Raises:
        InputError: there is no such strategy or score, it needs what the pool has not, a name is there twice,
            or ``count`` is negative.
    """
    if settings.strategy not in STRATEGIES:
        raise UnknownKeyError.of(settings.strategy, STRATEGIES, where="selection, strategy")
    if count < 0:
        raise InputError(f"a batch of {count}", where="selection, count", remedy="ask for 0 or more")
    if twice := [name for name, times in Counter(pool.names).items() if times > 1]:
        raise InputError(
            f"'{twice[0]}' is there twice", where="candidates", remedy="give each a name of its own"
        )
    pool = pool.take(sorted(range(len(pool.names)), key=lambda row: pool.names[row]))
    refused = {**pool.refused, **distrusted(pool, settings)}
    trusted = pool.take([row for row, name in enumerate(pool.names) if name not in refused])
    picked: Sequence[int] = []
    if trusted.names and count:
        generator = np.random.default_rng(seed)
        picked = STRATEGIES[settings.strategy](trusted, settings, min(count, len(trusted.names)), generator)
    if len(set(picked)) != len(picked):
        raise InputError(
            "it picked a candidate twice",
            where=f"strategy {settings.strategy}",
            remedy="return each row once",
        )
    return Selection(
        chosen=tuple(trusted.names[row] for row in picked),
        scores={name: _row(pool.scores, row) for row, name in enumerate(pool.names)},
        refused=refused,
        asked=count,
        strategy=settings.strategy,
    )


def distrusted(pool: Pool, settings: Selecting) -> dict[str, str]:
    """Names of candidates that are not to be chosen, and why: the first reason that there is.

    Raises:
        UnknownKeyError: there is no score of a window's name.
    """
    found: dict[str, str] = {}
    looked_at = [*settings.windows, *settings.aims, *([_name(pool, settings)] if pool.scores else [])]
    for name in looked_at:
        values_N = pool.score(name)
        least, most = settings.windows.get(name, (None, None))
        for row in np.flatnonzero(np.isnan(values_N)):
            found.setdefault(pool.names[row], f"{name} is not a number")
        if least is not None:
            for row in np.flatnonzero(values_N < least):
                found.setdefault(pool.names[row], f"{name} below {least:g}")
        if most is not None:
            for row in np.flatnonzero(values_N > most):
                found.setdefault(pool.names[row], f"{name} above {most:g}")
    return found


def _name(pool: Pool, settings: Selecting) -> str:
    return settings.score or next(iter(pool.scores))


def _ranking(pool: Pool, settings: Selecting) -> Floats:
    if not pool.scores:
        raise InputError("the pool has no score", where=f"strategy {settings.strategy}", remedy="give one")
    return pool.score(_name(pool, settings))


def _shortlist(pool: Pool, settings: Selecting, count: int) -> list[int]:
    """Rows that a strategy of diversity may choose among, in their order."""
    if settings.shortlist is None:
        return list(range(len(pool.names)))
    most = max(count, int(np.ceil(settings.shortlist * count)))
    return sorted(np.argsort(-_ranking(pool, settings), kind="stable")[:most].tolist())


def _needed(value: Any, what: str, settings: Selecting) -> Any:
    if value is None:
        raise InputError(
            f"it needs {what}, which this pool has not",
            where=f"strategy {settings.strategy}",
            remedy="choose another strategy, or a model that has them",
        )
    return value


def _row(scores: Mapping[str, Floats], row: int) -> dict[str, float | None]:
    return {name: float(each[row]) if np.isfinite(each[row]) else None for name, each in scores.items()}
