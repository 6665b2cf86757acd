"""Evaluate many structures once each, a part at a time, so that a run can stop in between."""

# A atoms of all structures, G structures, N atoms of a structure

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zonemelt.tasks.atomistic.fleet import ATOMS_IN_FLIGHT, Fleet, OutOfTimeError, Pace, key_of, run
from zonemelt.tasks.potentials.potential import Evaluated, joined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.potentials.potential import Potential


@dataclass(frozen=True, kw_only=True)
class _Waiting:
    """Nothing is known before the one step that there is."""


@dataclass(frozen=True, kw_only=True)
class _Known:
    energy: float
    forces_N3: NDArray[np.float64]
    stress_33: NDArray[np.float64] | None = None


def evaluated_stage(
    potential: Potential,
    crystals: Crystals,
    *,
    stress: bool = False,
    atoms_in_flight: int = ATOMS_IN_FLIGHT,
    pace: Pace,
    stage: str,
) -> Evaluated:
    """Energies and forces, and stresses on request, as one stage of a calculation.

    Raises:
        OutOfTimeError: not all were evaluated.
        InputError: see :meth:`.Potential.evaluate`.
    """
    potential.check(crystals, stress=stress)
    fleet = Fleet(
        atoms=crystals.sizes_G.tolist(),
        most=atoms_in_flight,
        begin=lambda _: _Waiting(),
        step=lambda moving: _step(potential, crystals, moving, stress=stress),
        moving=_Waiting,
        arrived=_Known,
        key=key_of(potential, crystals, f"evaluated {stress}"),
    )
    _, known = run(fleet, checkpoint=pace.checkpoint(stage), pace=pace)
    if len(known) < len(crystals):
        raise OutOfTimeError(
            f"{len(crystals) - len(known)} of {len(crystals)} structures are not evaluated",
            where=stage,
            remedy="give the same directory again, and it goes on",
        )
    parts = [
        Evaluated(
            energies_G=np.array([one.energy]),
            forces_A3=one.forces_N3,
            stresses_G33=None if one.stress_33 is None else one.stress_33[None],
        )
        for _, one in sorted(known.items())
    ]
    return joined(parts, forces=True, stress=stress)


def _step(
    potential: Potential, crystals: Crystals, moving: dict[int, _Waiting], *, stress: bool
) -> dict[int, _Known]:
    some = crystals.take(np.array(list(moving)))
    found = potential.evaluate(some, stress=stress)
    assert found.forces_A3 is not None
    forces = np.split(found.forces_A3, some.first_G[1:-1])
    return {
        index: _Known(
            energy=float(found.energies_G[row]),
            forces_N3=forces[row],
            stress_33=None if found.stresses_G33 is None else found.stresses_G33[row],
        )
        for row, index in enumerate(moving)
    }
