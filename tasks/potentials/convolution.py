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
"""Under this name the network's input has which bond each edge is, and the first edge of each, as tensors."""


class _Convolved(torch.autograd.Function):
    """Linear in each of three inputs: so all of its derivatives are sums of a few of its kind."""

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
        return torch.from_numpy(convolved(*_arrays(x_AX, geometry_EQ, weights_BW), *where))

    @staticmethod
    def backward(ctx: Any, slopes_AO: torch.Tensor) -> tuple[Any, ...]:
        return (*_Slopes.apply(*ctx.saved_tensors, slopes_AO, ctx.where), None)  # type: ignore[no-untyped-call]


class _Slopes(torch.autograd.Function):
    """The first derivatives, which forces are made of; a training on forces goes through them once more."""

    @staticmethod
    def forward(  # noqa: PLR0917  so PyTorch gives them
        ctx: Any,
        x_AX: torch.Tensor,
        geometry_EQ: torch.Tensor,
        weights_BW: torch.Tensor,
        slopes_AO: torch.Tensor,
        where: tuple[Any, ...],
    ) -> tuple[torch.Tensor, ...]:
        from zonemelt.tasks.potentials.convolution_kernels import slopes

        ctx.save_for_backward(x_AX, geometry_EQ, weights_BW, slopes_AO)
        ctx.where = where
        given = (*_arrays(x_AX, geometry_EQ, weights_BW), *where, *_arrays(slopes_AO))
        return tuple(torch.from_numpy(found) for found in slopes(*given))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *turned: torch.Tensor) -> tuple[Any, ...]:
        from zonemelt.tasks.potentials.convolution_kernels import slopes_of_slopes

        *inputs, slopes_AO = ctx.saved_tensors
        given = (*_arrays(*inputs), *ctx.where, *_arrays(slopes_AO, *turned))
        found = slopes_of_slopes(*given)
        return (*(torch.from_numpy(values) for values in found), None)


class _Reordered(torch.autograd.Function):
    """Columns in another order; the way back is the other order, and no sum over what comes twice."""

    @staticmethod
    def forward(ctx: Any, x_AX: torch.Tensor, order_X: torch.Tensor, back_X: torch.Tensor) -> torch.Tensor:
        ctx.orders = order_X, back_X
        return x_AX.index_select(1, order_X)

    @staticmethod
    def backward(ctx: Any, slopes_AX: torch.Tensor) -> tuple[Any, ...]:
        order_X, back_X = ctx.orders
        return _Reordered.apply(slopes_AX, back_X, order_X), None, None  # type: ignore[no-untyped-call]


def _arrays(*tensors: torch.Tensor) -> list[Any]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


class Convolution(torch.nn.Module):
    """Takes the place of a ``sevenn.nn.convolution.IrrepsConvolution``, with its weights and their names.

    Messages are products of an atom's features with the spherical harmonics of an edge, weighted by a small
    network of its length (Batzner et al., Nat. Comm. 13, 2453 (2022), eq. 4). Edges must be sorted by the
    atom that receives. The weights are those of a length, and thus the same both ways along a bond: where the
    input has :data:`BONDS`, they are computed once.
    """

    def __init__(self, theirs: Any) -> None:
        super().__init__()
        self._keys = theirs.key_x, theirs.key_filter, theirs.key_weight_input, theirs.key_edge_idx
        self.weight_nn, self.denominator = theirs.weight_nn, theirs.denominator
        self._paths_P7, mixing_YQ = _paths(theirs.convolution)
        self._mixing_YQ = torch.from_numpy(mixing_YQ)  # no buffer: it keeps all digits in any precision
        self._x_by_component = _by_component(theirs.convolution.irreps_in1)
        self._o_by_component = _by_component(theirs.convolution.irreps_out)
        self._x_by_channel, self._o_by_channel = map(
            torch.argsort, (self._x_by_component, self._o_by_component)
        )

    def forward(self, data: dict[str, Any]) -> dict[str, Any]:
        """Sum messages over neighbours."""
        x_key, filter_key, lengths_key, edges_key = self._keys
        x_AX, harmonics_EY = data[x_key], data[filter_key]
        bond_E, first_B = data.get(BONDS, (None, None))
        lengths = data[lengths_key] if first_B is None else data[lengths_key].index_select(0, first_B)
        if bond_E is None:
            bond_E = torch.arange(len(harmonics_EY), device=x_AX.device)
        sums_AO = (self.in_operations if x_AX.is_cuda else self.in_loops)(
            _reordered(x_AX, self._x_by_component, self._x_by_channel),
            harmonics_EY @ self._mixing_YQ.to(harmonics_EY),
            self.weight_nn(lengths),
            (*data[edges_key], bond_E),
        )
        data[x_key] = _reordered(sums_AO, self._o_by_channel, self._o_by_component) / self.denominator
        return data

    def in_loops(
        self,
        x_AX: torch.Tensor,
        geometry_EQ: torch.Tensor,
        weights_BW: torch.Tensor,
        edges: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    ) -> torch.Tensor:
        """Messages summed over neighbours (A, O), without ever writing down one: on processors.

        Args:
            x_AX: what atoms send, by component.
            geometry_EQ: of each edge and path a matrix.
            weights_BW: of each bond.
            edges: receiver, sender and bond of each edge.
        """
        receiver_E, source_E, bond_E = edges
        first_A = np.zeros(len(x_AX) + 1, np.int64)
        np.cumsum(torch.bincount(receiver_E, minlength=len(x_AX)).numpy(), out=first_A[1:])
        widest = int(self._paths_P7[:, 0].max())
        where = source_E.numpy(), bond_E.numpy(), first_A, self._paths_P7, widest
        found: torch.Tensor = _Convolved.apply(x_AX, geometry_EQ, weights_BW, where)  # type: ignore[no-untyped-call]
        return found

    def in_operations(
        self,
        x_AX: torch.Tensor,
        geometry_EQ: torch.Tensor,
        weights_BW: torch.Tensor,
        edges: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    ) -> torch.Tensor:
        """The same in operations of PyTorch: for accelerators."""
        receiver_E, source_E, bond_E = edges
        x_EX, weights_EW = x_AX[source_E], weights_BW[bond_E]
        found: dict[int, torch.Tensor] = {}
        for channels, x_at, x_parts, o_at, o_parts, q_at, w_at in self._paths_P7.tolist():
            x = x_EX[:, x_at : x_at + x_parts * channels].reshape(-1, x_parts, channels)
            turn = geometry_EQ[:, q_at : q_at + x_parts * o_parts].reshape(-1, x_parts, o_parts)
            message = torch.einsum("eiu,eik->eku", x, turn) * weights_EW[:, None, w_at : w_at + channels]
            found[o_at] = message.flatten(1)
        messages_EO = torch.cat([found[start] for start in sorted(found)], dim=1)
        return messages_EO.new_zeros(len(x_AX), messages_EO.shape[1]).index_add(0, receiver_E, messages_EO)


def _reordered(x_AX: torch.Tensor, order_X: torch.Tensor, back_X: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = _Reordered.apply(x_AX, order_X.to(x_AX.device), back_X.to(x_AX.device))  # type: ignore[no-untyped-call]
    return found


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
