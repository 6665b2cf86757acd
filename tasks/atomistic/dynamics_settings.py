"""What is simulated by molecular dynamics, and when a run is stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from zonemelt.tasks.atomistic.fleet import ATOMS_IN_FLIGHT
from zonemelt.tasks.bounds import COUNT, FINITE, NOT_NEGATIVE, POSITIVE, check_bounds
from zonemelt.tasks.errors import InputError

HOTTEST: Final = 50_000.0
"""K: an atom that is hotter has exploded."""
SWOLLEN: Final = 4.0
"""Times the first volume, or its inverse: such a cell has exploded."""

_BOUNDS: Final = {
    "steps": COUNT, "every": COUNT, "atoms_in_flight": COUNT, "timestep": POSITIVE,
    "temperature": NOT_NEGATIVE, "temperature_end": NOT_NEGATIVE, "friction": NOT_NEGATIVE,
    "rescaling": NOT_NEGATIVE, "breathing": NOT_NEGATIVE, "pressure": FINITE, "pressure_end": FINITE,
    "compressibility": POSITIVE, "unsure": POSITIVE, "seed": NOT_NEGATIVE, "first": NOT_NEGATIVE,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class DynamicsSettings:
    """What is simulated: without a bath the energy is conserved, with them temperature, or pressure too.

    Attributes:
        steps: of the simulation.
        temperature: of the first velocities and of the bath, K.
        temperature_end: of the bath at the end, to which it goes evenly; None: it stays.
        timestep: fs.
        friction: to a bath of Langevin, 1/fs; 0: none.
        rescaling: time constant of a bath that rescales velocities (Bussi, Donadio, Parrinello), fs; 0: none.
        breathing: time constant of a bath of pressure that rescales the cell (Bernetti, Bussi), fs; 0: none.
        pressure: of that bath, eV/Å³.
        pressure_end: at the end, to which it goes evenly; None: it stays.
        compressibility: about that of the material, Å³/eV; with ``breathing`` it says how fast cells breathe.
        every: steps between two frames, at each of which a committee looks.
        unsure: the committee's spread of the force on any atom that ends a run, eV/Å; None: none does.
        drive: whose forces move the atoms where the potential is a committee: the "mean", or the "first"
            member's.
        seed: of velocities and baths.
        first: place of the first structure among all that there are; its random numbers follow from it.
        atoms_in_flight: about how many atoms are evaluated together.
    """

    steps: int
    temperature: float
    temperature_end: float | None = None
    timestep: float = 1.0
    friction: float = 0.0
    rescaling: float = 0.0
    breathing: float = 0.0
    pressure: float = 0.0
    pressure_end: float | None = None
    compressibility: float = 1.0
    every: int = 10
    unsure: float | None = None
    drive: Literal["mean", "first"] = "mean"
    seed: int = 0
    first: int = 0
    atoms_in_flight: int = ATOMS_IN_FLIGHT

    def __post_init__(self) -> None:
        check_bounds(self, _BOUNDS, where="dynamics")
        for wrong, said, remedy in self._faults():
            if wrong:
                raise InputError(said, where="dynamics", remedy=remedy)

    def _faults(self) -> list[tuple[bool, str, str]]:
        """What may be wrong, what to say of it, and what to do."""
        ends = (self.temperature, self.temperature if self.temperature_end is None else self.temperature_end)
        return [
            (
                bool(self.friction and self.rescaling),
                "two baths of heat: friction and rescaling",
                "set one of them to 0",
            ),
            (
                self.temperature_end is not None and not (self.friction or self.rescaling),
                f"temperature_end {self.temperature_end} K without a bath of heat",
                "set friction or rescaling",
            ),
            (
                bool(self.rescaling) and min(ends) <= 0,
                f"rescaling at {min(ends)} K",
                "velocities that are 0 cannot be rescaled: set friction instead, or a temperature",
            ),
            (
                bool(self.breathing) and not (self.friction or self.rescaling),
                "a bath of pressure without one of heat",
                "set friction or rescaling too",
            ),
            (
                not self.breathing and (self.pressure != 0 or self.pressure_end is not None),
                f"pressure {self.pressure} eV/Å³ without a bath of pressure",
                "set breathing, its time constant",
            ),
        ]

    def temperature_at(self, step: int) -> float:
        """Of the bath, K."""
        return _between(self.temperature, self.temperature_end, step / self.steps)

    def pressure_at(self, step: int) -> float:
        """Of the bath, eV/Å³."""
        return _between(self.pressure, self.pressure_end, step / self.steps)

    def degrees(self, atoms: int) -> int:
        """Of freedom: kicks move the centre of mass too, nothing else does."""
        return 3 * atoms if self.friction else 3 * atoms - 3


def _between(start: float, end: float | None, share: float) -> float:
    return start if end is None else start + share * (end - start)
