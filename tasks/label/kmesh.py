"""Fold one k-point mesh of a parent lattice into the cells derived from it.

Crystals that share a parent lattice and are sampled at the same points of its reciprocal space have
nearly the same sampling error, which therefore cancels in formation energies (Froyen, Phys. Rev. B
39, 3168 (1989)). Meshes made for each cell alone differ in quality, by tens of meV/atom in metals
with affordable meshes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zonemelt.tasks.errors import OracleError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def folded_mesh(supercell: Sequence[Sequence[int]], divisions: int) -> NDArray[np.float64]:
    """The points of a Gamma-centred mesh of the parent lattice, in a derived cell's coordinates.

    Args:
        supercell: (3, 3); the rows of the cell in lattice vectors of the parent.
        divisions: of each reciprocal vector of the parent.

    Returns:
        Points (divisions³ / atoms of a one-atom parent, 3), in reciprocal vectors of the cell.

    Raises:
        OracleError: the cell is not commensurate with the mesh.
    """
    matrix = np.array(supercell, dtype=np.int64)
    inverse = divisions * np.linalg.inv(matrix)
    if np.abs(inverse - np.rint(inverse)).max() > 1e-6:  # noqa: PLR2004 (rounding)
        raise OracleError(
            f"a cell of {abs(round(np.linalg.det(matrix)))} sites does not fit a mesh of {divisions}",
            where="kpoint_mesh",
            remedy="choose a mesh that the sizes of the cells divide, or give kpoint_density instead",
        )
    counts = np.stack(np.meshgrid(*[np.arange(divisions)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    folded: NDArray[Any] = np.unique(counts @ matrix.T % divisions, axis=0)
    centred = np.where(folded > divisions // 2, folded - divisions, folded)
    return np.asarray(centred / divisions, dtype=np.float64)
