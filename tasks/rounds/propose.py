"""What a round of discovery asks the oracle for: crystals that may be what is looked for, and unsure ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jobflow import job
from pydantic import Field

from zonemelt.tasks.acquire.select import Pool, Selecting, select
from zonemelt.tasks.datasets import open_dataset
from zonemelt.tasks.explore.candidate import Found
from zonemelt.tasks.judge.target import Target
from zonemelt.tasks.judge.verdict import Verdict, Word, counted
from zonemelt.tasks.rounds.choose import new_candidates
from zonemelt.tasks.rounds.discovered import Funnel
from zonemelt.tasks.rounds.near_hull import REFINED, restless
from zonemelt.tasks.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCORES: Final = ("promise", "stability", "deviation")
_REFINED_WITHIN: Final = 0.1  # eV/atom above the hull of labels
_ON_HULL: Final = 0.02  # eV/atom above the hull as predicted: where it matters
_AT_REST: Final = {Word.STABLE, Word.METASTABLE, Word.UNSTABLE}


class Proposing(Selecting):
    """How to propose; see :class:`.Selecting`."""

    score: str = Field(
        default="promise", description="promise, stability (minus the energy above the hull) or deviation"
    )
    unsure: float = Field(
        default=0.25, ge=0, le=1, description="share of a batch for those that the committee is least sure of"
    )
    volume: float = Field(
        default=0.3,
        gt=0,
        description="change in a relaxation, a fraction: what it carries farther gets no label",
    )
    reach: float = Field(
        default=0.3,
        gt=0,
        description="eV/atom: what is predicted farther above the hull, or less surely, gets no label",
    )


def proposing_of(document: Mapping[str, Any]) -> Proposing:
    """Read how to propose.

    Raises:
        InputError: a key is unknown or a value out of its range.
    """
    return read_settings(Proposing, document, where="acquire", page="docs/discovery.md")


def promise(verdict: Verdict, target: Target) -> float:
    """The probability that a label is within the target, as far as errors are independent and Gaussian."""
    found = 1.0
    for name, wanted in target.ranges.items():
        value = verdict.quantities.get(name)
        if value is None:
            return 0.0
        estimate = verdict.properties.get(name)
        deviation = estimate.deviation if estimate is not None else verdict.deviation
        found *= wanted.probability(value, deviation)
    return found


def eligible(verdicts: Sequence[Verdict], target: Target) -> list[Verdict]:
    """One of each group of new crystals that came to rest, have a hull, and are made as the target says."""
    return [
        one
        for one in verdicts
        if one.verdict in _AT_REST
        and one.is_new
        and one.above_hull is not None
        and one.geometry is not None
        and not any(target.composition_faults(one.geometry.symbols))
    ]


def to_refine(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Known crystals that are on the hull as predicted, and came to rest elsewhere than where they were."""
    return [
        one
        for one in verdicts
        if _refined(one)
        and one.verdict in _AT_REST
        and one.above_hull is not None
        and one.above_hull <= _ON_HULL
        and not one.left_basin
    ]


def _refined(verdict: Verdict) -> bool:
    return verdict.origin is not None and verdict.origin.explorer == REFINED


def proposed(
    verdicts: Sequence[Verdict], target: Target, settings: Proposing, *, count: int, seed: int
) -> tuple[list[Verdict], dict[str, Any]]:
    """Choose what is labelled.

    Args:
        verdicts: on what was drawn in a round.
        target: what is looked for.
        settings: see :class:`Proposing`.
        count: how many to choose.
        seed: of what is drawn.

    Returns:
        Those chosen, and the counts of the selection.
    """
    fit = [one for one in eligible(verdicts, target) if abs(one.volume_change or 0.0) <= settings.volume]
    pool = Pool(
        names=tuple(one.identifier for one in fit),
        scores={
            "promise": np.array([promise(one, target) for one in fit]),
            "stability": np.array([-float(one.above_hull or 0.0) for one in fit]),
            "deviation": np.array([one.deviation or 0.0 for one in fit]),
        },
    )
    near = {"stability": (-settings.reach, None), "deviation": (None, settings.reach), **settings.windows}
    best = settings.model_copy(update={"windows": near})
    unsure = 0 if settings.strategy == "random" else int(settings.unsure * count)
    first = select(pool, best, count=count - unsure, seed=seed)
    rest = [row for row, name in enumerate(pool.names) if name not in first.chosen]
    second = select(
        pool.take(rest), best.model_copy(update={"score": "deviation", "strategy": "top"}),
        count=unsure, seed=seed,
    )  # fmt: skip
    by_name = {one.identifier: one for one in fit}
    chosen = [by_name[name] for name in (*first.chosen, *second.chosen)]
    return chosen, {**first.summary, "asked": count, "chosen": len(chosen)}


