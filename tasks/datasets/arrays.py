"""Batches of rows as flat arrays, straight from their buffers."""

# A atoms of all structures, G structures

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.crystals import Crystals

if TYPE_CHECKING:
    from numpy.typing import NDArray

CRYSTAL_COLUMNS: Final = ("numbers", "positions", "cell", "periodic")
LABEL_COLUMNS: Final = ("natoms", "energy_free", "energy_sigma0", "forces", "stress")


@dataclass(frozen=True, kw_only=True)
class Labels:
    """The labels of structures, one after the other; NaN where one is absent, which the masks say too.

    Attributes:
        energy_free_G: consistent with the forces (G,), eV, the whole cell.
        energy_sigma0_G: extrapolated to zero smearing (G,), eV, the whole cell.
        forces_A3: (A, 3), eV/Å.
        stresses_G33: (G, 3, 3), eV/Å³, tension positive.
        first_G: where the atoms of each begin, and the end of the last (G + 1,), int64.
        has_energy_free_G: (G,), bool; and so for the others.
    """

    energy_free_G: NDArray[np.float64]
    energy_sigma0_G: NDArray[np.float64]
    forces_A3: NDArray[np.float64]
    stresses_G33: NDArray[np.float64]
    first_G: NDArray[np.int64]
    has_energy_free_G: NDArray[np.bool_]
    has_energy_sigma0_G: NDArray[np.bool_]
    has_forces_G: NDArray[np.bool_]
    has_stress_G: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.energy_free_G)


def crystals_of(batch: Any) -> Crystals:
    """The structures of a ``pyarrow.RecordBatch`` with at least the :data:`CRYSTAL_COLUMNS`."""
    numbers = batch.column("numbers")
    return Crystals(
        numbers_A=_values(numbers),
        positions_A3=_values(batch.column("positions")).reshape(-1, 3),
        cells_G33=_values(batch.column("cell")).reshape(-1, 3, 3),
        periodic_G3=_values(batch.column("periodic")).reshape(-1, 3),
        first_G=_first(numbers),
    )


def labels_of(batch: Any) -> Labels:
    """The labels of a ``pyarrow.RecordBatch`` with at least :data:`LABEL_COLUMNS`."""
    sizes_G = batch.column("natoms").to_numpy()
    energies = {name: batch.column(name) for name in ("energy_free", "energy_sigma0")}
    forces, has_forces_G = _filled(batch.column("forces"), 3 * sizes_G)
    stresses, has_stress_G = _filled(batch.column("stress"), np.full(len(batch), 9))
    return Labels(
        energy_free_G=_numbers(energies["energy_free"]),
        energy_sigma0_G=_numbers(energies["energy_sigma0"]),
        forces_A3=forces.reshape(-1, 3),
        stresses_G33=stresses.reshape(-1, 3, 3),
        first_G=np.concatenate([[0], np.cumsum(sizes_G)]),
        has_energy_free_G=_valid(energies["energy_free"]),
        has_energy_sigma0_G=_valid(energies["energy_sigma0"]),
        has_forces_G=has_forces_G,
        has_stress_G=has_stress_G,
    )


def _values(column: Any) -> NDArray[Any]:
    """All values of a column of lists without nulls, one after the other."""
    found: NDArray[Any] = column.flatten().to_numpy(zero_copy_only=False)
    return found


def _first(column: Any) -> NDArray[np.int64]:
    offsets = column.offsets.to_numpy().astype(np.int64)
    return np.asarray(offsets - offsets[0], np.int64)


def _valid(column: Any) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = column.is_valid().to_numpy(zero_copy_only=False)
    return found


def _numbers(column: Any) -> NDArray[np.float64]:
    found: NDArray[np.float64] = column.to_numpy(zero_copy_only=False)  # nulls become NaN
    return found.astype(np.float64, copy=False)


def _filled(column: Any, sizes: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The values of a column of lists of known lengths, NaN where it is null; and where it is not."""
    present, values = _valid(column), _values(column)
    if present.all():
        return values, present
    filled = np.full(int(sizes.sum()), np.nan)
    filled[np.repeat(present, sizes)] = values
    return filled, present
