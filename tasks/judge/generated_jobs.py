"""Judge generated crystals as a job, and what is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import job

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.judge.coverage import CUTOFFS
from zonemelt.tasks.judge.crystal_sets import CrystalSet, above_hull_of, read_set, set_of_documents
from zonemelt.tasks.judge.generated import STABLE, Beside, Judged, judge_generated

if TYPE_CHECKING:
    from collections.abc import Sequence


def cutoffs_of(said: str | Sequence[float] | None) -> tuple[float, float] | None:
    """The cutoffs of coverage from the name of a dataset, or from two numbers; None for none.

    Raises:
        InputError: it is neither.
    """
    if said is None or said == "":
        return None
    if isinstance(said, str) and said in CUTOFFS:
        return CUTOFFS[said]
    try:
        sites, composition = (float(one) for one in (said.split(",") if isinstance(said, str) else said))
    except (TypeError, ValueError):
        raise InputError(
            f"'{said}'",
            where="cutoffs of coverage",
            remedy=f"give one of {', '.join(CUTOFFS)}, or two numbers such as 0.4,10",
        ) from None
    return sites, composition


def each_of(made: CrystalSet, judged: Judged, known: CrystalSet | None) -> list[dict[str, Any]]:
    """What was found of each crystal: name, validity with reasons, group, novelty."""
    same, fresh, validity = judged.same, judged.fresh, judged.validity
    found = []
    for row, name in enumerate(made.names):
        first = int(same.row_G[row])
        one = {
            "name": name,
            "structure_valid": bool(validity.structure_G[row]),
            "composition_valid": bool(validity.composition_G[row]),
            "reasons": list(validity.reasons.get(row, ())),
            "group": made.names[first] if first >= 0 else None,
        }
        if fresh is not None and known is not None:
            there = int(fresh.row_G[row])
            one["novel"] = bool(fresh.new_G[row])
            one["same_as"] = known.names[there] if there >= 0 else None
        found.append(one)
    return found


@job
def judge_generated_job(
    *,
    candidates: list[dict[str, Any]] | None = None,
    paths: list[str] | None = None,
    against: list[str] | None = None,
    known: list[str] | None = None,
    cutoffs: str | list[float] | None = None,
    above_hull: dict[str, float | None] | None = None,
    stable: float = STABLE,
    seed: int = 0,
    kept: str = "",
) -> dict[str, Any]:
    """Judge generated crystals by the metrics of :func:`.judge_generated`.

    Args:
        candidates: documents with ``identifier`` and ``geometry``.
        paths: files, directories or datasets of them, where no documents are given.
        against: of a test set, for coverage and distances.
        known: of what counts as known.
        cutoffs: see :func:`cutoffs_of`; coverage is left out without.
        above_hull: identifier → energy above the hull, eV/atom.
        stable: eV/atom above the hull up to which a crystal counts as stable.
        seed: of the draws of distances.
        kept: absolute; a file that keeps fingerprints.

    Returns:
        ``metrics``, ``reasons``, and ``each``, a document for each crystal.

    Raises:
        InputError: there is nothing to judge, or something given does not fit.
    """
    made = set_of_documents(candidates) if candidates is not None else read_set(paths or ())
    known_set = read_set(known) if known else None
    judged = judge_generated(
        made.crystals,
        Beside(
            true=read_set(against).readable if against else None,
            known=known_set.crystals if known_set else None,
            cutoffs=cutoffs_of(cutoffs),
            above_hull_G=above_hull_of(made.names, above_hull) if above_hull else None,
            stable=stable,
        ),
        unreadable=made.unreadable,
        kept=Path(kept) if kept else None,
        seed=seed,
    )
    return {
        "metrics": judged.metrics, "reasons": judged.reasons, "each": each_of(made, judged, known_set)
    }  # fmt: skip
