"""What can be said about an equivariant network that is trained to be a potential."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from zonemelt.tasks.models.registry import Architecture

if TYPE_CHECKING:
    from zonemelt.tasks.featurize.graphs import Graphs
    from zonemelt.tasks.potentials.equivariant import Equivariant


class PotentialArchitecture(Architecture):
    """NequIP as SevenNet builds it: Batzner et al., Nat. Commun. 13, 2453 (2022); Park et al. (2024).

    What is left open here, the elements and the mean number of neighbours, is taken from the training set.
    """

    cutoff: float = Field(default=5.0, gt=0, description="longest edge, Å")
    k: None = None  # all edges within the cutoff: else the energy would jump
    channels: tuple[int, ...] = Field(
        default=(32, 16, 8), min_length=1, description="features of an atom: scalars, vectors, l = 2 …"
    )
    layers: int = Field(default=3, ge=1, description="steps of message passing")
    basis: int = Field(default=8, ge=1, description="Bessel functions of an edge's length")
    hidden: tuple[int, ...] = Field(default=(64, 64), description="widths of the networks of that length")
    fading: float | None = Field(
        default=None, gt=0, description="Å from which on messages fade; null for a polynomial all the way"
    )
    self_connection: Literal["nequip", "linear"] = Field(
        default="nequip", description="what an atom keeps of itself depends on its element, or does not"
    )
    elements: tuple[str, ...] = Field(default=(), description="symbols; empty for those of the training set")
    neighbours: float | None = Field(
        default=None, gt=0, description="what sums over neighbours are divided by; null for √ of their mean"
    )

    def batch(self, graphs: Graphs, *, dtype: str) -> Any:
        """Graphs as the network reads them, with each edge's bond (E,) and each one's first edge (B,)."""
        from zonemelt.tasks.potentials.bonds import bond_tensors

        found = super().batch(graphs, dtype=dtype)
        found.bond, found.bond_edge = bond_tensors(graphs.neighbours)
        return found

    def make(self, *, outputs: int = 1) -> Equivariant:
        """The network, with random weights.

        Args:
            outputs: numbers a structure; an energy is one.
        """
        from zonemelt.tasks.potentials.equivariant import Equivariant

        assert outputs == 1
        return Equivariant(self)
