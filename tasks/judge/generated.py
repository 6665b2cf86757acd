"""A set of generated crystals judged as a whole: validity, coverage, distances, novelty, S.U.N."""

# G generated crystals, T true ones

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.judge.coverage import coverage, prints
from zonemelt.tasks.judge.distributions import element_counts, mass_densities, space_groups, wasserstein
from zonemelt.tasks.judge.matching import match, predictions_each
from zonemelt.tasks.judge.novelty import Same, novel, unique
from zonemelt.tasks.judge.validity import Validity, valid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals

STABLE: Final = 0.1  # eV/atom above the hull, as MatterGen and its successors count


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What generated crystals are judged beside.

    Attributes:
        true: of a test set, for coverage and distances; None to leave both out.
        known: what counts as known; None to leave novelty out.
        cutoffs: of coverage, see :data:`.coverage.CUTOFFS`; None to leave it out.
        pairs: the generated ones are predictions of the true ones, in their order.
        above_hull_G: energy above the hull of each, eV/atom, NaN where there is none; None to leave
            stability out.
        stable: eV/atom above the hull up to which a crystal counts as stable.
        values: name of a property → its unit, the values of the generated ones (NaN where there is none), and
            those of the true ones.
    """

    true: Crystals | None = None
    known: Crystals | None = None
    cutoffs: tuple[float, float] | None = None
    pairs: bool = False
    above_hull_G: NDArray[np.float64] | None = None
    stable: float = STABLE
    values: Mapping[str, tuple[str, NDArray[np.float64], NDArray[np.float64]]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What was found of each crystal, and of all.

    Attributes:
        validity: see :func:`.valid`.
        same: see :func:`.unique`; of those whose structure is valid.
        fresh: see :func:`.novel`; None where nothing is known.
        metrics: name → number, in the order in which they are shown; shares are of all that was generated.
        reasons: why crystals are not valid → how many.
    """

    validity: Validity
    same: Same
    fresh: Same | None
    metrics: dict[str, Any]
    reasons: dict[str, int]


def judge_generated(
    crystals: Crystals,
    beside: Beside,
    *,
    unreadable: Mapping[int, str] | None = None,
    kept: Path | None = None,
    processes: int = 1,
    seed: int = 0,
    tell: Callable[[str, int, int], None] | None = None,
) -> Judged:
    """Judge generated crystals by the published metrics; each is defined in the function that computes it.

    Args:
        crystals: G of them; what is no crystal is counted as invalid.
        beside: what they are compared with.
        unreadable: row → why it could not be read; such a row has no atoms.
        kept: file of fingerprints, see :func:`.site_fingerprints`.
        processes: that compute fingerprints.
        seed: of the draws of distances.
        tell: is called with the name of a step, and how many crystals of how many it has done.

    Raises:
        InputError: there is nothing to judge, or something given does not fit.
        SiteError: coverage is wanted and matminer is not installed.
    """
    _check(crystals, beside)
    say = _Steps(tell)
    validity = valid(crystals)
    if unreadable:
        said = {row: (why,) for row, why in unreadable.items()}
        validity = replace(validity, reasons=dict(sorted({**validity.reasons, **said}.items())))
    sound = np.flatnonzero(validity.structure_G)
    only = crystals.take(sound)
    same = _spread(unique(only, tell=say.step("unique", len(only))), sound, len(crystals), own=True)
    fresh = None
    if beside.known is not None:
        found = novel(only, beside.known, tell=say.step("novel", len(only)))
        fresh = _spread(found, sound, len(crystals), own=False)
    metrics: dict[str, Any] = {
        "crystals": len(crystals),
        "unreadable": len(unreadable or ()),
        "structure_valid": float(validity.structure_G.mean()),
        "composition_valid": float(validity.composition_G.mean()),
        "valid": float(validity.both_G.mean()),
        "unique": float(same.first_G.mean()),
    }
    if fresh is not None:
        metrics["novel"] = float(fresh.new_G.mean())
        metrics["unique_and_novel"] = float((same.first_G & fresh.new_G).mean())
    metrics |= _stability(beside, same, fresh)
    metrics["symmetric"] = float((space_groups(only) > 1).sum() / len(crystals))
    good = np.flatnonzero(validity.both_G)
    if beside.true is not None and len(beside.true):
        if beside.cutoffs is not None:
            ours = prints(
                crystals, kept=kept, processes=processes, tell=say.step("fingerprints", len(crystals))
            )
            theirs = prints(
                beside.true, kept=kept, processes=processes,
                tell=say.step("fingerprints of the test set", len(beside.true)),
            )  # fmt: skip
            metrics["coverage"] = asdict(coverage(ours, theirs, cutoffs=beside.cutoffs))
            metrics["coverage"]["cutoffs"] = list(beside.cutoffs)
            # as published, what has no fingerprint is not valid
            good = np.flatnonzero(validity.both_G & ours.sound_G)
            metrics["valid"] = len(good) / len(crystals)
        metrics["distances"] = _distances(crystals.take(good), good, beside, seed)
        if beside.pairs:
            metrics |= _matching(crystals, validity, beside.true, say)
    reasons = Counter(why for found in validity.reasons.values() for why in found)
    return Judged(
        validity=validity, same=same, fresh=fresh, metrics=metrics, reasons=dict(reasons.most_common())
    )


