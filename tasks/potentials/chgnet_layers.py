"""CHGNet's layers with less to multiply: features of atoms and bonds are multiplied before they spread."""

# A atoms, E edges (each way), B bonds (once), L angles, W features, H = 2W: those of a core and of its gate

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import silu

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Gated(torch.nn.Module):
    """A ``chgnet.model.functions.GatedMLP`` of features side by side, each taken from some rows of a table.

    Its first matrix, cut into one for each table, is multiplied with the tables: a bond's features are the
    same in all of its angles. The matrices of core and gate are one.
    """

    def __init__(self, theirs: Any) -> None:
        super().__init__()
        core, gate = _linears(theirs.mlp_core), _linears(theirs.mlp_gate)
        self._weights_HX: torch.Tensor
        self._biases_H: torch.Tensor
        self.register_buffer("_weights_HX", torch.cat([core[0].weight, gate[0].weight]).detach())
        self.register_buffer("_biases_H", torch.cat([core[0].bias, gate[0].bias]).detach())
        self.then = torch.nn.ModuleList([*core[1:], *gate[1:]])
        self.norms = torch.nn.ModuleList([theirs.bn1, theirs.bn2])

    def forward(self, tables: Sequence[tuple[torch.Tensor, torch.Tensor | None]]) -> torch.Tensor:
        """Core times gate (rows, W).

        Args:
            tables: features, and the row of each; None for all rows in their order.
        """
        total_RH: torch.Tensor | None = None
        at = 0
        for table, rows in tables:
            weights_XH = self._weights_HX[:, at : at + table.shape[1]].T
            part = torch.addmm(self._biases_H, table, weights_XH) if at == 0 else table @ weights_XH
            at += table.shape[1]
            part = part if rows is None else part.index_select(0, rows)
            total_RH = part if total_RH is None else total_RH + part
        assert total_RH is not None
        if self.then:
            total_RH = silu(total_RH)
        core, gate = total_RH.chunk(2, dim=1)
        if self.then:
            core, gate = self.then[0](core), self.then[1](gate)
        found: torch.Tensor = silu(self.norms[0](core)) * self.norms[1](gate).sigmoid()
        return found


class _AtomConvolution(torch.nn.Module):
    """In the place of ``chgnet.model.layers.AtomConv``."""

    def __init__(self, theirs: Any) -> None:
        super().__init__()
        self.gated, self.out = _Gated(theirs.twoBody_atom), theirs.mlp_out

    def forward(
        self,
        *,
        atom_feas: torch.Tensor,
        bond_feas: torch.Tensor,
        bond_weights: torch.Tensor,
        atom_graph: torch.Tensor,
        directed2undirected: torch.Tensor,
    ) -> torch.Tensor:
        centre_E, neighbour_E = atom_graph.T
        messages_EW = self.gated(
            [(atom_feas, centre_E), (bond_feas, directed2undirected), (atom_feas, neighbour_E)]
        ) * bond_weights.index_select(0, directed2undirected)
        sums_AW = torch.zeros_like(atom_feas).index_add(0, centre_E, messages_EW)
        found: torch.Tensor = self.out(sums_AW) + atom_feas
        return found


class _BondConvolution(torch.nn.Module):
    """In the place of ``chgnet.model.layers.BondConv``."""

    def __init__(self, theirs: Any) -> None:
        super().__init__()
        self.gated, self.out = _Gated(theirs.twoBody_bond), theirs.mlp_out

    def forward(
        self,
        *,
        atom_feas: torch.Tensor,
        bond_feas: torch.Tensor,
        bond_weights: torch.Tensor,
        angle_feas: torch.Tensor,
        bond_graph: torch.Tensor,
    ) -> torch.Tensor:
        centre_L, one_L, other_L = bond_graph.T
        messages_LW = self.gated(
            [(bond_feas, one_L), (bond_feas, other_L), (angle_feas, None), (atom_feas, centre_L)]
        ) * bond_weights.index_select(0, other_L)
        sums_BW = torch.zeros_like(bond_feas).index_add(0, one_L, messages_LW) * bond_weights
        found: torch.Tensor = self.out(sums_BW) + bond_feas
        return found


class _AngleUpdate(torch.nn.Module):
    """In the place of ``chgnet.model.layers.AngleUpdate``."""

    def __init__(self, theirs: Any) -> None:
        super().__init__()
        self.gated = _Gated(theirs.twoBody_bond)

    def forward(
        self,
        *,
        atom_feas: torch.Tensor,
        bond_feas: torch.Tensor,
        angle_feas: torch.Tensor,
        bond_graph: torch.Tensor,
    ) -> torch.Tensor:
        centre_L, one_L, other_L = bond_graph.T
        found: torch.Tensor = angle_feas + self.gated(
            [(bond_feas, one_L), (bond_feas, other_L), (angle_feas, None), (atom_feas, centre_L)]
        )
        return found


def use_ours(model: Any) -> None:
    """Replace the layers of a CHGNet that is not trained any more, where they are as published."""
    for layers, ours in (
        (model.atom_conv_layers, _AtomConvolution),
        (model.bond_conv_layers, _BondConvolution),
        (model.angle_layers, _AngleUpdate),
    ):
        for place, theirs in enumerate(layers):
            if theirs is not None and _as_published(theirs):
                layers[place] = ours(theirs)


def _as_published(layer: Any) -> bool:
    norms = [getattr(layer, name, None) for name in ("atom_norm", "bond_norm", "angle_norm")]
    gated = getattr(layer, "twoBody_atom", None) or layer.twoBody_bond
    return bool(
        layer.resnet
        and getattr(layer, "use_mlp_out", True)
        and all(norm is None for norm in norms)
        and isinstance(gated.bn1, torch.nn.LayerNorm)
        and isinstance(gated.activation, torch.nn.SiLU)
    )


def _linears(mlp: Any) -> list[Any]:
    return [layer for layer in mlp.layers if isinstance(layer, torch.nn.Linear)]
