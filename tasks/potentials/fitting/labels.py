"""What the structures of a collection are labelled with, and what training takes from it beforehand."""

# A atoms, N structures, Z elements

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from zonemelt.tasks.featurize.graphs import Graphs
    from zonemelt.tasks.train.graph_samples import GraphSource
    from zonemelt.tasks.train.labelled import Labelled

_TOGETHER: Final = 256  # structures read at a time


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Of some structures of a collection, in the order of their rows.

    Attributes:
        rows_N: which they are (N,).
        counts_NZ: atoms of each element (N, Z).
        energies_N: eV, the whole cell (N,); NaN where there is none, and so below.
        forces_N: root mean square of the components of forces (N,), eV/Å.
        stress_N: the same of the stress (N,), eV/Å³.
        elements: symbols (Z,), in the order of the alphabet.
    """

    rows_N: NDArray[np.int64]
    counts_NZ: NDArray[np.int64]
    energies_N: NDArray[np.float64]
    forces_N: NDArray[np.float64]
    stress_N: NDArray[np.float64]
    elements: tuple[str, ...]

    @property
    def sizes_N(self) -> NDArray[np.int64]:
        """Atoms of each (N,)."""
        sizes: NDArray[np.int64] = self.counts_NZ.sum(axis=1)
        return sizes

    @property
    def scale(self) -> float:
        """Root mean square of the components of all forces, eV/Å.

        Raises:
            InputError: there are no forces, or all are zero.
        """
        known = np.isfinite(self.forces_N)
        squares = float((self.forces_N[known] ** 2 * self.sizes_N[known]).sum())
        if not squares > 0:
            raise InputError(
                "no training sample has forces" if not known.any() else "the forces of all samples are zero",
                where="dataset",
                remedy="a potential learns from forces: give structures that are not at rest, with theirs",
            )
        return float(np.sqrt(squares / self.sizes_N[known].sum()))

    def without(self, references: Mapping[str, float]) -> NDArray[np.float64]:
        """Energies less the reference energies of their atoms (N,), eV."""
        left: NDArray[np.float64] = self.energies_N - self.counts_NZ @ [references[e] for e in self.elements]
        return left


def read_labels(labelled: Labelled, rows_N: NDArray[np.int64]) -> Labels:
    """Read the labels of some rows; a few structures are in memory at a time.

    Raises:
        InputError: the shards hold no energies and forces, or a label is infinite.
    """
    from ase.data import atomic_numbers

    elements = tuple(sorted(frozenset[str]().union(*(labelled.elements_N[row] for row in rows_N.tolist()))))
    numbers_Z = np.array([atomic_numbers[symbol] for symbol in elements])
    parts = [
        _read(labelled.source, rows_N[start : start + _TOGETHER], numbers_Z)
        for start in range(0, len(rows_N), _TOGETHER)
    ]
    counts_NZ, energies_N, forces_N, stress_N = (np.concatenate(each) for each in zip(*parts, strict=True))
    for name, values_N in (("energy", energies_N), ("forces", forces_N), ("stress", stress_N)):
        if infinite := np.flatnonzero(np.isinf(values_N)).tolist():
            raise InputError(
                f"not a finite number: {', '.join(labelled.names_N[rows_N[row]] for row in infinite[:5])}",
                where=name,
                remedy="leave these out",
            )
    return Labels(
        rows_N=rows_N, counts_NZ=counts_NZ, energies_N=energies_N, forces_N=forces_N, stress_N=stress_N,
        elements=elements,
    )  # fmt: skip


def _read(
    source: GraphSource, rows: NDArray[np.int64], numbers_Z: NDArray[np.int64]
) -> tuple[NDArray[Any], ...]:
    graphs = source.read(rows)
    energies_G, forces_A3, stresses_G33 = _labels_of(graphs)
    crystals = graphs.crystals
    sizes_G, count = crystals.sizes_G, len(graphs)
    owner_A = np.repeat(np.arange(count), sizes_G)
    column = np.zeros(numbers_Z.max() + 1, np.int64)
    column[numbers_Z] = np.arange(len(numbers_Z))
    counts_GZ = np.zeros((count, len(numbers_Z)), np.int64)
    np.add.at(counts_GZ, (owner_A, column[crystals.numbers_A]), 1)
    squares_G = np.bincount(owner_A, (forces_A3**2).sum(axis=1), minlength=count)
    return (
        counts_GZ,
        energies_G,
        np.sqrt(squares_G / (3 * sizes_G)),
        np.sqrt((stresses_G33**2).mean(axis=(1, 2))),
    )


def _labels_of(graphs: Graphs) -> tuple[NDArray[np.float64], ...]:
    try:
        return graphs.labels_G["energy_free"], graphs.labels_A["forces"], graphs.labels_G["stress"]
    except KeyError as error:
        raise InputError(
            f"no label {error} in these shards",
            where="collection",
            remedy="write shards from a dataset with energies, forces and stresses",
        ) from None


def reference_energies(counts_NZ: NDArray[np.int64], energies_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """Energies of elements (Z,), eV an atom, whose sums are closest to energies of structures.

    Least squares per atom, and of all solutions the smallest, where compositions leave them open.

    Args:
        counts_NZ: atoms of each element.
        energies_N: eV, the whole cell; NaN where there is none.

    Raises:
        InputError: there are no energies.
    """
    known = np.isfinite(energies_N)
    if not known.any():
        raise InputError(
            "no training sample has an energy_free", where="dataset", remedy="give energies and forces"
        )
    sizes = counts_NZ[known].sum(axis=1)
    found: NDArray[np.float64] = np.linalg.lstsq(
        counts_NZ[known] / sizes[:, None], energies_N[known] / sizes, rcond=1e-10
    )[0]
    return found
