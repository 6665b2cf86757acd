"""Crystals with properties that follow from them, as records and datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ase.build import bulk
from labels_for_tests import record_of

from zonemelt.tasks.datasets import commit, write_part
from zonemelt.tasks.records import Property, Quality, Record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

METALS = ("Al", "Cu", "Ag", "Au")


def records(count: int = 12, **changes: Any) -> list[Record]:
    """Metals that are larger and larger, every second one with four atoms; every third lacks its gap."""
    found = []
    for number in range(count):
        atoms = bulk(METALS[number % 4], "fcc", a=3.6 + 0.6 * number / count, cubic=number % 2 == 0)
        properties = {
            "modulus": Property(value=50.0 + number, unit="GPa"),
            "volume": Property(value=atoms.get_volume() / len(atoms), unit="Å³/atom"),
        }
        if number % 3:
            properties["gap"] = Property(value=0.1 * number, unit="eV")
        fields: dict[str, Any] = {
            "properties": properties,
            "energy_sigma0": -3.0 * len(atoms) - number if number != 5 else None,
            "energy_free": -3.1 * len(atoms) - 0.1 * (number % 4),
            "quality": Quality(accepted=True),
        }
        found.append(record_of(atoms, f"m{number}", **(fields | changes)))
    return found


def dataset_of(found: Sequence[Record], directory: Path) -> Path:
    """A dataset of these records."""
    commit(directory, [write_part(directory, found)], message="made for a test")
    return directory


TINY = (
    "--epochs", "3", "--set", "model.width=16", "--set", "model.depth=1", "--set", "model.cutoff=5",
    "--set", "model.k=12", "--set", "settings.batch_size=16", "--set", "settings.learning_rate=0.01",
)  # fmt: skip
"""Words of a command that trains a network in a moment."""
