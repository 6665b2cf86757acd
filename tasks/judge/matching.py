"""How well predicted structures match the true ones: match rate and rms displacement, as published."""

# G predictions, T true crystals

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.judge.novelty import by_formula, not_a_crystal
from zonemelt.tasks.quality.same import Alike

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals

RECONSTRUCTION: Final = Alike(length=0.3, site=0.5, angle=10.0)
"""The tolerances of CDVAE, DiffCSP and FlowMM for match rates: wider than those of novelty."""


@dataclass(frozen=True, kw_only=True)
class Matched:
    """Predictions beside the true crystals.

    Attributes:
        rms_T: the smallest rms displacement of the predictions of each true crystal, over the cube root of
            the volume per atom; NaN where none matches (T,).
        best_T: row of that prediction; -1 where none matches (T,), int64.
    """

    rms_T: NDArray[np.float64]
    best_T: NDArray[np.int64]

    @property
    def rate(self) -> float:
        """Share of the true crystals that are matched; NaN where there are none."""
        return float(np.isfinite(self.rms_T).mean()) if len(self.rms_T) else np.nan

    @property
    def rms(self) -> float:
        """Mean rms displacement of the matched ones, dimensionless; NaN where none is matched."""
        found = self.rms_T[np.isfinite(self.rms_T)]
        return float(found.mean()) if len(found) else np.nan


def match(
    predicted: Crystals,
    true: Crystals,
    *,
    valid_G: NDArray[np.bool_] | None = None,
    alike: Alike = RECONSTRUCTION,
    first: Literal["predicted", "true"] = "predicted",
    tell: Callable[[int], None] | None = None,
) -> Matched:
    """Match predictions with the crystals they are predictions of.

    Args:
        predicted: G of them, a multiple of the true ones: first those of the first, as many for each.
        true: T of them.
        valid_G: predictions that are not count as no match: DiffCSP and FlowMM ask that structure and
            composition of both be valid (:func:`.valid`). None to let all count.
        alike: when two are the same.
        first: which of the two pymatgen's matcher is given first. It is not symmetric: it looks for the
            lattice of the second in that of the first, and near the tolerances the answer may depend on the
            order. CDVAE, DiffCSP and FlowMM give the predicted one first.
        tell: is called with the number of predictions done since the last call.

    Raises:
        InputError: the number of predictions is no multiple of that of the true crystals.
    """
    each = predictions_each(predicted, true)
    matcher = alike.matcher()
    formula_of = {row: formula for formula, rows in by_formula(predicted).items() for row in rows}
    rms_T, best_T = np.full(len(true), np.nan), np.full(len(true), -1, np.int64)
    for formula, rows in by_formula(true).items():
        for row in rows:
            whole: Any = None if not_a_crystal(true, row) else _structure(true, row)
            for guess in range(row * each, (row + 1) * each):
                if whole is None or formula_of[guess] != formula or not_a_crystal(predicted, guess):
                    continue
                if valid_G is not None and not valid_G[guess]:
                    continue
                pair = _structure(predicted, guess), whole
                found = _rms(matcher, *(pair if first == "predicted" else pair[::-1]))
                if found is not None and not found >= rms_T[row]:
                    rms_T[row], best_T[row] = found, guess
            if tell is not None:
                tell(each)
    return Matched(rms_T=rms_T, best_T=best_T)


def predictions_each(predicted: Crystals, true: Crystals) -> int:
    """How many predictions there are of each true crystal.

    Raises:
        InputError: their number is no multiple of that of the true crystals.
    """
    each, left = divmod(len(predicted), len(true)) if len(true) else (0, len(predicted))
    if left or (len(true) and not each):
        raise InputError(
            f"{len(predicted):,} predictions of {len(true):,} crystals",
            where="matching structures",
            remedy="give as many predictions for each crystal, those of one crystal together",
        )
    return each


def _rms(matcher: Any, one: Any, other: Any) -> float | None:
    try:
        found = matcher.get_rms_dist(one, other)
    except ValueError:  # pymatgen cannot reduce the cell: published code counts it as no match
        return None
    return None if found is None else float(found[0])


def _structure(crystals: Crystals, row: int) -> Any:
    from pymatgen.core.lattice import Lattice
    from pymatgen.core.structure import Structure

    atoms = slice(int(crystals.first_G[row]), int(crystals.first_G[row + 1]))
    return Structure(
        Lattice(crystals.cells_G33[row]), crystals.numbers_A[atoms].tolist(),
        crystals.positions_A3[atoms], coords_are_cartesian=True,
    )  # fmt: skip
