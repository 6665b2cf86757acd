"""Deviations mended and intervals widened by samples that were not trained on, and what came of it.

For each property the errors on the validation part give a map from raw to calibrated deviations, and the
factors of split-conformal intervals. They are judged on the test part; without one, each fifth of the
validation part is judged with what the other four give. The card of a model has both.
"""

# N samples, P properties

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.metrics.calibration import judge_deviations
from zonemelt.tasks.metrics.deviations import floored
from zonemelt.tasks.metrics.recalibration import (
    Recalibration,
    Recalibrations,
    conformal_factors,
    recalibrate,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.train.said import Said

    Floats = NDArray[np.float64]

FEWEST: Final = 10  # samples that a calibration needs
COVERAGES: Final = (0.5, 0.68, 0.8, 0.9, 0.95)  # that are reported, where there are samples enough
_FOLDS: Final = 5


class Calibration(BaseModel):
    """What was learned of the errors of one property."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    part: str = Field(description="of the split, that it was learned from")
    samples: int = Field(ge=1)
    typical: float = Field(gt=0, description="root mean square of the errors, in the unit of the property")
    own: bool = Field(description="the model has deviations; else the typical error stands for them")
    kind: Recalibrations
    deviations: tuple[float, ...] = Field(description="raw, at the knots; one knot at 1 for a factor")
    calibrated: tuple[float, ...] = Field(description="at the same knots")
    factors: tuple[float, ...] = Field(description="of conformal intervals that promise 1 %, 2 %, …")

    def deviation(self, raw_N: Floats) -> Floats:
        """Calibrated deviations (N,)."""
        known = Recalibration(kind=self.kind, deviations_K=self.deviations, calibrated_K=self.calibrated)
        return known(self.floored(raw_N, size=len(raw_N)))

    def floored(self, raw_N: Floats | None, *, size: int) -> Floats:
        """Raw deviations (N,) above a least one; the typical error where there are none."""
        return floored(raw_N, np.array([self.typical]), size=size)

    def sides(self, raw_N: Floats, lean_N: Floats | None, *, coverage: float) -> tuple[Floats, Floats]:
        """How far the interval that promises ``coverage`` reaches below and above the mean (N,).

        Raises:
            InputError: the coverage is not between 0 and 1, or the samples are too few for it.
        """
        if not 0 < coverage < 1:
            raise InputError(
                f"a coverage of {coverage}", where="coverage", remedy="give a probability such as 0.9"
            )
        place = math.ceil(100 * coverage - 1e-9)  # the next whole per cent promises as much or more
        if place > len(self.factors):
            raise InputError(
                f"{self.samples} samples of the {self.part} part cannot promise a coverage of {coverage}",
                where="coverage",
                remedy=f"ask for {len(self.factors) / 100:g} or less, or train with a larger part",
            )
        lean_N = np.zeros(len(raw_N)) if lean_N is None else lean_N
        widths_N = self.factors[place - 1] * self.floored(raw_N, size=len(raw_N))
        return widths_N * (1 - lean_N), widths_N * (1 + lean_N)


class Report(BaseModel):
    """How far errors and deviations agree, on samples that neither training nor calibration has seen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    part: str = Field(description="test; or validation, each fifth calibrated by the others")
    samples: int
    mae: float = Field(description="in the unit of the property, as rmse and sharpness")
    rmse: float
    calibrated: dict[str, float | None] = Field(description="see judge_deviations: ence, spearman, …")
    raw: dict[str, float | None] = Field(description="the same before calibration")
    coverage: dict[str, float] = Field(description="of the conformal intervals, by what they promise")
    width: dict[str, float] = Field(description="mean width of these, upper minus lower end")


class Uncertainty(BaseModel):
    """Of one property: how its intervals are made, and how good they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    calibration: Calibration
    report: Report


def uncertainty_of(
    said: Mapping[str, Said],
    labels_NP: Mapping[str, Floats],
    names: Sequence[str],
    *,
    recalibration: Recalibrations = "scale",
) -> dict[str, Uncertainty]:
    """Calibrate each property on ``validation`` and judge it on ``test``, or on ``validation`` in turn.

    Args:
        said: by part of the split, what the model says, in the units of the properties.
        labels_NP: by part, the labels (N, P); NaN where a sample has none.
        names: of the properties.
        recalibration: see :func:`.recalibrate`.

    Returns:
        By name; properties with fewer than 10 validation labels, or with hardly an error that is not exactly
        zero, are left out: nothing can be promised.
    """
    found = {}
    for column, name in enumerate(names):
        parts = {part: _Errors(said[part], labels_NP[part][:, column], column) for part in said}
        held = parts["validation"]
        if len(held) < FEWEST or not held.tell:
            continue
        calibration = held.calibration(recalibration)
        if "test" in parts and len(parts["test"]):
            judged = _report("test", [(calibration, parts["test"])])
        else:
            judged = _report("validation", held.in_turn(recalibration))
        found[name] = Uncertainty(calibration=calibration, report=judged)
    return found


class _Errors:
    """The errors of one property on samples with a label, and what the model said of them."""

    def __init__(self, said: Said, labels_N: Floats, column: int) -> None:
        rows = np.flatnonzero(np.isfinite(labels_N))
        some = said.of(rows)
        self.errors_N = labels_N[rows] - some.mean_NP[:, column]
        self.raw_N = None if some.deviation_NP is None else some.deviation_NP[:, column]
        self.lean_N = None if some.lean_NP is None else some.lean_NP[:, column]

    def __len__(self) -> int:
        return len(self.errors_N)

    @property
    def tell(self) -> bool:
        """Whether some errors are not zero, even with any one fold left out."""
        return bool(np.count_nonzero(self.errors_N) > -(-len(self) // _FOLDS))

    def of(self, rows: NDArray[np.int64]) -> _Errors:
        part = object.__new__(_Errors)
        part.errors_N = self.errors_N[rows]
        part.raw_N = None if self.raw_N is None else self.raw_N[rows]
        part.lean_N = None if self.lean_N is None else self.lean_N[rows]
        return part

    def calibration(self, kind: Recalibrations) -> Calibration:
        raw_N = floored(self.raw_N, self.errors_N, size=len(self))
        learned = recalibrate(self.errors_N, raw_N, kind=kind)
        lean_N = np.zeros(len(self)) if self.lean_N is None else self.lean_N
        towards_N = raw_N * (1 + np.sign(self.errors_N) * lean_N)  # the side that the label is on
        possible = [p for p in range(1, 100) if math.ceil((len(self) + 1) * p / 100 - 1e-9) <= len(self)]
        return Calibration(
            part="validation",
            samples=len(self),
            typical=float(np.sqrt((self.errors_N**2).mean())),
            own=self.raw_N is not None,
            kind=kind,
            deviations=learned.deviations_K,
            calibrated=learned.calibrated_K,
            factors=conformal_factors(self.errors_N, towards_N, coverages=[p / 100 for p in possible]),
        )

    def in_turn(self, kind: Recalibrations) -> list[tuple[Calibration, _Errors]]:
        """Each fold, with the calibration of the others; which samples go together is drawn once for all."""
        folds = np.array_split(np.random.default_rng(0).permutation(len(self)), _FOLDS)
        return [
            (
                self.of(np.concatenate([*folds[:number], *folds[number + 1 :]])).calibration(kind),
                self.of(fold),
            )
            for number, fold in enumerate(folds)
        ]


def _report(part: str, judged: Sequence[tuple[Calibration, _Errors]]) -> Report:
    errors_N = np.concatenate([one.errors_N for _, one in judged])
    raw = [known.floored(one.raw_N, size=len(one)) for known, one in judged]
    calibrated = [known.deviation(each) for (known, _), each in zip(judged, raw, strict=True)]
    own = judged[0][0].own
    coverage, width = {}, {}
    for promised in COVERAGES:
        if any(len(known.factors) < 100 * promised for known, _ in judged):
            continue
        sides = [
            known.sides(each, one.lean_N, coverage=promised)
            for (known, one), each in zip(judged, raw, strict=True)
        ]
        below_N, above_N = (np.concatenate(side) for side in zip(*sides, strict=True))
        inside_N = (-below_N <= errors_N) & (errors_N <= above_N)
        coverage[f"{promised:g}"] = float(inside_N.mean())
        width[f"{promised:g}"] = float((below_N + above_N).mean())
    return Report(
        part=part,
        samples=len(errors_N),
        mae=float(np.abs(errors_N).mean()),
        rmse=float(np.sqrt((errors_N**2).mean())),
        calibrated=_judged(errors_N, np.concatenate(calibrated), own=own),
        raw=_judged(errors_N, np.concatenate(raw), own=own),
        coverage=coverage,
        width=width,
    )


def _judged(errors_N: Floats, deviations_N: Floats, *, own: bool) -> dict[str, float | None]:
    """All metrics; where the typical error stands for all deviations, bins of like ones mean nothing."""
    found = judge_deviations(errors_N, deviations_N)
    return found if own else {**found, "ence": None, "spearman": None}
