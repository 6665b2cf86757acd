"""The tensor products of an equivariant convolution, summed over neighbours: the loops, compiled.

A library of tensor products writes the message of every edge to memory, path by path, with all that it needs
on the way; here it stays in the cache, and only the sum over an atom's neighbours is written.
"""

# A atoms, E edges, B bonds (an edge each way), P paths
# X numbers of an atom, Q of an edge's geometry, W weights, O numbers of the sum

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Function = TypeVar("Function", bound="Callable[..., Any]")


def _kernel(function: Function) -> Function:
    """Compile; sums may be taken in any order, as in a BLAS: only so are several numbers added at a time."""
    anyhow = {"reassoc", "contract", "nsz"}
    return cast("Function", njit(cache=True, nogil=True, error_model="numpy", fastmath=anyhow)(function))


@_kernel
def convolved(  # noqa: PLR0917  kernels take their arguments by position
    x_AX: NDArray[np.float32],
    geometry_EQ: NDArray[np.float32],
    weights_BW: NDArray[np.float32],
    source_E: NDArray[np.int64],
    bond_E: NDArray[np.int64],
    first_A: NDArray[np.int64],
    paths_P7: NDArray[np.int64],
    widest: int,
) -> NDArray[np.float32]:
    """Sum messages over the edges of every atom (A, O).

    Args:
        x_AX: what atoms send, in blocks (component, channel).
        geometry_EQ: of each edge and path a matrix (component in, component out).
        weights_BW: of each bond, path and channel.
        source_E: the atom that sends along each edge; edges are sorted by the atom that receives.
        bond_E: which bond each edge is.
        first_A: where the edges of each receiving atom begin, and the end of the last (A + 1,).
        paths_P7: of each path the channels, where its block of x begins and how many components it has, the
            same of its block of the sum, and where its matrix and its weights begin.
        widest: the most channels of a path.
    """
    atoms = len(first_A) - 1
    last = paths_P7[-1]
    sums_AO = np.zeros((atoms, last[3] + last[4] * last[0]), x_AX.dtype)
    mixed = np.empty(widest, x_AX.dtype)
    for atom in range(atoms):
        total = sums_AO[atom]
        for edge in range(first_A[atom], first_A[atom + 1]):
            x, geometry, weights = x_AX[source_E[edge]], geometry_EQ[edge], weights_BW[bond_E[edge]]
            for path in range(len(paths_P7)):
                channels, x_at, x_parts, o_at, o_parts, q_at, w_at = paths_P7[path]
                w = weights[w_at : w_at + channels]
                z = mixed[:channels]
                for k in range(o_parts):
                    factor = geometry[q_at + k]
                    block = x[x_at : x_at + channels]
                    for u in range(channels):
                        z[u] = factor * block[u]
                    for i in range(1, x_parts):
                        factor = geometry[q_at + i * o_parts + k]
                        block = x[x_at + i * channels : x_at + (i + 1) * channels]
                        for u in range(channels):
                            z[u] += factor * block[u]
                    goal = total[o_at + k * channels : o_at + (k + 1) * channels]
                    for u in range(channels):
                        goal[u] += w[u] * z[u]
    return sums_AO


