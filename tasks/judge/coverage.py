"""Coverage: how many true crystals have a generated one near them, and the other way round."""

# G generated crystals, T true ones, S numbers of a fingerprint of sites, M of Magpie's, N compositions

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.compositions import Compositions
from zonemelt.tasks.featurize.magpie import labels, magpie
from zonemelt.tasks.judge.site_fingerprints import site_fingerprints

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals

CUTOFFS: Final[Mapping[str, tuple[float, float]]] = {
    "perov_5": (0.2, 4.0),
    "carbon_24": (0.2, 4.0),
    "mp_20": (0.4, 10.0),
}
"""Largest distances of structures and of compositions at which a crystal is covered, by dataset."""
_BLOCK: Final = 1024  # rows of distances at a time


@dataclass(frozen=True, kw_only=True)
class Prints:
    """Crystals as two rows of numbers each.

    Attributes:
        sites_GS: mean CrystalNN fingerprint (G, S); NaN where there is none.
        composition_GM: Magpie's descriptors (G, M), scaled; what an element lacks is 0.
        reasons: row → why there is no fingerprint.
    """

    sites_GS: NDArray[np.float64]
    composition_GM: NDArray[np.float64]
    reasons: Mapping[int, str]

    @property
    def sound_G(self) -> NDArray[np.bool_]:
        """Which have a fingerprint (G,), bool."""
        found: NDArray[np.bool_] = ~np.isnan(self.sites_GS[:, 0])
        return found


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Shares of crystals that are covered, and how far they are from the nearest on average.

    Attributes:
        recall: COV-R, the share of the true crystals that are near a generated one.
        precision: COV-P, the share of the generated crystals that are near a true one; those without a
            fingerprint are near none.
        sites_recall: mean distance of true structures to the nearest generated one (AMSD-R).
        sites_precision: the same from the generated ones (AMSD-P).
        composition_recall: mean distance of true compositions to the nearest generated one (AMCD-R).
        composition_precision: the same from the generated ones (AMCD-P).
    """

    recall: float
    precision: float
    sites_recall: float
    sites_precision: float
    composition_recall: float
    composition_precision: float


def prints(
    crystals: Crystals,
    *,
    kept: Path | None = None,
    processes: int = 1,
    tell: Callable[[int], None] | None = None,
) -> Prints:
    """What coverage is measured with; arguments and errors as of :func:`.site_fingerprints`."""
    sites_GS, reasons = site_fingerprints(crystals, kept=kept, processes=processes, tell=tell)
    composition_GM = np.full((len(crystals), len(labels())), np.nan)
    sound = np.flatnonzero(~np.isnan(sites_GS[:, 0]))
    if len(sound):
        mean_M, deviation_M = _scale()
        described = magpie(Compositions.of_crystals(crystals.take(sound)))
        composition_GM[sound] = np.nan_to_num((described - mean_M) / deviation_M, nan=0.0)
    return Prints(sites_GS=sites_GS, composition_GM=composition_GM, reasons=reasons)


def coverage(generated: Prints, true: Prints, *, cutoffs: tuple[float, float]) -> Coverage:
    """Coverage as CDVAE defines it (T. Xie et al., ICLR 2022, after M. Xu et al., ICLR 2021).

    A crystal is covered if the nearest structure on the other side is within the first cutoff and the
    nearest composition is within the second. As published, these may be two different crystals.

    Args:
        generated: of G crystals, also those that are not valid.
        true: of the test set; those without a fingerprint are left out.
        cutoffs: see :data:`CUTOFFS`.

    Raises:
        InputError: no true crystal has a fingerprint.
    """
    ours, theirs = generated.sound_G, true.sound_G
    if not theirs.any():
        raise InputError(
            "no true crystal has a fingerprint", where="coverage", remedy="give crystals to compare with"
        )
    if not ours.any():
        return Coverage(
            recall=0.0, precision=0.0, sites_recall=np.inf, sites_precision=np.inf,
            composition_recall=np.inf, composition_precision=np.inf,
        )  # fmt: skip
    sites_T, sites_G = _nearest(true.sites_GS[theirs], generated.sites_GS[ours])
    made_T, made_G = _nearest(true.composition_GM[theirs], generated.composition_GM[ours])
    near_T = (sites_T <= cutoffs[0]) & (made_T <= cutoffs[1])
    near_G = (sites_G <= cutoffs[0]) & (made_G <= cutoffs[1])
    return Coverage(
        recall=float(near_T.mean()),
        precision=float(near_G.sum() / len(ours)),
        sites_recall=float(sites_T.mean()),
        sites_precision=float(sites_G.mean()),
        composition_recall=float(made_T.mean()),
        composition_precision=float(made_G.mean()),
    )


def _nearest(
    ones: NDArray[np.float64], others: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each row the distance to the nearest row of the other array; equal rows are measured once."""
    from scipy.spatial.distance import cdist

    ones, back_one = np.unique(ones, axis=0, return_inverse=True)
    others, back_other = np.unique(others, axis=0, return_inverse=True)
    of_one = np.empty(len(ones))
    of_other = np.full(len(others), np.inf)
    for start in range(0, len(ones), _BLOCK):
        far = cdist(ones[start : start + _BLOCK], others)
        of_one[start : start + _BLOCK] = far.min(axis=1)
        np.minimum(of_other, far.min(axis=0), out=of_other)
    return of_one[back_one.ravel()], of_other[back_other.ravel()]


@cache
def _scale() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each descriptor (M,): constants of the definition."""
    text = Path(__file__).with_name("magpie_scale.csv").read_text(encoding="utf-8")
    rows = {row["label"]: row for row in csv.DictReader(x for x in text.splitlines() if x[0] != "#")}
    table = np.array([[float(rows[label][key]) for key in ("mean", "deviation")] for label in labels()])
    return table[:, 0], table[:, 1]