def _check(crystals: Crystals, beside: Beside) -> None:
    """Refuse what does not fit, before anything is compared.

    Raises:
        InputError: naming what it is.
    """
    if not len(crystals):
        raise InputError("there are no crystals", where="judging", remedy="give some")
    true = beside.true
    if beside.pairs and true is not None and len(true):
        predictions_each(crystals, true)
    given = [(f"values of {name}", ours, crystals) for name, (_, ours, _) in beside.values.items()]
    if true is not None:
        given += [(f"values of {name}", theirs, true) for name, (_, _, theirs) in beside.values.items()]
    if beside.above_hull_G is not None:
        given.append(("energies above the hull", beside.above_hull_G, crystals))
    for what, values, of in given:
        if len(values) != len(of):
            raise InputError(
                f"{len(values):,} {what} of {len(of):,} crystals",
                where="judging",
                remedy="give one for each, NaN where there is none",
            )


def sun(stable_G: NDArray[np.bool_], unique_G: NDArray[np.bool_], novel_G: NDArray[np.bool_]) -> float:
    """S.U.N.: the share of all generated crystals that are stable, unique and novel (Zeni et al. 2025)."""
    return float((stable_G & unique_G & novel_G).mean())


def _stability(beside: Beside, same: Same, fresh: Same | None) -> dict[str, Any]:
    """Stable, and S.U.N.; a crystal without an energy above the hull is not stable, and counted."""
    above_G = beside.above_hull_G
    if above_G is None:
        return {}
    with np.errstate(invalid="ignore"):
        stable_G = above_G <= beside.stable
    found: dict[str, Any] = {
        "stable_within": beside.stable,
        "stable": float(stable_G.mean()),
        "without_hull": int(np.isnan(above_G).sum()),
    }
    if fresh is not None:
        found["sun"] = sun(stable_G, same.first_G, fresh.new_G)
    return found


def _distances(
    good: Crystals, rows: NDArray[np.int64], beside: Beside, seed: int
) -> dict[str, dict[str, Any]]:
    """Wasserstein distances of the valid crystals from the true ones; nothing where none is valid."""
    true = beside.true
    if true is None or not len(good):
        return {}
    there = np.flatnonzero(valid(true).structure_G)  # what is no crystal has no density
    true = true.take(there)
    pairs = {
        "density": ("g/cm³", mass_densities(good), mass_densities(true)),
        "elements": ("", element_counts(good), element_counts(true)),
    }
    for name, (unit, generated_G, true_T) in beside.values.items():
        ours, theirs = generated_G[rows], true_T[there]
        pairs[name] = (unit, ours[np.isfinite(ours)], theirs[np.isfinite(theirs)])
    return {
        name: asdict(wasserstein(ours, theirs, seed=seed)) | {"unit": unit}
        for name, (unit, ours, theirs) in pairs.items()
        if len(ours) and len(theirs)
    }


def _matching(crystals: Crystals, validity: Validity, true: Crystals, say: _Steps) -> dict[str, Any]:
    """Match rate and rms, of all pairs and, as DiffCSP counts, of those that are valid on both sides."""
    every = match(crystals, true, tell=say.step("matching", len(crystals)))
    each = predictions_each(crystals, true)
    both_G = validity.both_G & np.repeat(valid(true).both_G, each)
    # of several predictions the best valid one may not be the best of all: those are matched once more
    again = match(crystals, true, valid_G=both_G) if each > 1 else None
    if again is None:
        rms_T = np.where(both_G, every.rms_T, np.nan)
        known_T = np.isfinite(rms_T)
        rate, rms = float(known_T.mean()), float(rms_T[known_T].mean()) if known_T.any() else None
    else:
        rate, rms = again.rate, again.rms if np.isfinite(again.rms) else None
    return {
        "predictions": each,
        "match_rate": every.rate,
        "rms": every.rms if np.isfinite(every.rms) else None,
        "match_rate_of_valid": rate,
        "rms_of_valid": rms,
    }


def _spread(found: Same, rows: NDArray[np.int64], count: int, *, own: bool) -> Same:
    """What was found of some of the crystals, as rows of all; ``own`` where it refers to these themselves."""
    row_G = np.full(count, -1, np.int64)
    there = found.row_G >= 0
    row_G[rows[there]] = rows[found.row_G[there]] if own else found.row_G[there]
    refused = dict.fromkeys(np.setdiff1d(np.arange(count), rows).tolist(), "its structure is not valid")
    refused |= {int(rows[row]): why for row, why in found.refused.items()}
    return Same(row_G=row_G, refused=refused, comparisons=found.comparisons, cut=found.cut)


class _Steps:
    """Progress by step."""

    def __init__(self, tell: Callable[[str, int, int], None] | None) -> None:
        self._tell = tell

    def step(self, name: str, of: int) -> Callable[[int], None]:
        """What a step calls with the number of crystals done since its last call."""
        done = 0

        def told(count: int) -> None:
            nonlocal done
            done += count
            if self._tell is not None:
                self._tell(name, done, of)

        return told
