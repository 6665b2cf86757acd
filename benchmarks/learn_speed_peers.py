"""What ours is compared with: CGCNN as a user of PyG would write it, and CHGNet by its own code."""

# A atoms, E edges, F features

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import CGConv, global_mean_pool

from zonemelt.tasks.models.basis import published_atoms

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.learn_speed_data import Structures

    from zonemelt.tasks.models.registry import CgcnnArchitecture
    from zonemelt.tasks.shards.shard_set import ShardSet


class PygCgcnn(nn.Module):
    """The network of ``CgcnnArchitecture`` from PyG's own layers: as wide, as deep, the same edges.

    ``CGConv`` has no normalisation before its gate, as the published layer has: it does less.
    """

    known: torch.Tensor
    centres: torch.Tensor

    def __init__(self, like: CgcnnArchitecture) -> None:
        super().__init__()
        count = round(like.cutoff / 0.2) + 1
        self.register_buffer("known", torch.from_numpy(published_atoms()))
        self.register_buffer("centres", torch.linspace(0, like.cutoff, count))
        self.embedding = nn.Linear(self.known.shape[1], like.width)
        self.convolutions = nn.ModuleList(
            [CGConv(like.width, dim=count, batch_norm=True) for _ in range(like.layers)]
        )
        self.hidden, self.out = nn.Linear(like.width, like.hidden), nn.Linear(like.hidden, 1)

    def forward(self, data: Any) -> torch.Tensor:
        """Predictions (G,), scaled."""
        atoms_AF = self.embedding(self.known[data.z])
        edges_EB = torch.exp(-(((data.edge_attr[:, None] - self.centres) / 0.2) ** 2))
        for convolution in self.convolutions:
            atoms_AF = convolution(atoms_AF, data.edge_index, edges_EB)
        graphs_GF = global_mean_pool(functional.softplus(atoms_AF), data.batch)
        return self.out(functional.softplus(self.hidden(graphs_GF))).squeeze(1)  # type: ignore[no-any-return]


def pyg(
    found: Structures, shards: ShardSet, like: CgcnnArchitecture, *, batch: int
) -> tuple[Callable[[], None], Callable[[], None]]:
    """An epoch of training, and predictions of all: a list of ``Data`` in memory, ``DataLoader``, AdamW."""
    from zonemelt.tasks.featurize.graphs import as_batch

    graphs = as_batch(shards.read(slice(None)), dtype="float32").to_data_list()
    items = [
        Data(z=one.z, num_nodes=len(one.z), edge_index=one.edge_index, edge_attr=one.edge_length, y=value)
        for one, value in zip(graphs, torch.from_numpy(found.scaled_G).float(), strict=True)
    ]
    torch.manual_seed(0)
    model = PygCgcnn(like)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    shuffled = DataLoader(items, batch_size=batch, shuffle=True)
    in_turn = DataLoader(items, batch_size=256)

    def epoch() -> None:
        model.train()
        for part in shuffled:
            optimizer.zero_grad()
            functional.l1_loss(model(part), part.y).backward()
            optimizer.step()

    @torch.inference_mode()
    def predict() -> None:
        model.eval()
        for part in in_turn:
            model(part)

    return epoch, predict


def chgnet_steps(found: Structures, *, batch: int) -> tuple[Callable[[], None], Callable[[], None], int]:
    """An epoch of CHGNet's training on energies, graphs made before; predictions of structures; parameters.

    The step is that of ``chgnet.trainer.Trainer``: its loader, its loss, Adam.
    """
    from chgnet.data.dataset import collate_graphs
    from chgnet.model import CHGNet
    from chgnet.trainer.trainer import CombinedLoss
    from pymatgen.io.ase import AseAtomsAdaptor

    crystals = [AseAtomsAdaptor.get_structure(atoms) for atoms in found.atoms_G]  # type: ignore[no-untyped-call]
    with contextlib.redirect_stdout(sys.stderr):  # where it introduces itself; reports are on the other
        model = CHGNet.load(use_device="cpu", verbose=False)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    graphs = [model.graph_converter(one) for one in crystals]
    items = [(graph, {"e": value}) for graph, value in zip(graphs, found.scaled_G.tolist(), strict=True)]
    loader = torch.utils.data.DataLoader(items, batch_size=batch, shuffle=True, collate_fn=collate_graphs)  # type: ignore[arg-type, var-annotated]
    criterion = CombinedLoss(target_str="e")

    def epoch() -> None:
        model.train()
        for part, targets in loader:
            loss = criterion(targets, model(part, task="e"))["loss"]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def predict() -> None:
        model.predict_structure(crystals, task="e", batch_size=batch)

    return epoch, predict, sum(parameter.numel() for parameter in model.parameters())
