"""Potentials that were trained here, as potentials like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zonemelt.tasks.potentials.bonds import bond_tensors
from zonemelt.tasks.potentials.card import read_potential
from zonemelt.tasks.potentials.edge_potential import EdgePotential

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from zonemelt.tasks.potentials.card import PotentialCard
    from zonemelt.tasks.potentials.edge_potential import EdgeTensors
    from zonemelt.tasks.potentials.equivariant import Equivariant


class Trained(EdgePotential):
    """An equivariant network with its scale and reference energies.

    Args:
        name: for messages.
        network: with its weights.
        card: of it.
        device: where to compute.
        dtype: of the network; energies are summed up in double precision.
    """

    def __init__(
        self,
        name: str,
        network: Equivariant,
        card: PotentialCard,
        *,
        device: str = "cpu",
        dtype: str = "float32",
    ) -> None:
        import torch
        from ase.data import atomic_numbers

        self.name, self.device, self.dtype, self.card = name, device, dtype, card
        self.elements, self.theory, self.licence = frozenset(card.references), card.theory, card.licence
        self.cutoff = card.network.cutoff
        self._references = torch.zeros(max(atomic_numbers.values()) + 1, dtype=torch.float64)
        for symbol, energy in card.references.items():
            self._references[atomic_numbers[symbol]] = energy
        self._references = self._references.to(device)
        self.network = network.to(device, getattr(torch, dtype)).eval()
        self.network.requires_grad_(requires_grad=False)
        self.network.refine()

    @property
    def layers(self) -> Any:
        """The modules of the network, in their order."""
        return self.network.layers

    def energies(self, edges: EdgeTensors) -> torch.Tensor:
        """The energy of each structure (G,), eV, in double precision."""
        import torch

        from zonemelt.tasks.potentials.convolution import BONDS

        raw_G = self.network.energies(
            {
                "z": edges.numbers_A,
                "edge_index": torch.stack([edges.neighbour_E, edges.centre_E]),
                "edge_vector": edges.vectors_E3,
                "batch": edges.structure_A,
            },
            {BONDS: bond_tensors(edges.neighbours, self.device)},
        )
        return (raw_G.double() * self.card.scale).index_add(
            0, edges.structure_A, self._references[edges.numbers_A]
        )


def load(folder: Path, *, device: str = "cpu", dtype: str = "float32") -> Trained:
    """Load one from its folder.

    Raises:
        InputError: there is none, or it is damaged.
    """
    network, card = read_potential(folder)
    return Trained(str(folder), network, card, device=device, dtype=dtype)
