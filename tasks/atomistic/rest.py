"""The geometries at which properties are taken: at rest, or as given, or a reason why there is none."""

# G structures

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from zonemelt.tasks.atomistic.evaluation import evaluated_stage
from zonemelt.tasks.atomistic.fleet import ATOMS_IN_FLIGHT
from zonemelt.tasks.atomistic.relax import Outcome, RelaxSettings, relaxed_stage
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.theory import Document

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zonemelt.tasks.atomistic.fleet import Pace
    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.potentials.potential import Potential


@dataclass(frozen=True, kw_only=True)
class RestSettings:
    """Where to begin.

    Attributes:
        relax: whether positions and cell are brought to rest first.
        force: largest at rest, on an atom and on the cell per atom, eV/Å; also of what
            relaxes later.
        steps: most of one relaxation.
        atoms_in_flight: about how many atoms are evaluated together.
    """

    relax: bool = True
    force: float = 0.001
    steps: int = 1000
    atoms_in_flight: int = ATOMS_IN_FLIGHT

    def __post_init__(self) -> None:
        self.relaxation(cell=True)  # refuses what makes no sense

    def relaxation(self, *, cell: bool) -> RelaxSettings:
        """The settings of a relaxation."""
        return RelaxSettings(
            force=self.force,
            steps=self.steps,
            cell=cell,
            method="lbfgs",
            atoms_in_flight=self.atoms_in_flight,
        )


class Result(Document):
    """What every property says besides its numbers."""

    potential: str
    geometry: Geometry = Field(description="at which the property was taken")
    force: float | None = Field(description="largest on an atom there, and on the cell per atom, eV/Å")
    reason: str | None = Field(default=None, description="why there are no numbers; None where there are")


@dataclass(frozen=True, kw_only=True)
class Rest:
    """Geometries to go on from.

    Attributes:
        crystals: all of them, at rest or as near as they came.
        forces_G: largest forces, eV/Å.
        reasons: why a structure has no rest; None where it has.
    """

    crystals: Crystals
    forces_G: NDArray[np.float64]
    reasons: tuple[str | None, ...]

    @property
    def fine_F(self) -> NDArray[np.int64]:
        """Which structures to go on with."""
        return np.array([row for row, reason in enumerate(self.reasons) if reason is None], np.int64)

    def about(self, potential: Potential, index: int, *, reason: str | None = None) -> dict[str, Any]:
        """The fields of a :class:`Result`."""
        force = float(self.forces_G[index])
        return {
            "potential": potential.name,
            "geometry": Geometry.of(self.crystals.atoms(index)),
            "force": force if np.isfinite(force) else None,
            "reason": self.reasons[index] or reason,
        }


def at_rest(potential: Potential, crystals: Crystals, settings: RestSettings, *, pace: Pace) -> Rest:
    """Bring structures to rest where that is asked for.

    Raises:
        InputError: an element the potential does not know, or a structure without a volume.
        OutOfTimeError: there was no time.
    """
    potential.check(crystals, stress=True)
    if not settings.relax:
        found = evaluated_stage(
            potential, crystals, atoms_in_flight=settings.atoms_in_flight, pace=pace, stage="as-given"
        )
        assert found.forces_A3 is not None
        lengths_A = np.linalg.norm(found.forces_A3, axis=1)
        largest_G = np.maximum.reduceat(lengths_A, crystals.first_G[:-1]) if len(crystals) else lengths_A
        reasons = tuple(None if np.isfinite(one) else "its forces are no numbers" for one in largest_G)
        return Rest(crystals=crystals, forces_G=largest_G, reasons=reasons)
    relaxed = relaxed_stage(potential, crystals, settings.relaxation(cell=True), pace=pace, stage="rest")
    return Rest(
        crystals=relaxed.crystals,
        forces_G=relaxed.forces_G,
        reasons=tuple(
            None if outcome is Outcome.CONVERGED else f"it does not come to rest: {outcome}"
            for outcome in relaxed.outcomes
        ),
    )


def deformed(crystals: Crystals, index: int, gradient_33: NDArray[np.float64]) -> Any:
    """One structure as an ``ase.Atoms``, every vector x of it turned into ``gradient_33 @ x``.

    Raises:
        InputError: the gradient turns space inside out.
    """
    if not np.linalg.det(gradient_33) > 0:
        raise InputError(f"{gradient_33}", where="deformation", remedy="give smaller strains")
    atoms = crystals.atoms(index)
    atoms.set_cell(atoms.cell.array @ gradient_33.T, scale_atoms=True)
    return atoms
