"""Equations of state of many crystals: energies at several volumes, and the bulk modulus that follows."""

# G structures, P volumes of each

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from pydantic import Field

from zonemelt.tasks.atomistic.evaluation import evaluated_stage
from zonemelt.tasks.atomistic.fleet import Pace
from zonemelt.tasks.atomistic.relax import Outcome, relaxed_stage
from zonemelt.tasks.atomistic.rest import RestSettings, Result, at_rest, deformed
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.theory import Document

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zonemelt.tasks.potentials.potential import Potential

LEAST: Final = 5
"""Points: one more than an equation has parameters."""
WIDEST: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class EosSettings(RestSettings):
    """Which volumes, and what is fitted.

    Attributes:
        span: how far volumes go from that at rest, as a fraction; the cell keeps its shape.
        points: volumes.
        ions: whether positions relax at each.
        equation: as pymatgen names it.
    """

    span: float = 0.06
    points: int = 9
    ions: bool = True
    equation: Literal["birch_murnaghan", "murnaghan", "birch", "pourier_tarantola", "vinet"] = (
        "birch_murnaghan"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 < self.span <= WIDEST and self.points >= LEAST):
            raise InputError(
                f"span {self.span}, {self.points} points",
                where="eos",
                remedy=f"span between 0 and {WIDEST}, at least {LEAST} points",
            )


class Fit(Document):
    """The parameters of an equation of state."""

    equation: str
    energy: float = Field(description="lowest, eV/atom")
    volume: float = Field(description="where it is lowest, Å³/atom")
    bulk_modulus: float = Field(description="eV/Å³")
    bulk_modulus_gpa: float = Field(description="the same in GPa")
    pressure_derivative: float = Field(description="of the bulk modulus")
    residual: float = Field(description="root mean square of what is not fitted, eV/atom")


class EquationOfState(Result):
    """Energies at several volumes of one crystal."""

    volumes: list[float] = Field(default_factory=list, description="Å³/atom")
    energies: list[float] = Field(default_factory=list, description="eV/atom")
    left_out: int = Field(default=0, description="volumes at which positions did not come to rest")
    fit: Fit | None = None


def equations_of_state(
    potential: Potential, crystals: Crystals, settings: EosSettings | None = None, *, pace: Pace | None = None
) -> list[EquationOfState]:
    """Energies over volumes of every structure, all volumes of all structures together.

    Args:
        potential: gives the energies.
        crystals: repeating in all directions.
        settings: see :class:`EosSettings`.
        pace: checkpoints, and when to stop.

    Returns:
        One document for each, with a reason where there is no fit.

    Raises:
        InputError: an element the potential does not know, or a structure without a volume.
        OutOfTimeError: there was no time.
    """
    settings, pace = settings or EosSettings(), pace or Pace()
    rest = at_rest(potential, crystals, settings, pace=pace)
    scales_P = np.cbrt(np.linspace(1 - settings.span, 1 + settings.span, settings.points))
    scaled = Crystals.of_atoms(
        deformed(rest.crystals, index, scale * np.eye(3))
        for index in rest.fine_F.tolist()
        for scale in scales_P
    )
    energies_P, fine_P = _energies(potential, scaled, settings, pace)
    per_atom_P = energies_P / np.maximum(scaled.sizes_G, 1)
    volumes_P = np.abs(np.linalg.det(scaled.cells_G33)) / np.maximum(scaled.sizes_G, 1)
    answers = []
    rows_of = {
        index: slice(row * settings.points, (row + 1) * settings.points)
        for row, index in enumerate(rest.fine_F.tolist())
    }
    for index in range(len(crystals)):
        if (rows := rows_of.get(index)) is None:
            answers.append(EquationOfState(**rest.about(potential, index)))
            continue
        some = fine_P[rows]
        volumes, energies = volumes_P[rows][some], per_atom_P[rows][some]
        fit, reason = fitted(volumes, energies, settings.equation)
        answers.append(
            EquationOfState(
                **rest.about(potential, index, reason=reason),
                volumes=volumes.tolist(),
                energies=energies.tolist(),
                left_out=int((~some).sum()),
                fit=fit,
            )
        )
    return answers


def _energies(
    potential: Potential, scaled: Crystals, settings: EosSettings, pace: Pace
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Energies, eV, and which of them count."""
    if settings.ions:
        relaxed = relaxed_stage(
            potential, scaled, settings.relaxation(cell=False), pace=pace, stage="volumes"
        )
        return relaxed.energies_G, np.array([one is Outcome.CONVERGED for one in relaxed.outcomes], bool)
    found = evaluated_stage(
        potential, scaled, atoms_in_flight=settings.atoms_in_flight, pace=pace, stage="volumes"
    )
    return found.energies_G, np.isfinite(found.energies_G)


def fitted(
    volumes_P: NDArray[np.float64], energies_P: NDArray[np.float64], equation: str = "birch_murnaghan"
) -> tuple[Fit | None, str | None]:
    """Fit an equation of state.

    Args:
        volumes_P: Å³/atom.
        energies_P: eV/atom.
        equation: as pymatgen names it; Birch & Murnaghan of third order: F. Birch, Phys. Rev. 71, 809 (1947).

    Returns:
        The fit, or why there is none: too few points, or no minimum among the volumes.
    """
    from ase import units
    from pymatgen.analysis.eos import EOS, EOSError

    if len(volumes_P) < LEAST:
        return None, f"{len(volumes_P)} volumes are left, {LEAST} are needed"
    nowhere = (
        "the energy has no minimum among the volumes: is the structure at rest, and the span wide enough?"
    )
    if volumes_P[energies_P.argmin()] in {volumes_P.min(), volumes_P.max()}:
        return None, nowhere
    eos: Any = EOS(equation)
    try:
        with warnings.catch_warnings(action="ignore"):  # the numbers are judged below
            found = eos.fit(volumes_P, energies_P)
        numbers = [float(value) for value in (found.e0, found.v0, found.b0, found.b1)]
        residual = float(np.sqrt(np.mean((found.func(volumes_P) - energies_P) ** 2)))
    except (EOSError, RuntimeError, ValueError) as error:
        return None, f"{equation} cannot be fitted: {error}"
    energy, volume, modulus, derivative = numbers
    inside = volumes_P.min() < volume < volumes_P.max()
    if not (np.isfinite([*numbers, residual]).all() and inside and modulus > 0):
        return None, nowhere
    return Fit(
        equation=equation,
        energy=energy,
        volume=volume,
        bulk_modulus=modulus,
        bulk_modulus_gpa=modulus / units.GPa,
        pressure_derivative=derivative,
        residual=residual,
    ), None
