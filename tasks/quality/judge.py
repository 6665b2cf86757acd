"""The verdict on one record: it is accepted, or rejected with its reasons; nothing is deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import Field

from zonemelt.tasks.errors import UnknownKeyError
from zonemelt.tasks.quality.contacts import USUAL, extent, too_close
from zonemelt.tasks.records import Quality
from zonemelt.tasks.theory import Document

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from zonemelt.tasks.records import Geometry, Record

HELD: Final = ("energy_free", "energy_sigma0", "forces", "stress", "magmoms")
SAID: Final = {
    "electronic": ("the electronic cycle did not converge", "whether the electronic cycle converged"),
    "complete": ("the calculation did not complete", "whether the calculation completed"),
    "ionic": ("the relaxation did not converge", "whether the relaxation converged"),
}
POTENTIAL: Final = ("energy_free", "forces", "electronic", "complete")  # what a potential learns from


class Limits(Document):
    """What is still believed of one record."""

    max_force: float = Field(default=50.0, gt=0, description="largest force on an atom, eV/Å")
    max_net_force: float = Field(
        default=0.05, gt=0, description="length of the sum of the forces over the number of atoms, eV/Å"
    )
    max_stress: float = Field(default=1.0, gt=0, description="largest component, eV/Å³; 1 is about 160 GPa")
    max_stress_asymmetry: float = Field(
        default=1e-3, gt=0, description="largest difference between a component and its transpose, eV/Å³"
    )
    min_distance: float = Field(
        default=USUAL, gt=0, le=1, description="of two atoms, over the sum of their covalent radii"
    )
    min_volume: float = Field(
        default=1.0, gt=0, description="of a cell periodic along all three vectors, Å³ per atom"
    )
    max_extent: float = Field(
        default=1e5, gt=0, le=1e5, description="of the cell and of the atoms, Å; neighbour lists end there"
    )
    max_volume: float | None = Field(
        default=None,
        gt=0,
        description="of such a cell, Å³ per atom; None where molecules and vacuum belong to the data",
    )


def judge(record: Record, *, limits: Limits | None = None, need: Collection[str] = ()) -> Quality:
    """Check convergence, completeness and physical sense of one record.

    What a record does not hold is no fault unless it is needed: labels of properties have no forces, and
    many tables do not say whether anything converged.

    Args:
        record: as it was read.
        limits: what is still believed; ``Limits()`` if None.
        need: of ``energy_free``, ``energy_sigma0``, ``forces``, ``stress``, ``magmoms``: what the record must
            hold; of ``electronic``, ``complete``, ``ionic``: what must be known to have converged.
            ``POTENTIAL`` is what a potential learns from.

    Raises:
        UnknownKeyError: something else is needed.
    """
    limits = limits or Limits()
    for asked in need:
        if asked not in HELD and asked not in SAID:
            raise UnknownKeyError.of(asked, [*HELD, *SAID], where="need")
    reasons = [
        *_unconverged(record, need),
        *(f"it has no {name}" for name in HELD if name in need and getattr(record, name) is None),
        *_forces(record, limits),
        *_stress(record, limits),
        *geometry_faults(record.geometry, limits),
    ]
    return Quality(accepted=not reasons, reasons=tuple(reasons))


def judged(record: Record, *, limits: Limits | None = None, need: Collection[str] = ()) -> Record:
    """The record with its verdict; see :func:`judge`."""
    return record.model_copy(update={"quality": judge(record, limits=limits, need=need)})


def quarantined(record: Record, reasons: Collection[str]) -> Record:
    """The record, rejected for these reasons besides those of before; as it is where there are none."""
    if not reasons:
        return record
    before = record.quality.reasons if record.quality is not None else ()
    told = (*before, *(reason for reason in reasons if reason not in before))
    return record.model_copy(update={"quality": Quality(accepted=False, reasons=told)})


def _unconverged(record: Record, need: Collection[str]) -> Iterator[str]:
    for name, (failed, question) in SAID.items():
        said = getattr(record.convergence, name)
        # a frame of a relaxation that went on is a good label: that is a fault only where it is asked for
        if said is False and (name != "ionic" or name in need):
            yield failed
        elif said is None and name in need:
            yield f"nothing says {question}"


def _forces(record: Record, limits: Limits) -> Iterator[str]:
    if record.forces is None:
        return
    forces = np.asarray(record.forces)
    largest = float(np.linalg.norm(forces, axis=1).max())
    if not largest <= limits.max_force:
        yield f"largest force {largest:.1f} eV/Å exceeds {limits.max_force:g}"
    net = float(np.linalg.norm(forces.sum(axis=0))) / len(forces)
    if not net <= limits.max_net_force:
        yield f"net force {net:.3f} eV/Å per atom exceeds {limits.max_net_force:g}"


def _stress(record: Record, limits: Limits) -> Iterator[str]:
    if record.stress is None:
        return
    stress = np.asarray(record.stress)
    largest = float(np.abs(stress).max())
    if not largest <= limits.max_stress:
        yield f"a stress component of {largest:.2f} eV/Å³ exceeds {limits.max_stress:g}"
    skew = float(np.abs(stress - stress.T).max())
    if not skew <= limits.max_stress_asymmetry:
        yield f"the stress is not symmetric: two components differ by {skew:.2g} eV/Å³"


def geometry_faults(geometry: Geometry, limits: Limits) -> Iterator[str]:
    """What is wrong with a geometry alone, each in words; the first that forbids looking on ends it."""
    if not (spread := extent(geometry)) <= limits.max_extent:
        yield f"it spreads over {spread:.3g} Å, more than {limits.max_extent:g}; distances were not checked"
        return
    repeating = np.array(geometry.cell)[np.array(geometry.periodic)]
    if np.linalg.matrix_rank(repeating) < len(repeating):
        yield "a periodic vector has no length, or is parallel to another; distances were not checked"
        return
    if all(geometry.periodic):
        volume = float(abs(np.linalg.det(geometry.cell))) / len(geometry.symbols)
        if not volume >= limits.min_volume:
            # in such a cell an atom has so many images that looking for the nearest would not end
            unchecked = "distances were not checked"
            yield f"volume {volume:.3g} Å³ per atom is below {limits.min_volume:g}; {unchecked}"
            return
        if limits.max_volume is not None and not volume <= limits.max_volume:
            yield f"volume {volume:.3g} Å³ per atom exceeds {limits.max_volume:g}"
    contact = too_close(geometry, limits.min_distance)
    if contact is not None:
        yield contact.described
