"""Lowest ways between pairs of structures by nudged elastic bands, the images of all paths together."""

# G paths, I images between the ends, N atoms of an image

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from pydantic import Field

from zonemelt.tasks.atomistic import fire
from zonemelt.tasks.atomistic.band import band_forces, steps_between
from zonemelt.tasks.atomistic.evaluation import evaluated_stage
from zonemelt.tasks.atomistic.fleet import ATOMS_IN_FLIGHT, Fleet, OutOfTimeError, Pace, key_of, run
from zonemelt.tasks.atomistic.path_ends import check_ends, why_no_path
from zonemelt.tasks.atomistic.relax import Outcome, RelaxSettings, relaxed_stage
from zonemelt.tasks.bounds import COUNT, POSITIVE, check_bounds
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.theory import Document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from zonemelt.tasks.potentials.potential import Potential

_BOUNDS: Final = {
    "images": COUNT, "steps": COUNT, "atoms_in_flight": COUNT, "force": POSITIVE, "spring": POSITIVE,
    "climb_below": POSITIVE,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class NebSettings:
    """How a path is sought.

    Attributes:
        images: between the ends.
        relax: whether the ends are relaxed first, in their cell.
        force: largest on an atom of the band, and of relaxed ends, eV/Å.
        steps: most, of a band or an end.
        spring: between images, eV/Å².
        climb: whether the highest image climbs to the saddle.
        climb_below: largest force on the band at which it begins to, eV/Å.
        interpolation: of the first path: "linear", or "idpp", which keeps atoms apart.
        atoms_in_flight: about how many atoms are evaluated together.
    """

    images: int = 5
    relax: bool = True
    force: float = 0.05
    steps: int = 500
    spring: float = 0.1
    climb: bool = True
    climb_below: float = 0.5
    interpolation: Literal["linear", "idpp"] = "linear"
    atoms_in_flight: int = ATOMS_IN_FLIGHT

    def __post_init__(self) -> None:
        check_bounds(self, _BOUNDS, where="neb")
        if self.interpolation not in {"linear", "idpp"}:
            raise InputError(f"'{self.interpolation}'", where="neb: interpolation", remedy="linear or idpp")


class MinimumEnergyPath(Document):
    """A path between two structures; energies are of whole cells."""

    potential: str
    outcome: Outcome | None = Field(description="of the band; None where it did not begin")
    reason: str | None = Field(default=None, description="why there is no barrier; None where there is")
    barrier: float | None = Field(default=None, description="from the first end, eV")
    barrier_back: float | None = Field(default=None, description="from the last end, eV")
    reaction_energy: float | None = Field(default=None, description="of the last end over the first, eV")
    saddle: int | None = Field(
        default=None, description="the highest image; an end where nothing is in the way"
    )
    images: list[Geometry] = Field(description="with both ends")
    energies: list[float] = Field(default_factory=list, description="above the first end, eV")
    distances: list[float] = Field(default_factory=list, description="along the path, all atoms together, Å")
    force: float | None = Field(default=None, description="largest on an atom of the band, eV/Å")
    steps: int = 0


@dataclass(frozen=True, kw_only=True)
class _Band(fire.Inert):
    """The images between the ends as one body."""

    climbing: bool = False


@dataclass(frozen=True, kw_only=True)
class _Settled:
    positions_IN3: NDArray[np.float64]
    energies_I: NDArray[np.float64]
    force: float
    steps: int
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class _Ends:
    """Both ends of every path: 2 G structures, the first of each, then the last of each."""

    crystals: Crystals
    energies_G: NDArray[np.float64]
    reasons: tuple[str | None, ...]

    def pair(self, index: int) -> tuple[Any, Any]:
        """Both ends of a path as ``ase.Atoms``."""
        return self.crystals.atoms(index), self.crystals.atoms(index + len(self.reasons))

    def energies(self, index: int) -> tuple[float, float]:
        """Of both ends, eV."""
        return float(self.energies_G[index]), float(self.energies_G[index + len(self.reasons)])


def minimum_energy_paths(
    potential: Potential,
    initial: Crystals,
    final: Crystals,
    settings: NebSettings | None = None,
    *,
    pace: Pace | None = None,
) -> list[MinimumEnergyPath]:
    """Find the lowest way from each structure to its partner, in their cell.

    Bands follow FIRE; as some settle, others begin.

    Args:
        potential: gives energies and forces.
        initial: where each path begins.
        final: where it ends: the same atoms in the same order, in the same cell.
        settings: see :class:`NebSettings`.
        pace: checkpoints, and when to stop.

    Returns:
        One document for each path, with a reason where there is no barrier.

    Raises:
        InputError: ends that do not belong together, or an element the potential does not know.
        OutOfTimeError: there was no time.
    """
    settings, pace = settings or NebSettings(), pace or Pace()
    check_ends(initial, final)
    potential.check(initial)
    ends = _ends(potential, initial, final, settings, pace)
    fine = [index for index, reason in enumerate(ends.reasons) if reason is None]
    fleet = Fleet(
        atoms=[settings.images * int(initial.sizes_G[index]) for index in fine],
        most=settings.atoms_in_flight,
        begin=lambda row: _begin(*ends.pair(fine[row]), settings),
        step=lambda moving: _step(potential, ends, fine, settings, moving),
        moving=_Band,
        arrived=_Settled,
        key=key_of(potential, ends.crystals, repr(settings)),
    )
    _, settled = run(fleet, checkpoint=pace.checkpoint("bands"), pace=pace)
    if len(settled) < len(fine):
        raise OutOfTimeError(
            f"{len(fine) - len(settled)} bands have not settled",
            where="bands",
            remedy="give the same directory again, and it goes on",
        )
    of_path = {index: settled[row] for row, index in enumerate(fine)}
    return [_document(potential, ends, index, of_path.get(index)) for index in range(len(initial))]


def _ends(
    potential: Potential, initial: Crystals, final: Crystals, settings: NebSettings, pace: Pace
) -> _Ends:
    both = Crystals.of_atoms(side.atoms(index) for side in (initial, final) for index in range(len(side)))
    count = len(initial)
    outcomes = [Outcome.CONVERGED] * len(both)
    if settings.relax:
        relaxation = RelaxSettings(
            force=settings.force, steps=settings.steps, cell=False, atoms_in_flight=settings.atoms_in_flight
        )
        relaxed = relaxed_stage(potential, both, relaxation, pace=pace, stage="ends")
        both, energies_G, outcomes = relaxed.crystals, relaxed.energies_G, list(relaxed.outcomes)
    else:
        energies_G = evaluated_stage(
            potential, both, atoms_in_flight=settings.atoms_in_flight, pace=pace, stage="ends"
        ).energies_G
    reasons = [
        why_no_path(both, index, count, outcomes=(outcomes[index], outcomes[index + count]))
        if np.isfinite(energies_G[[index, index + count]]).all()
        else "the energy of an end is no number"
        for index in range(count)
    ]
    return _Ends(crystals=both, energies_G=energies_G, reasons=tuple(reasons))


def _begin(first: Any, last: Any, settings: NebSettings) -> _Band:
    """Between the ends, each atom by the shortest way."""
    from ase.mep import NEB, idpp_interpolate

    last.set_cell(first.cell)  # equal within CELLS; NEB wants it to the last digit
    images = [first, *(first.copy() for _ in range(settings.images)), last]
    NEB(images, method="improvedtangent").interpolate("linear", mic=True)
    if settings.interpolation == "idpp":
        with warnings.catch_warnings(
            action="ignore", category=UserWarning
        ):  # on a default of ASE's that changed
            idpp_interpolate(images, traj=None, log=None, mic=True)
    at_rest = fire.begin(np.concatenate([image.positions for image in images[1:-1]]), first.cell.array)
    return _Band(**{field.name: getattr(at_rest, field.name) for field in fields(at_rest)})


def _step(
    potential: Potential, ends: _Ends, fine: list[int], settings: NebSettings, moving: Mapping[int, _Band]
) -> dict[int, _Band | _Settled]:
    """Evaluate the images of all bands on their way once, and move them."""
    every = np.repeat([fine[row] for row in moving], settings.images)
    images = replace(
        ends.crystals.take(every),
        positions_A3=np.concatenate([band.positions_N3 for band in moving.values()]),
    )
    found = potential.evaluate(images)
    assert found.forces_A3 is not None
    after: dict[int, _Band | _Settled] = {}
    start = 0
    for place, (row, band) in enumerate(moving.items()):
        first, last = ends.pair(fine[row])
        rows = slice(start, start + len(band.positions_N3))
        start = rows.stop
        few = slice(place * settings.images, (place + 1) * settings.images)
        positions_IN3 = np.concatenate(
            [first.positions[None], band.positions_N3.reshape(-1, len(first), 3), last.positions[None]]
        )
        low, high = ends.energies(fine[row])
        energies_I = np.array([low, *found.energies_G[few], high])
        forces_IN3 = found.forces_A3[rows].reshape(-1, len(first), 3)
        after[row] = _moved(band, positions_IN3, energies_I, forces_IN3, like=first, settings=settings)
    return after


def _moved(
    band: _Band,
    positions_IN3: NDArray[np.float64],
    energies_I: NDArray[np.float64],
    forces_IN3: NDArray[np.float64],
    *,
    like: Any,
    settings: NebSettings,
) -> _Band | _Settled:
    """A band one step further, or where it settled."""

    def on_band(*, climb: bool) -> tuple[NDArray[np.float64], float]:
        pulls_IN3 = band_forces(
            positions_IN3, energies_I, forces_IN3, cell_33=like.cell.array, periodic_3=like.pbc,
            spring=settings.spring, climb=climb,
        )  # fmt: skip
        return pulls_IN3, float(np.linalg.norm(pulls_IN3, axis=2).max())

    climbing = band.climbing
    well = bool(np.isfinite(energies_I).all() and np.isfinite(forces_IN3).all())
    pulls_IN3, force = on_band(climb=climbing) if well else (forces_IN3, np.nan)
    if well and settings.climb and not climbing and force < settings.climb_below:
        climbing = True
        pulls_IN3, force = on_band(climb=True)
    if not well:
        outcome = Outcome.EXPLODED
    elif force < settings.force and climbing == settings.climb:
        outcome = Outcome.CONVERGED
    elif band.steps >= settings.steps:
        outcome = Outcome.OUT_OF_STEPS
    else:
        size = len(band.positions_N3)
        pulls_M3 = np.concatenate([pulls_IN3.reshape(size, 3), np.zeros((3, 3))])
        moved = fire.advanced(band, pulls_M3)
        assert isinstance(moved, _Band)
        return replace(moved, climbing=climbing)
    return _Settled(
        positions_IN3=positions_IN3, energies_I=energies_I, force=force, steps=band.steps, outcome=outcome
    )


def _document(potential: Potential, ends: _Ends, index: int, settled: _Settled | None) -> MinimumEnergyPath:
    first, last = ends.pair(index)
    if settled is None:
        return MinimumEnergyPath(
            potential=potential.name,
            outcome=None,
            reason=ends.reasons[index],
            images=[Geometry.of(first), Geometry.of(last)],
        )
    images = []
    for positions_N3 in settled.positions_IN3:
        image = first.copy()
        image.positions = positions_N3
        images.append(Geometry.of(image))
    outcome = Outcome(settled.outcome)
    about: dict[str, Any] = {
        "potential": potential.name,
        "outcome": outcome,
        "images": images,
        "steps": settled.steps,
        "force": settled.force if np.isfinite(settled.force) else None,
    }
    if outcome is Outcome.EXPLODED:
        return MinimumEnergyPath(**about, reason="energies or forces on the band are no numbers")
    steps_IN3 = steps_between(settled.positions_IN3, first.cell.array, first.pbc)
    lengths_I = np.linalg.norm(steps_IN3, axis=(1, 2))
    energies_I = settled.energies_I - settled.energies_I[0]
    about |= {
        "energies": energies_I.tolist(),
        "distances": np.concatenate([[0.0], np.cumsum(lengths_I)]).tolist(),
        "saddle": int(energies_I.argmax()),
    }
    if outcome is not Outcome.CONVERGED:
        return MinimumEnergyPath(**about, reason=f"the band does not settle: {outcome}")
    return MinimumEnergyPath(
        **about,
        barrier=float(energies_I.max()),
        barrier_back=float(energies_I.max() - energies_I[-1]),
        reaction_energy=float(energies_I[-1]),
    )
