"""Join the two edges between a pair of atoms: what depends on their length is needed once."""

# E edges (each way), B bonds (once)

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from zonemelt.tasks.featurize.neighbours import Neighbours


def bonds(found: Neighbours) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Join each edge with the one that goes back along it.

    Returns:
        Which bond each edge is (E,), and the first edge of every bond (B,).
    """
    neighbour_E, centre_E = found.index_2E
    images_E3 = found.images_E3.astype(np.int64)
    # of an edge and its reverse the one that is smaller stands for both
    sign_E = np.sign(neighbour_E - centre_E)
    for axis in range(3):
        sign_E = np.where(sign_E == 0, np.sign(images_E3[:, axis]), sign_E)
    low_E, high_E = np.minimum(neighbour_E, centre_E), np.maximum(neighbour_E, centre_E)
    rows_E5 = np.column_stack([low_E, high_E, images_E3 * sign_E[:, None]])
    order = np.lexsort(rows_E5.T[::-1])
    new = np.any(np.diff(rows_E5[order], axis=0), axis=1)
    bond_E = np.empty(len(order), np.int64)
    bond_E[order] = np.concatenate([np.zeros(min(1, len(order)), np.int64), np.cumsum(new)])
    first_B = order[np.concatenate([np.ones(min(1, len(order)), bool), new])]
    return bond_E, first_B


def bond_tensors(found: Neighbours, device: torch.device | str = "cpu") -> tuple[torch.Tensor, torch.Tensor]:
    """The same, as a network takes them."""
    import torch

    bond_E, first_B = (torch.from_numpy(places).to(device) for places in bonds(found))
    return bond_E, first_B
