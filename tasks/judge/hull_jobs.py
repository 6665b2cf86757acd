"""Place many candidates on the hull of a dataset of references, as a job."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from typing import Any

from jobflow import job

from zonemelt.tasks.datasets.dataset import open_dataset
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.judge.hull import Phase, References, phases_of


@job
def place_job(
    *,
    candidates: list[dict[str, Any]],
    dataset: str,
    version: str | None = None,
    theory: str | None = None,
    ignoring: list[str] | None = None,
) -> dict[str, Any]:
    """Energies above the hull.

    Args:
        candidates: each with ``identifier``, ``symbols`` (one an atom) and ``energy_per_atom`` (eV/atom),
            computed and corrected as the references are.
        dataset: directory of the references; ``zonemelt ingest mp:Li-Fe-O --out DIRECTORY`` makes one.
        version: of the dataset; the newest where there is none.
        theory: key of the level of theory of the candidates, which the references must have.
        ignoring: fields of the level of theory that may differ.

    Returns:
        ``placed``: :class:`.Placed` as dictionaries, in the order of the candidates; ``references``: the
        version of the dataset, and how many crystals it has.

    Raises:
        InputError: a candidate lacks a field, two have one name, or see :func:`.phases_of`.
    """
    opened = open_dataset(dataset, version)
    references = References(phases_of(opened, ignoring=ignoring or (), theory=theory))
    phases = [_phase(number, one) for number, one in enumerate(candidates)]
    if twice := [name for name, times in Counter(one.identifier for one in phases).items() if times > 1]:
        raise InputError(
            f"'{twice[0]}' is there twice", where="candidates", remedy="give each a name of its own"
        )
    placed = {one.identifier: asdict(one) for one in references.place(phases)}
    return {
        "placed": [placed[one.identifier] for one in phases],
        "references": {"dataset": dataset, "version": opened.version, "crystals": len(references)},
    }


def _phase(number: int, one: dict[str, Any]) -> Phase:
    where, remedy = f"candidate {number}", "give 'identifier', 'symbols' and 'energy_per_atom', eV/atom"
    try:
        phase = Phase(str(one["identifier"]), Counter(one["symbols"]), float(one["energy_per_atom"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"it cannot be read: {error!r}", where=where, remedy=remedy) from None
    if not phase.composition or not math.isfinite(phase.energy):
        what = f"energy_per_atom is {phase.energy}" if phase.composition else "it has no symbols"
        raise InputError(what, where=where, remedy=remedy)
    return phase
