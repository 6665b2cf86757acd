"""Polynomials of the sums of an atom, with their slopes: loops of the atomic cluster expansion, compiled."""

# A atoms, E edges, V sums of an atom (the last is 1), F features, M terms

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zonemelt.tasks.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
def energies(
    sums_AV: NDArray[np.float64],
    kind_A: NDArray[np.int64],
    factors_M4: NDArray[np.int32],
    weights_ZM: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The energy of each atom (A,), and its slopes along the atom's sums (A, V).

    Args:
        sums_AV: of each atom; the last is 1.
        kind_A: which element each atom is of.
        factors_M4: see :class:`.cluster_products.Products`.
        weights_ZM: of the terms for each element of the centre: the coefficient times the feature's weight.
    """
    energies_A, slopes_AV = np.zeros(len(sums_AV)), np.zeros(sums_AV.shape)
    for atom in range(len(sums_AV)):
        sums, slopes, weights = sums_AV[atom], slopes_AV[atom], weights_ZM[kind_A[atom]]
        total = 0.0
        for term in range(len(factors_M4)):
            a, b, c, d = factors_M4[term]
            front, back = weights[term] * sums[a] * sums[b], sums[c] * sums[d]
            total += front * back
            slopes[a] += weights[term] * sums[b] * back
            slopes[b] += weights[term] * sums[a] * back
            slopes[c] += front * sums[d]
            slopes[d] += front * sums[c]
        energies_A[atom] = total
    return energies_A, slopes_AV


@compiled
def features(  # noqa: PLR0917  kernels take their arguments by position
    sums_V: NDArray[np.float64],
    factors_M4: NDArray[np.int32],
    coefficients_M: NDArray[np.float64],
    feature_M: NDArray[np.int64],
    features_F: NDArray[np.float64],
    slopes_VF: NDArray[np.float64],
) -> None:
    """The features of one atom, and their slopes along its sums; both are filled in.

    Args:
        sums_V: of the atom; the last is 1.
        factors_M4: see :class:`.cluster_products.Products`; as are the coefficients and the features.
        coefficients_M: of the terms.
        feature_M: which feature each term belongs to.
        features_F: filled in.
        slopes_VF: filled in.
    """
    features_F[:] = 0.0
    slopes_VF[:] = 0.0
    for term in range(len(factors_M4)):
        a, b, c, d = factors_M4[term]
        here, coefficient = feature_M[term], coefficients_M[term]
        front, back = coefficient * sums_V[a] * sums_V[b], sums_V[c] * sums_V[d]
        features_F[here] += front * back
        slopes_VF[a, here] += coefficient * sums_V[b] * back
        slopes_VF[b, here] += coefficient * sums_V[a] * back
        slopes_VF[c, here] += front * sums_V[d]
        slopes_VF[d, here] += front * sums_V[c]


@compiled
def add_forces(  # noqa: PLR0917
    slopes_XF: NDArray[np.float64],
    edges_E: NDArray[np.int64],
    centre: int,
    neighbour_E: NDArray[np.int64],
    at: int,
    forces_A3K: NDArray[np.float64],
) -> None:
    """Add slopes of a centre's features along its edges to the forces of its and its neighbours' atoms.

    Args:
        slopes_XF: along the three axes of each of some edges, one after the other.
        edges_E: which edges these are.
        centre: the atom.
        neighbour_E: of all edges.
        at: where the weights of the centre's element begin.
        forces_A3K: added to.
    """
    count = slopes_XF.shape[1]
    for place in range(len(edges_E)):
        other = neighbour_E[edges_E[place]]
        for axis in range(3):
            slopes = slopes_XF[3 * place + axis]
            own = forces_A3K[centre, axis, at : at + count]
            others = forces_A3K[other, axis, at : at + count]
            for feature in range(count):
                own[feature] += slopes[feature]
                others[feature] -= slopes[feature]
