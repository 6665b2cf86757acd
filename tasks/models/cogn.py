"""A connectivity-optimised graph network, on its own or with a nested line graph: the strong model.

Ruff, Reiser, Stühmer & Friederich, Digital Discovery 3, 594 (2024): edges are updated from both ends and
themselves, atoms from their edges, the crystal is the mean of its atoms. Nested (coNGN), the edges of an
atom first exchange messages along pairs of edges, which carry their angle.
"""

# A atoms, E edges, G graphs, L pairs of edges, F features

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn

from zonemelt.tasks.models.basis import ELEMENTS, Gaussians, published_atoms
from zonemelt.tasks.models.sums import mean_over_graphs, of_each_edge, sum_over_centres

if TYPE_CHECKING:
    from zonemelt.tasks.models.batch import Batch


def perceptron(*widths: int) -> nn.Sequential:
    """Linear layers with SiLU after each."""
    layers: list[nn.Module] = []
    for start, stop in pairwise(widths):
        layers += [nn.Linear(start, stop), nn.SiLU()]
    return nn.Sequential(*layers)


class CoGN(nn.Module):
    """A graph network over edges and atoms.

    Args:
        outputs: properties predicted, each by a head of its own on the shared trunk.
        width: features of an atom and of an edge.
        depth: blocks.
        cutoff: of the Gaussians of distances, Å.
        gaussians: how many there are.
        nested: exchange messages along pairs of edges: the batch has ``line_index`` (2, L) and
            ``line_cosine`` (L,).
    """

    known: torch.Tensor

    def __init__(
        self,
        *,
        outputs: int = 1,
        width: int = 128,
        depth: int = 5,
        cutoff: float = 8.0,
        gaussians: int = 32,
        nested: bool = False,
    ) -> None:
        super().__init__()
        known = torch.from_numpy(published_atoms())
        self.register_buffer("known", known, persistent=False)
        self.elements = nn.Embedding(ELEMENTS, width)
        self.properties = nn.Linear(known.shape[1], width, bias=False)
        self.distances = Gaussians(stop=cutoff, count=gaussians)
        self.edges = perceptron(gaussians, width)
        self.blocks = nn.ModuleList([Block(width, nested=nested) for _ in range(depth)])
        self.heads = nn.ModuleList(
            [nn.Sequential(perceptron(width, width), nn.Linear(width, 1)) for _ in range(outputs)]
        )

    def trunk(self, batch: Batch) -> torch.Tensor:
        """The features of each crystal (G, F), before any head."""
        atoms_AF = self.elements(batch["z"]) + self.properties(self.known[batch["z"]])
        edges_EF = self.edges(self.distances(batch["edge_length"].to(atoms_AF.dtype)))
        for block in self.blocks:
            atoms_AF, edges_EF = block(atoms_AF, edges_EF, batch)
        return mean_over_graphs(atoms_AF, batch)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Predictions (G, outputs), scaled."""
        graphs_GF = self.trunk(batch)
        return torch.cat([head(graphs_GF) for head in self.heads], dim=1)


class Block(nn.Module):
    """Edges from their ends, then atoms from their edges; both keep what they were."""

    def __init__(self, width: int, *, nested: bool) -> None:
        super().__init__()
        # The matrix over [atom, atom, edge] in three parts: those of atoms are applied before the copying.
        self.centre = nn.Linear(width, width)
        self.neighbour = nn.Linear(width, width, bias=False)
        self.edge = nn.Linear(width, width, bias=False)
        self.message = nn.Sequential(nn.SiLU(), perceptron(width, width))
        self.pairs = Pairs(width) if nested else None
        self.atom = perceptron(2 * width, width)
        self.norm = nn.LayerNorm(width)

    def forward(
        self, atoms_AF: torch.Tensor, edges_EF: torch.Tensor, batch: Batch
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """New features of atoms (A, F) and edges (E, F)."""
        neighbour_E, centre_E = batch["edge_index"]
        if self.pairs is not None:
            edges_EF = edges_EF + self.pairs(edges_EF, batch)
        seen_EF = (
            of_each_edge(self.centre(atoms_AF), centre_E)
            + of_each_edge(self.neighbour(atoms_AF), neighbour_E)
            + self.edge(edges_EF)
        )
        edges_EF = edges_EF + self.message(seen_EF)
        brought_AF = self.norm(sum_over_centres(edges_EF, centre_E, len(atoms_AF)))
        return atoms_AF + self.atom(torch.cat([atoms_AF, brought_AF], dim=1)), edges_EF


class Pairs(nn.Module):
    """Messages between the edges of an atom, along the angles between them."""

    def __init__(self, width: int, *, angles: int = 16) -> None:
        super().__init__()
        self.own = nn.Linear(width, width)
        self.other = nn.Linear(width, width, bias=False)
        self.angle = nn.Linear(angles, width, bias=False)
        self.orders = angles
        self.norm = nn.LayerNorm(width)
        self.out = perceptron(width, width)

    def forward(self, edges_EF: torch.Tensor, batch: Batch) -> torch.Tensor:
        """What the edges are told (E, F)."""
        own_L, other_L = batch["line_index"]
        angles_L = torch.acos(batch["line_cosine"].to(edges_EF.dtype).clamp(-1.0, 1.0))
        orders = torch.arange(self.orders, device=edges_EF.device, dtype=edges_EF.dtype)
        fourier_LB = torch.cos(angles_L[:, None] * orders)
        seen_LF = (
            of_each_edge(self.own(edges_EF), own_L)
            + of_each_edge(self.other(edges_EF), other_L)
            + self.angle(fourier_LB)
        )
        told_EF = sum_over_centres(nn.functional.silu(seen_LF), own_L, len(edges_EF))
        return self.out(self.norm(told_EF))  # type: ignore[no-any-return]
