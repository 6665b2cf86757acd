"""Features of vibrations of structures as one job; what cannot be described is said with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jobflow import job

from zonemelt.tasks.atomistic.symmetric_displacements import displacements
from zonemelt.tasks.atomistic.vibration_features import vibration_features
from zonemelt.tasks.atomistic.vibrations import TOLERANCE, check_vibrations
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.potentials.load import load_potential
from zonemelt.tasks.records import Geometry

if TYPE_CHECKING:
    from zonemelt.tasks.potentials.potential import Potential

_TOGETHER = 16
"""Structures whose displaced copies are held at once."""


def features_or_reasons(potential: Potential, crystals: Crystals) -> dict[str, Any]:
    """Describe what can be described.

    Args:
        potential: gives the forces.
        crystals: primitive cells.

    Returns:
        ``names`` of the features; ``features``, a list for each structure or None; ``reasons``, None or why
        there are none.
    """
    reasons = [_reason(potential, crystals.take(slice(row, row + 1))) for row in range(len(crystals))]
    fine = np.array([row for row, reason in enumerate(reasons) if reason is None], np.int64)
    rows: list[list[float] | None] = [None] * len(crystals)
    names: tuple[str, ...] = ()
    for start in range(0, len(fine), _TOGETHER):
        some = fine[start : start + _TOGETHER]
        features, names = vibration_features(potential, crystals.take(some))
        for row, values in zip(some.tolist(), features.tolist(), strict=True):
            rows[row] = values
    return {"potential": potential.name, "names": list(names), "features": rows, "reasons": reasons}


def _reason(potential: Potential, one: Crystals) -> str | None:
    """Why a structure cannot be described; None where it can."""
    try:
        check_vibrations(potential, one)
        displacements(one.atoms(0), tolerance=TOLERANCE)
    except InputError as error:
        return error.what
    return None


@job
def vibrations_job(
    *, potential: str, geometries: list[dict[str, Any]], device: str = "cpu"
) -> dict[str, Any]:
    """Features of the Γ-point vibrations of structures.

    Args:
        potential: see :func:`.load_potential`.
        geometries: :class:`Geometry` as dictionaries.
        device: "cpu" or "cuda".

    Returns:
        See :func:`features_or_reasons`.
    """
    crystals = Crystals.of(Geometry.model_validate(one) for one in geometries)
    return features_or_reasons(load_potential(potential, device=device), crystals)
