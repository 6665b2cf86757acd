"""What the weights of a linear potential are multiplied with to give energies and forces."""

# A atoms, E edges, G structures, V sums over neighbours, F features of an atom, K all weights (F an element)

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zonemelt.tasks.potentials.linear import kinds_of

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from zonemelt.tasks.featurize.graphs import Graphs
    from zonemelt.tasks.potentials.linear import Basis


@dataclass(frozen=True, kw_only=True)
class Design:
    """Of some structures.

    Attributes:
        energy_GK: of energies per atom.
        forces_A3K: of forces.
    """

    energy_GK: NDArray[np.float64]
    forces_A3K: NDArray[np.float64]


def design(graphs: Graphs, basis: Basis) -> Design:
    """Work them out, atom by atom: slopes along sums over neighbours, times slopes of these along edges."""
    import torch

    from zonemelt.tasks.potentials.cluster_kernels import add_forces, features

    neighbours, crystals = graphs.neighbours, graphs.crystals
    vectors_E3 = torch.from_numpy(neighbours.vectors_E3)
    neighbour_E, centre_E = neighbours.index_2E
    kind_A = kinds_of(torch.from_numpy(crystals.numbers_A.astype(np.int64)), basis.elements)
    kind_E = kind_A[torch.from_numpy(neighbour_E)]
    atoms, count, polynomials = len(kind_A), basis.features, basis.products
    sums_AV = basis.sums(basis.functions(vectors_E3), torch.from_numpy(centre_E), kind_E, atoms).numpy()
    changes_E3V = _changes(basis, vectors_E3)
    kinds, own = len(basis.elements), changes_E3V.shape[2]
    owner_A = np.repeat(np.arange(len(graphs)), crystals.sizes_G)
    energy_GK = np.zeros((len(graphs), kinds * count))
    forces_A3K = np.zeros((atoms, 3, kinds * count))
    features_F, slopes_VF = np.empty(count), np.empty((sums_AV.shape[1], count))
    for atom, (kind, first, last) in enumerate(
        zip(kind_A.tolist(), neighbours.first_A[:-1].tolist(), neighbours.first_A[1:].tolist(), strict=True)
    ):
        at, structure = kind * count, owner_A[atom]
        features(
            sums_AV[atom], polynomials.factors_M4, polynomials.coefficients_M, polynomials.feature_M,
            features_F, slopes_VF,
        )  # fmt: skip
        energy_GK[structure, at : at + count] += features_F
        for other in range(kinds):
            edges = first + np.flatnonzero(kind_E[first:last].numpy() == other)
            if not len(edges):
                continue
            changes = changes_E3V[edges].reshape(-1, own)
            slopes_XF = changes @ slopes_VF[other * own : (other + 1) * own]
            add_forces(slopes_XF, edges, atom, neighbour_E, at, forces_A3K)
    energy_GK /= crystals.sizes_G[:, None]
    return Design(energy_GK=energy_GK, forces_A3K=forces_A3K)


def _changes(basis: Basis, vectors_E3: torch.Tensor) -> NDArray[np.float64]:
    """How the functions of each edge change along each axis (E, 3, radial and degree)."""
    import torch

    found = []
    for axis in range(3):
        direction_E3 = torch.zeros_like(vectors_E3)
        direction_E3[:, axis] = 1.0
        found.append(torch.func.jvp(basis.functions, (vectors_E3,), (direction_E3,))[1].flatten(1))
    return torch.stack(found, dim=1).numpy()
