"""Forces and virials from the slopes of an energy along the vectors between neighbours."""

# A atoms of all structures, E edges, G structures

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def slopes(energies_G: torch.Tensor, vectors_E3: torch.Tensor, *, keep: bool = False) -> torch.Tensor:
    """∂E/∂r of every edge (E, 3); zero where no atom has a neighbour.

    Args:
        energies_G: of the structures.
        vectors_E3: that they were computed from.
        keep: whether the slopes are differentiated once more, as a training on forces does.
    """
    import torch

    if not energies_G.requires_grad:
        return torch.zeros_like(vectors_E3)
    (found,) = torch.autograd.grad(
        energies_G.sum(), vectors_E3, create_graph=keep, allow_unused=True, materialize_grads=True
    )
    return found


def forces(
    slopes_E3: torch.Tensor, centre_E: torch.Tensor, neighbour_E: torch.Tensor, *, atoms: int
) -> torch.Tensor:
    """The force on every atom (A, 3): slopes of the edges that leave it minus those of the edges to it."""
    forces_A3 = slopes_E3.new_zeros(atoms, 3)
    return forces_A3.index_add(0, centre_E, slopes_E3).index_add(0, neighbour_E, slopes_E3, alpha=-1)


def virials(
    slopes_E3: torch.Tensor, vectors_E3: torch.Tensor, structure_E: torch.Tensor, *, structures: int
) -> torch.Tensor:
    """Stress times volume (G, 3, 3): Σ r ⊗ ∂E/∂r, symmetric because E is invariant under rotation.

    Source: Thompson et al., J. Chem. Phys. 131, 154107 (2009), eq. 2, with the sign of tension.
    """
    products_E33 = vectors_E3[:, :, None] * slopes_E3[:, None, :]
    virials_G33 = slopes_E3.new_zeros(structures, 3, 3).index_add(0, structure_E, products_E33)
    return 0.5 * (virials_G33 + virials_G33.transpose(1, 2))
