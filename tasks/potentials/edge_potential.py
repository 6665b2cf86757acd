"""Potentials that are functions of the vectors between neighbours: one derivative gives forces and stress."""

# A atoms of all structures, E edges, G structures

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.potentials.derivatives import forces as forces_of
from zonemelt.tasks.potentials.derivatives import slopes, virials
from zonemelt.tasks.potentials.potential import Evaluated, Potential

if TYPE_CHECKING:
    import torch

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.featurize.neighbours import Neighbours


@dataclass(frozen=True, kw_only=True)
class EdgeTensors:
    """What such a potential is given.

    Attributes:
        numbers_A: atomic numbers (A,), int64.
        structure_A: which structure each atom belongs to (A,), int64.
        centre_E, neighbour_E: the atoms of each edge (E,), int64; edges are sorted by their centre.
        vectors_E3: from centre to neighbour (E, 3), Å; the energy is differentiated with respect to these.
        neighbours: the same edges in NumPy, with the images and lengths.
        structures: how many (G).
    """

    numbers_A: torch.Tensor
    structure_A: torch.Tensor
    centre_E: torch.Tensor
    neighbour_E: torch.Tensor
    vectors_E3: torch.Tensor
    neighbours: Neighbours
    structures: int


class EdgePotential(Potential):
    """Inherit, and give ``energies``.

    With g = ∂E/∂r of every edge r, the force on an atom is the sum of g over the edges that leave it minus
    the sum over those that reach it, and the stress is Σ r ⊗ g / V, symmetric because E is invariant under
    rotation (Thompson et al., J. Chem. Phys. 131, 154107 (2009), eq. 2, with the sign of tension).
    """

    cutoff: float
    device: str = "cpu"
    dtype: str = "float32"

    @abstractmethod
    def energies(self, edges: EdgeTensors) -> torch.Tensor:
        """The energy of each structure (G,), eV, differentiable with respect to the vectors."""

    def evaluate_some(self, crystals: Crystals, *, forces: bool, stress: bool) -> Evaluated:
        """Build the graph of all structures, and go through the network forward and back once."""
        import torch

        edges = self._edges(crystals)
        with torch.set_grad_enabled(forces or stress):
            energies_G = self.energies(edges)
            if not (forces or stress):
                return Evaluated(energies_G=_array(energies_G))
            slopes_E3 = slopes(energies_G, edges.vectors_E3)
        return Evaluated(
            energies_G=_array(energies_G),
            forces_A3=_array(_forces(slopes_E3, edges)) if forces else None,
            stresses_G33=_array(_stresses(slopes_E3, edges, crystals)) if stress else None,
        )

    def _edges(self, crystals: Crystals) -> EdgeTensors:
        import numpy as np
        import torch

        from zonemelt.tasks.featurize.neighbours import within

        found = within(crystals, cutoff=self.cutoff)
        index_2E = torch.from_numpy(found.index_2E).to(self.device)
        structures = len(crystals)
        return EdgeTensors(
            numbers_A=torch.from_numpy(crystals.numbers_A.astype(np.int64)).to(self.device),
            structure_A=torch.from_numpy(np.repeat(np.arange(structures), crystals.sizes_G)).to(self.device),
            centre_E=index_2E[1],
            neighbour_E=index_2E[0],
            vectors_E3=torch.from_numpy(found.vectors_E3)
            .to(self.device, getattr(torch, self.dtype))
            .requires_grad_(),
            neighbours=found,
            structures=structures,
        )


def _forces(slopes_E3: torch.Tensor, edges: EdgeTensors) -> torch.Tensor:
    return forces_of(slopes_E3, edges.centre_E, edges.neighbour_E, atoms=len(edges.numbers_A))


def _stresses(slopes_E3: torch.Tensor, edges: EdgeTensors, crystals: Crystals) -> torch.Tensor:
    import numpy as np
    import torch

    virials_G33 = virials(
        slopes_E3,
        edges.vectors_E3.detach(),
        edges.structure_A[edges.centre_E],
        structures=edges.structures,
    )
    volumes_G = torch.from_numpy(np.abs(np.linalg.det(crystals.cells_G33))).to(slopes_E3)
    return virials_G33 / volumes_G[:, None, None]


def _array(values: torch.Tensor) -> Any:
    return values.detach().double().cpu().numpy()
