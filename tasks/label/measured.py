"""Properties that an oracle measures beside a label, by further labels of the same crystal strained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from zonemelt.tasks.errors import OracleError, UnknownKeyError
from zonemelt.tasks.records import Geometry, Property

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zonemelt.tasks.records import Record

STRAIN: Final = 0.005
"""Of each length, to both sides: errors of the difference are of its square."""
UNMEASURED: Final = "unmeasured"
"""The property, in words, that says what could not be measured, and why."""


def bulk_modulus(record: Record, label: Callable[[Geometry], Record]) -> Property:
    """The bulk modulus -V dp/dV at the volume of a label, by the stress at two volumes near it.

    Atoms keep their places relative to the cell: where symmetry does not hold them, it is an upper bound.

    Args:
        record: the label.
        label: labels a geometry at the same level of theory.

    Raises:
        OracleError: there is no volume, or a strained cell cannot be labelled, or comes without stress.
    """
    if not all(record.geometry.periodic):
        raise OracleError(
            "it is not periodic along all three vectors, and has no volume",
            where=record.identifier,
            remedy="measure crystals only",
        )
    volumes, pressures = [], []
    for strain in (-STRAIN, STRAIN):
        atoms = record.geometry.atoms()
        atoms.set_cell(atoms.cell[:] * (1 + strain), scale_atoms=True)
        found = label(Geometry.of(atoms, supercell=record.geometry.supercell))
        if found.stress is None:
            raise OracleError(
                "it gives no stress", where=record.identifier, remedy="measure nothing, or change the oracle"
            )
        volumes.append(atoms.get_volume())
        pressures.append(-float(np.trace(np.array(found.stress))) / 3)
    slope = (pressures[1] - pressures[0]) / (volumes[1] - volumes[0])
    return Property(value=-record.geometry.atoms().get_volume() * slope, unit=MEASURES["bulk_modulus"])


MEASURES: Final = {"bulk_modulus": "eV/Å^3"}
"""What can be measured → its unit."""
_HOW: Final = {"bulk_modulus": bulk_modulus}


def check_measures(names: Sequence[str], *, where: str = "measure") -> None:
    """Refuse what nobody can measure.

    Raises:
        UnknownKeyError: with the nearest name that exists.
    """
    for name in names:
        if name not in MEASURES:
            raise UnknownKeyError.of(name, MEASURES, where=where)


def with_measures(record: Record, names: Sequence[str], label: Callable[[Geometry], Record]) -> Record:
    """A label with more properties; what cannot be measured is said, and the label is kept.

    Args:
        record: the label.
        names: keys of :data:`MEASURES`.
        label: labels a geometry at the same level of theory.
    """
    found, missed = dict(record.properties), []
    for name in names:
        try:
            found[name] = _HOW[name](record, label)
        except OracleError as error:
            missed.append(f"{name}: {error.what}")
    if missed:
        found[UNMEASURED] = Property(value="; ".join(missed), unit="")
    return record.model_copy(update={"properties": found})
