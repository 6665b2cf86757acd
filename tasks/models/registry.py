"""The architectures a person can name, and what can be said about each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from zonemelt.tasks.featurize.graphs import Edges
from zonemelt.tasks.featurize.line_graphs import line_graph
from zonemelt.tasks.own_code import NAMED

if TYPE_CHECKING:
    from torch import nn

    from zonemelt.tasks.featurize.graphs import Graphs


class Architecture(BaseModel):
    """What all have in common: the graph they read; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cutoff: float = Field(default=8.0, gt=0, description="longest edge, Å")
    k: int | None = Field(default=12, ge=1, description="edges an atom at most; null for all")

    @property
    def edges(self) -> Edges:
        """The edges of its graphs."""
        return Edges(cutoff=self.cutoff, k=self.k)

    def batch(self, graphs: Graphs, *, dtype: str) -> Any:
        """Graphs as the network reads them; see :func:`.graphs.as_batch`."""
        from zonemelt.tasks.featurize.graphs import as_batch

        return as_batch(graphs, dtype=dtype)

    def make(self, *, outputs: int) -> nn.Module:
        """The network, with random weights."""
        raise NotImplementedError


class CgcnnArchitecture(Architecture):
    """CGCNN as published: Xie & Grossman, Phys. Rev. Lett. 120, 145301 (2018)."""

    architecture: Literal["cgcnn"] = "cgcnn"
    width: int = Field(default=64, ge=1)
    layers: int = Field(default=3, ge=1)
    hidden: int = Field(default=128, ge=1)

    def make(self, *, outputs: int) -> nn.Module:
        """The network, with random weights."""
        from zonemelt.tasks.models.cgcnn import CGCNN

        return CGCNN(
            outputs=outputs, width=self.width, layers=self.layers, hidden=self.hidden, cutoff=self.cutoff
        )


class CognArchitecture(Architecture):
    """A connectivity-optimised graph network: Ruff et al., Digital Discovery 3, 594 (2024)."""

    architecture: Literal["cogn"] = "cogn"
    k: int | None = Field(default=24, ge=1, description="edges an atom at most; null for all")
    width: int = Field(default=128, ge=1)
    depth: int = Field(default=5, ge=1)
    gaussians: int = Field(default=32, ge=2)
    nested: float | None = Field(
        default=None, gt=0, description="length of edges that exchange messages in pairs, Å; null for none"
    )

    def batch(self, graphs: Graphs, *, dtype: str) -> Any:
        """Graphs as the network reads them, with pairs of edges where it is nested."""
        import torch

        found = super().batch(graphs, dtype=dtype)
        if self.nested is not None:
            pairs = line_graph(graphs.neighbours, cutoff=self.nested)
            found.line_index = torch.from_numpy(pairs.index_2L)
            found.line_cosine = torch.from_numpy(pairs.cosines_L).to(found.edge_length.dtype)
        return found

    def make(self, *, outputs: int) -> nn.Module:
        """The network, with random weights."""
        from zonemelt.tasks.models.cogn import CoGN

        return CoGN(
            outputs=outputs, width=self.width, depth=self.depth, cutoff=self.cutoff,
            gaussians=self.gaussians, nested=self.nested is not None,
        )  # fmt: skip


class OwnArchitecture(Architecture):
    """A network of your own for PyTorch Geometric: docs/how-to/my-model.md."""

    architecture: Literal["own"] = "own"
    network: str = Field(
        pattern=NAMED,
        description="module:name of what makes it; listed in $ZONEMELT_MODELS",
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="of that, besides outputs")
    source: str = Field(default="", description="written by zonemelt: hash of the file it is written in")

    def make(self, *, outputs: int) -> nn.Module:
        """The network, with random weights.

        Raises:
            InputError: see :func:`.own.own_network`.
        """
        from zonemelt.tasks.models.own import own_network

        return own_network(self.network, self.arguments, outputs=outputs, source=self.source)


AnyArchitecture = Annotated[
    CgcnnArchitecture | CognArchitecture | OwnArchitecture, Field(discriminator="architecture")
]
architectures: TypeAdapter[CgcnnArchitecture | CognArchitecture | OwnArchitecture] = TypeAdapter(
    AnyArchitecture
)
