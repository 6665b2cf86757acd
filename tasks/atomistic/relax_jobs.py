"""Relax a list of structures as one job that ends in time and goes on where it was stopped."""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from jobflow import CURRENT_JOB, Response, job

from zonemelt.tasks.atomistic.relax import Outcome, RelaxSettings, relax
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.deadline import deadline_of_job
from zonemelt.tasks.errors import InputError, JobError
from zonemelt.tasks.potentials.load import load_potential
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.train.jobs import check_directory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zonemelt.tasks.atomistic.relax import Relaxed

_SPARE = 10.0
"""Seconds before the deadline that are left for the checkpoint."""


class Watch:
    """Says whether there is time for one more evaluation: three times the longest, and some to spare."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._last: float | None = None
        self._longest = 0.0
        self.evaluations = 0

    def __call__(self) -> bool:
        """Asked before every evaluation."""
        now = time.time()
        if self._last is not None:
            self._longest = max(self._longest, now - self._last)
        self._last = now
        if now + 3 * self._longest + _SPARE > self._deadline:
            return False
        self.evaluations += 1
        return True


def settings_of(document: Mapping[str, Any]) -> RelaxSettings:
    """Read settings of a relaxation.

    Raises:
        InputError: one is unknown, or makes no sense.
    """
    try:
        return RelaxSettings(**document)
    except TypeError as error:
        known = ", ".join(asdict(RelaxSettings()))
        raise InputError(str(error), where="relax", remedy=f"known: {known}") from error


def relaxed_documents(relaxed: Relaxed) -> list[dict[str, Any]]:
    """What became of each structure: geometry, energy (eV), largest force (eV/Å), steps and outcome."""
    return [
        {
            "geometry": Geometry.of(relaxed.crystals.atoms(index)).model_dump(mode="json"),
            "energy": float(relaxed.energies_G[index]),
            "force": float(relaxed.forces_G[index]),
            "steps": int(relaxed.steps_G[index]),
            "outcome": str(outcome),
        }
        for index, outcome in enumerate(relaxed.outcomes)
    ]


@job
def relax_job(
    *, potential: str, geometries: list[dict[str, Any]], settings: dict[str, Any], directory: str, device: str
) -> Any:
    """Relax structures with a potential.

    Args:
        potential: see :func:`.load_potential`.
        geometries: :class:`Geometry` as dictionaries.
        settings: of :class:`.RelaxSettings`.
        directory: absolute; of the checkpoint, from which the job goes on that takes over.
        device: "cpu" or "cuda".

    Returns:
        What :func:`relaxed_documents` says; or a response with the job that goes on.

    Raises:
        InputError: something given cannot be used.
        JobError: there is no time for a single evaluation.
    """
    chosen, crystals = settings_of(settings), Crystals.of(Geometry.model_validate(one) for one in geometries)
    name = hashlib.sha256(f"{potential} {settings} {geometries}".encode()).hexdigest()[:16]
    checkpoint = check_directory(directory) / f"relax-{name}.npz"
    watch = Watch(deadline_of_job())
    relaxed = relax(
        load_potential(potential, device=device), crystals, chosen, checkpoint=checkpoint, go_on=watch
    )
    if Outcome.UNFINISHED not in relaxed.outcomes:
        return relaxed_documents(relaxed)
    if not watch.evaluations:
        raise JobError(
            "no time for a single evaluation before the deadline",
            where="relax",
            remedy="ask for more walltime",
        )
    again = relax_job(
        potential=potential, geometries=geometries, settings=settings, directory=directory, device=device
    )
    again.name = CURRENT_JOB.job.name
    return Response(replace=again)


@job
def all_relaxed_job(*, parts: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Put the results of several jobs one after the other."""
    return [one for part in parts for one in part]
