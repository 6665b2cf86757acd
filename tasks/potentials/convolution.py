"""SevenNet's convolution on processors: the same numbers as its own, in less time and memory."""

# A atoms, E edges, B bonds (an edge each way), P paths
# X numbers of an atom, Q of an edge's geometry, W weights, O numbers of the sum

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray


BONDS: Final = "bonds"
"""Under this name the network's input has which bond each edge is, and the first edge of each: ``bonds``."""


class _Convolved(torch.autograd.Function):
    """First derivatives only: for forces, not for training on them."""

    @staticmethod
    def forward(
        ctx: Any,
        x_AX: torch.Tensor,
        geometry_EQ: torch.Tensor,
        weights_BW: torch.Tensor,
        where: tuple[Any, ...],
    ) -> torch.Tensor:
        from zonemelt.tasks.potentials.convolution_kernels import convolved

        ctx.save_for_backward(x_AX, geometry_EQ, weights_BW)
        ctx.where = where
        arrays: list[Any] = [values.detach().numpy() for values in (x_AX, geometry_EQ, weights_BW)]
        return torch.from_numpy(convolved(*arrays, *where))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slopes_AO: torch.Tensor) -> tuple[Any, ...]:
        from zonemelt.tasks.potentials.convolution_kernels import slopes

        arrays: list[Any] = [values.detach().numpy() for values in ctx.saved_tensors]
        arrays += [*ctx.where, slopes_AO.contiguous().numpy()]
        found = slopes(*arrays)
        return (*(torch.from_numpy(values) for values in found), None)


class Convolution(torch.nn.Module):
    """Takes the place of a ``sevenn.nn.convolution.IrrepsConvolution``, with its weights.

    Messages are products of an atom's features with the spherical harmonics of an edge, weighted by a small
    network of its length (Batzner et al., Nat. Comm. 13, 2453 (2022), eq. 4). Edges must be sorted by the
    atom that receives. The weights are those of a length, and thus the same both ways along a bond.
    """

    def __init__(self, theirs: Any) -> None:
        super().__init__()
        self._theirs = theirs
        self._by_component_X: torch.Tensor
        self._by_channel_O: torch.Tensor
        self._mixing_YQ: torch.Tensor
        product = theirs.convolution
        paths, mixing_YQ = _paths(product)
        self._paths_P7 = paths
        self.register_buffer("_mixing_YQ", torch.from_numpy(mixing_YQ))
        self.register_buffer("_by_component_X", _by_component(product.irreps_in1))
        self.register_buffer("_by_channel_O", torch.argsort(_by_component(product.irreps_out)))

    def forward(self, data: dict[str, Any]) -> dict[str, Any]:
        """Sum messages over neighbours."""
        theirs = self._theirs
        x_AX = data[theirs.key_x]
        bond_E, first_B = data[BONDS]
        weights_BW = theirs.weight_nn(data[theirs.key_weight_input][torch.from_numpy(first_B)])
        geometry_EQ = data[theirs.key_filter] @ self._mixing_YQ
        receiver_E, source_E = data[theirs.key_edge_idx]
        counts_A = torch.bincount(receiver_E, minlength=len(x_AX))
        first_A = np.concatenate([[0], np.cumsum(counts_A.numpy())])
        where = (source_E.numpy(), bond_E, first_A, self._paths_P7, int(self._paths_P7[:, 0].max()))
        sums_AO: torch.Tensor = _Convolved.apply(  # type: ignore[no-untyped-call]
            x_AX[:, self._by_component_X].contiguous(),
            geometry_EQ.contiguous(),
            weights_BW.contiguous(),
            where,
        )
        data[theirs.key_x] = sums_AO[:, self._by_channel_O] / theirs.denominator
        return data


def use_ours(model: Any) -> None:
    """Replace every convolution of a SevenNet."""
    from sevenn.nn.convolution import IrrepsConvolution

    for name, module in list(model.named_children()):
        if isinstance(module, IrrepsConvolution):
            model.replace_module(name, Convolution(module))


def _paths(product: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Where each path begins (P, 7), and what makes its matrix of spherical harmonics (Y, Q)."""
    from e3nn.o3 import wigner_3j

    rows, blocks, matrices, weights = [], [], 0, 0
    sent, harmonics, received = product.irreps_in1, product.irreps_in2, product.irreps_out
    for step in product.instructions:
        channels, one = sent[step.i_in1]
        _, other = harmonics[step.i_in2]
        _, result = received[step.i_out]
        assert step.connection_mode == "uvu"
        assert harmonics[step.i_in2].mul == 1
        block = np.zeros((harmonics.dim, one.dim * result.dim))
        symbol = wigner_3j(one.l, other.l, result.l, dtype=torch.float64).numpy()
        block[harmonics.slices()[step.i_in2]] = step.path_weight * symbol.transpose(1, 0, 2).reshape(
            other.dim, -1
        )
        blocks.append(block)
        starts = sent.slices()[step.i_in1].start, received.slices()[step.i_out].start
        rows.append((channels, starts[0], one.dim, starts[1], result.dim, matrices, weights))
        matrices += one.dim * result.dim
        weights += channels
    return np.array(rows, np.int64), np.concatenate(blocks, axis=1)


def _by_component(irreps: Any) -> torch.Tensor:
    """Which of e3nn's numbers, kept by channel, stands where when they are kept by component (X,)."""
    sizes = [channels * kind.dim for channels, kind in irreps]
    starts = [0, *accumulate(sizes)]
    return torch.cat(
        [
            start + torch.arange(size).reshape(channels, kind.dim).T.flatten()
            for start, size, (channels, kind) in zip(starts[:-1], sizes, irreps, strict=True)
        ]
    )
