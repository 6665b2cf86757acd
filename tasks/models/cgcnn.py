"""The crystal graph convolutional network, as it was published: the control for every other model."""

# A atoms, E edges, G graphs, F features

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from zonemelt.tasks.models.basis import Gaussians, published_atoms
from zonemelt.tasks.models.sums import mean_over_graphs, of_each_edge, sum_over_centres

if TYPE_CHECKING:
    from zonemelt.tasks.models.batch import Batch


class CGCNN(nn.Module):
    """Xie & Grossman, Phys. Rev. Lett. 120, 145301 (2018), eq. 5, with the normalisation of their code.

    Args:
        outputs: properties predicted.
        width: features of an atom.
        layers: convolutions.
        hidden: width of the layer after pooling.
        cutoff: of the graph, Å.
        step: between the Gaussians of distances, Å.
    """

    atoms: torch.Tensor

    def __init__(
        self,
        *,
        outputs: int = 1,
        width: int = 64,
        layers: int = 3,
        hidden: int = 128,
        cutoff: float = 8.0,
        step: float = 0.2,
    ) -> None:
        super().__init__()
        atoms = torch.from_numpy(published_atoms())
        self.register_buffer("atoms", atoms, persistent=False)
        self.embedding = nn.Linear(atoms.shape[1], width)
        self.distances = Gaussians(stop=cutoff, count=round(cutoff / step) + 1)
        edge_width = round(cutoff / step) + 1
        self.convolutions = nn.ModuleList([Convolution(width, edge_width) for _ in range(layers)])
        self.pooled = nn.Linear(width, hidden)
        self.head = nn.Linear(hidden, outputs)

    def trunk(self, batch: Batch) -> torch.Tensor:
        """The features of each crystal (G, hidden), before the head."""
        atoms_AF = self.embedding(self.atoms[batch["z"]])
        edges_EB = self.distances(batch["edge_length"].to(atoms_AF.dtype))
        for convolution in self.convolutions:
            atoms_AF = convolution(atoms_AF, edges_EB, batch["edge_index"])
        graphs_GF = mean_over_graphs(atoms_AF, batch)
        return functional.softplus(self.pooled(functional.softplus(graphs_GF)))

    def forward(self, batch: Batch) -> torch.Tensor:
        """Predictions (G, outputs), scaled."""
        return self.head(self.trunk(batch))  # type: ignore[no-any-return]


class Convolution(nn.Module):
    """One convolution: gated messages from the neighbours, added up.

    The published layer multiplies [v_i, v_j, u_ij] by one matrix. Here the matrix is applied in its three
    parts, those of the atoms before they are copied to edges: the same numbers at a third of the work.
    """

    def __init__(self, width: int, edge_width: int) -> None:
        super().__init__()
        self.centre = nn.Linear(width, 2 * width)
        self.neighbour = nn.Linear(width, 2 * width, bias=False)
        self.edge = nn.Linear(edge_width, 2 * width, bias=False)
        self.norm_gate = nn.BatchNorm1d(2 * width)
        self.norm_sum = nn.BatchNorm1d(width)

    def forward(self, atoms_AF: torch.Tensor, edges_EB: torch.Tensor, index_2E: torch.Tensor) -> torch.Tensor:
        """New features of the atoms (A, F)."""
        _, centre_E = index_2E
        gate_EF, core_EF = self._normalised(atoms_AF, edges_EB, index_2E).chunk(2, dim=1)
        messages_EF = torch.sigmoid(gate_EF) * functional.softplus(core_EF)
        summed_AF = sum_over_centres(messages_EF, centre_E, len(atoms_AF))
        return functional.softplus(atoms_AF + self.norm_sum(summed_AF))

    def _normalised(
        self, atoms_AF: torch.Tensor, edges_EB: torch.Tensor, index_2E: torch.Tensor
    ) -> torch.Tensor:
        """What goes into the gate and beside it (E, 2F)."""
        neighbour_E, centre_E = index_2E
        norm = self.norm_gate
        centre_AF, neighbour_AF, edge_BF = self.centre(atoms_AF), self.neighbour(atoms_AF), self.edge.weight.T
        if not self.training:  # mean and width are known: they go into the smaller matrices
            assert norm.running_mean is not None
            assert norm.running_var is not None
            scale_F = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
            centre_AF = (centre_AF - norm.running_mean) * scale_F + norm.bias
            neighbour_AF, edge_BF = neighbour_AF * scale_F, edge_BF * scale_F
        both_EF = of_each_edge(centre_AF, centre_E)
        both_EF += of_each_edge(neighbour_AF, neighbour_E)
        both_EF = torch.addmm(both_EF, edges_EB, edge_BF)
        return norm(both_EF) if self.training else both_EF