@job
def candidates_job(
    *,
    found: list[dict[str, Any] | None],
    waiting: list[list[dict[str, Any]]],
    dataset: str,
    version: str,
    heldout: dict[str, Any] | None,
    refine: int,
) -> dict[str, Any]:
    """What the draws of a round have found, and known crystals that are not at rest.

    Args:
        found: see :func:`.new_candidates`.
        waiting: structures that were asked for and have no label yet, batch by batch.
        dataset: of what is labelled.
        version: of it.
        heldout: ``dataset`` and ``version`` of what is never learnt from, if there is such.
        refine: how many crystals to take that span the hull and are not at rest, see :func:`.restless`.

    Returns:
        ``candidates``; ``counts`` of the draws; ``known``: documents with ``identifier`` and ``geometry`` of
        what is not new besides the dataset.
    """
    some = [one for batch in waiting for one in batch]
    if heldout is not None:
        held = open_dataset(heldout["dataset"], heldout["version"]).records()
        some += [
            {"identifier": one.identifier, "geometry": one.geometry.model_dump(mode="json")} for one in held
        ]
    tried = open_dataset(dataset, version)
    names = {
        *tried.frame(["identifier"])["identifier"],
        *tried.quarantine.frame(["identifier"])["identifier"],
    }
    candidates, counts = new_candidates(found, [some], names)
    again = Found(explorer=REFINED)
    for record in restless(tried.records(), within=_REFINED_WITHIN, most=refine):
        again.add(record.geometry, parent=record.identifier)
    return {
        "candidates": [*candidates, *again.document()["candidates"]],
        "counts": counts,
        "known": [{key: one[key] for key in ("identifier", "geometry")} for one in some],
    }


@job
def propose_job(
    *,
    found: dict[str, Any],
    judgement: dict[str, Any],
    target: Any,
    acquire: dict[str, Any],
    asked: int,
    most: int | None,
    batch: int,
    seed: int,
) -> dict[str, Any]:
    """Choose what is labelled next among the crystals judged in a round.

    Args:
        found: what :func:`candidates_job` returned.
        judgement: ``verdicts`` and ``counts`` of them.
        target: what is looked for.
        acquire: see :class:`Proposing`.
        asked: labels asked for so far.
        most: that may be asked for in all; None for no limit.
        batch: how many to choose.
        seed: of what is drawn.

    Returns:
        ``chosen``: candidates at rest, with their verdicts; ``asked``: these included; ``summary``: counts,
        and the ``funnel`` as far as there is one.
    """
    verdicts = [Verdict.model_validate(one) for one in judgement["verdicts"]]
    count = max(0, batch if most is None else min(batch, most - asked))
    again = to_refine(verdicts)[:count]
    new = [one for one in verdicts if not _refined(one)]
    chosen, summary = proposed(
        new, Target.of(target), proposing_of(acquire), count=count - len(again), seed=seed
    )
    counts, drawn = counted(new), found["counts"]
    funnel = Funnel(
        generated=drawn["proposed"], valid=counts["converged"], unique=counts["unique"],
        novel=counts["novel"], stable=counts["on_target"], chosen=len(chosen),
    )  # fmt: skip
    picked = [*again, *chosen]
    return {
        "chosen": [
            {
                "identifier": one.identifier,
                "geometry": one.geometry.model_dump(mode="json", exclude_none=True) if one.geometry else None,
                "verdict": one.model_dump(mode="json"),
            }
            for one in picked
        ],
        "asked": asked + len(picked),
        "summary": {
            **summary, "asked": count, "chosen": len(picked), "refined": len(again), "explored": drawn,
            "counts": counts, "funnel": funnel.model_dump(),
        },
    }  # fmt: skip