@_kernel
def slopes(  # noqa: C901, PLR0917  one loop over what is in the cache
    x_AX: NDArray[np.float32],
    geometry_EQ: NDArray[np.float32],
    weights_BW: NDArray[np.float32],
    source_E: NDArray[np.int64],
    bond_E: NDArray[np.int64],
    first_A: NDArray[np.int64],
    paths_P7: NDArray[np.int64],
    widest: int,
    slopes_AO: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The derivatives with respect to x, geometry and weights, from those with respect to the sums (A, O)."""
    to_x_AX = np.zeros_like(x_AX)
    to_geometry_EQ = np.empty_like(geometry_EQ)
    to_weights_BW = np.zeros_like(weights_BW)
    mixed = np.empty(widest, x_AX.dtype)
    for atom in range(len(first_A) - 1):
        slope = slopes_AO[atom]
        for edge in range(first_A[atom], first_A[atom + 1]):
            x, geometry, weights = x_AX[source_E[edge]], geometry_EQ[edge], weights_BW[bond_E[edge]]
            to_x, to_geometry = to_x_AX[source_E[edge]], to_geometry_EQ[edge]
            to_weights = to_weights_BW[bond_E[edge]]
            for path in range(len(paths_P7)):
                channels, x_at, x_parts, o_at, o_parts, q_at, w_at = paths_P7[path]
                w = weights[w_at : w_at + channels]
                to_w = to_weights[w_at : w_at + channels]
                z = mixed[:channels]
                for i in range(x_parts):
                    here = x_at + i * channels
                    block, to_block = x[here : here + channels], to_x[here : here + channels]
                    # x times its weights, against each component of the slope: the geometry's
                    for u in range(channels):
                        z[u] = w[u] * block[u]
                    for k in range(o_parts):
                        goal = slope[o_at + k * channels : o_at + (k + 1) * channels]
                        product = geometry[q_at] * 0.0
                        for u in range(channels):
                            product += z[u] * goal[u]
                        to_geometry[q_at + i * o_parts + k] = product
                    # the slope turned back to this component of x
                    z[:] = 0.0
                    for k in range(o_parts):
                        factor = geometry[q_at + i * o_parts + k]
                        goal = slope[o_at + k * channels : o_at + (k + 1) * channels]
                        for u in range(channels):
                            z[u] += factor * goal[u]
                    for u in range(channels):
                        to_w[u] += block[u] * z[u]
                        to_block[u] += w[u] * z[u]
    return to_x_AX, to_geometry_EQ, to_weights_BW


@_kernel
def slopes_of_slopes(  # noqa: C901, PLR0917  one loop over what is in the cache
    x_AX: NDArray[np.float32],
    geometry_EQ: NDArray[np.float32],
    weights_BW: NDArray[np.float32],
    source_E: NDArray[np.int64],
    bond_E: NDArray[np.int64],
    first_A: NDArray[np.int64],
    paths_P7: NDArray[np.int64],
    widest: int,
    slopes_AO: NDArray[np.float32],
    turned_AX: NDArray[np.float32],
    turned_EQ: NDArray[np.float32],
    turned_BW: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The derivatives of what :func:`slopes` gives, times ``turned``, with respect to its four inputs.

    With the sums C(x, g, w), linear in each, slopes are those of s · C. Their product with (x', g', w') is
    s · [C(x', g, w) + C(x, g', w) + C(x, g, w')], which is differentiated here.
    """
    to_x_AX, to_slopes_AO = np.zeros_like(x_AX), np.zeros_like(slopes_AO)
    to_geometry_EQ, to_weights_BW = np.empty_like(geometry_EQ), np.zeros_like(weights_BW)
    mixed, other = np.empty(widest, x_AX.dtype), np.empty(widest, x_AX.dtype)
    for atom in range(len(first_A) - 1):
        slope, to_slope = slopes_AO[atom], to_slopes_AO[atom]
        for edge in range(first_A[atom], first_A[atom + 1]):
            source, bond = source_E[edge], bond_E[edge]
            x, x1, to_x = x_AX[source], turned_AX[source], to_x_AX[source]
            geometry, geometry1, to_geometry = geometry_EQ[edge], turned_EQ[edge], to_geometry_EQ[edge]
            weights, weights1, to_weights = weights_BW[bond], turned_BW[bond], to_weights_BW[bond]
            for path in range(len(paths_P7)):
                channels, x_at, x_parts, o_at, o_parts, q_at, w_at = paths_P7[path]
                w, w1 = weights[w_at : w_at + channels], weights1[w_at : w_at + channels]
                to_w = to_weights[w_at : w_at + channels]
                z, z1 = mixed[:channels], other[:channels]
                for i in range(x_parts):
                    here = x_at + i * channels
                    block, block1 = x[here : here + channels], x1[here : here + channels]
                    to_block = to_x[here : here + channels]
                    # z of x times w and x' …: against each component of the slope, the geometry's; with the
                    # geometry, the slope's
                    for u in range(channels):
                        z[u] = w[u] * block[u]
                        z1[u] = w[u] * block1[u] + w1[u] * block[u]
                    for k in range(o_parts):
                        factor = geometry[q_at + i * o_parts + k]
                        factor1 = geometry1[q_at + i * o_parts + k]
                        goal = slope[o_at + k * channels : o_at + (k + 1) * channels]
                        to_goal = to_slope[o_at + k * channels : o_at + (k + 1) * channels]
                        product = factor * 0.0
                        for u in range(channels):
                            product += z1[u] * goal[u]
                            to_goal[u] += factor * z1[u] + factor1 * z[u]
                        to_geometry[q_at + i * o_parts + k] = product
                    # the slope turned back to this component of x, by the geometry and by the other one
                    z[:] = 0.0
                    z1[:] = 0.0
                    for k in range(o_parts):
                        factor = geometry[q_at + i * o_parts + k]
                        factor1 = geometry1[q_at + i * o_parts + k]
                        goal = slope[o_at + k * channels : o_at + (k + 1) * channels]
                        for u in range(channels):
                            z[u] += factor * goal[u]
                            z1[u] += factor1 * goal[u]
                    for u in range(channels):
                        to_w[u] += block1[u] * z[u] + block[u] * z1[u]
                        to_block[u] += w1[u] * z[u] + w[u] * z1[u]
    return to_x_AX, to_geometry_EQ, to_weights_BW, to_slopes_AO
