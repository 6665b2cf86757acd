"""What an oracle says of the short list: each candidate against what it would fall apart into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jobflow import job

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.judge.judged import on_target
from zonemelt.tasks.judge.verdict import Confirmation, Verdict, counted
from zonemelt.tasks.judge.verdict_jobs import judgement, target_of
from zonemelt.tasks.records import Record, one_theory

if TYPE_CHECKING:
    from collections.abc import Mapping


def confirmation(
    verdict: Verdict, label: Record, phases: Mapping[str, Record], *, oracle: str
) -> Confirmation:
    """What the labels of a candidate and of its phases come to.

    Args:
        verdict: with the decomposition that the judgement found.
        label: of the relaxed candidate.
        phases: identifier of a reference → its label.
        oracle: that labelled them.
    """
    reasons = [*_faults(label, "")]
    if not verdict.decomposition:
        reasons.append("nothing says what it would fall apart into")
    for name in verdict.decomposition:
        one = phases.get(name)
        reasons += ["no label of " + name] if one is None else _faults(one, f"{name}: ")
    if not reasons:
        try:
            one_theory([label, *(phases[name] for name in verdict.decomposition)])
        except InputError as error:
            reasons.append(error.what)
    above = None
    if not reasons:
        mixed = sum(share * phases[name].energy_per_atom for name, share in verdict.decomposition.items())
        above = label.energy_per_atom - mixed
    forces = None if label.forces is None else np.linalg.norm(np.array(label.forces), axis=1)
    return Confirmation(
        oracle=oracle,
        energy_per_atom=None if label.energy_sigma0 is None else label.energy_per_atom,
        max_force=None if forces is None else float(forces.max()),
        above_hull=above,
        reasons=tuple(reasons),
    )


def _faults(record: Record, name: str) -> list[str]:
    if record.quality is not None and not record.quality.accepted:
        return [f"{name}{reason}" for reason in record.quality.reasons]
    if record.energy_sigma0 is None:
        return [f"{name}no energy extrapolated to zero smearing"]
    return [f"{name}the electronic cycle did not converge"] if record.convergence.electronic is False else []


@job
def confirm_job(
    *,
    judged: dict[str, Any],
    candidates: dict[str, dict[str, Any] | None],
    phases: dict[str, dict[str, Any] | None],
    oracle: str,
    target: Any = None,
) -> dict[str, Any]:
    """The judgement with what an oracle says.

    Args:
        judged: a judgement, see :func:`.judge_job`.
        candidates: identifier → the record of a label; None where it failed for good.
        phases: identifier of a reference → the same.
        oracle: that labelled them.
        target: what is searched.
    """
    known = {name: Record.model_validate(one) for name, one in phases.items() if one is not None}
    wanted, verdicts = target_of(target), []
    before = [Verdict.model_validate(document) for document in judged["verdicts"]]
    for one in before:
        if one.identifier in candidates:
            label = candidates[one.identifier]
            found = (
                Confirmation(oracle=oracle, reasons=("its label failed",))
                if label is None
                else confirmation(one, Record.model_validate(label), known, oracle=oracle)
            )
            verdicts.append(on_target(one.model_copy(update={"label": found}), wanted))
        else:
            verdicts.append(one)
    now, then = counted(verdicts), counted(before)  # of lots, not all verdicts are here
    counts = {name: number + now[name] - then[name] for name, number in judged["counts"].items()}
    return {**judgement(verdicts, references=judged["references"]), "counts": counts}
