"""The forces on a chain of images between two structures: perpendicular ones, springs, and the climb."""

# I images between the ends, N atoms

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def band_forces(
    positions_IN3: NDArray[np.float64],
    energies_I: NDArray[np.float64],
    forces_IN3: NDArray[np.float64],
    *,
    cell_33: NDArray[np.float64],
    periodic_3: NDArray[np.bool_],
    spring: float,
    climb: bool,
) -> NDArray[np.float64]:
    """Forces on the images between the ends (I, N, 3), eV/Å.

    Improved tangents and springs along them: G. Henkelman, H. Jónsson, J. Chem. Phys. 113, 9978 (2000), eqs.
    8 to 12; the highest image climbs: G. Henkelman, B. Uberuaga, H. Jónsson, J. Chem. Phys. 113, 9901 (2000),
    eq. 5.

    Args:
        positions_IN3: of the images and both ends (I + 2, N, 3), Å.
        energies_I: of the images and both ends (I + 2,), eV.
        forces_IN3: of the potential on the images between the ends (I, N, 3), eV/Å.
        cell_33: of all, rows, Å.
        periodic_3: along which vectors they repeat.
        spring: eV/Å².
        climb: whether the highest image climbs.
    """
    steps_IN3 = steps_between(positions_IN3, cell_33, periodic_3)
    lengths_I = np.linalg.norm(steps_IN3, axis=(1, 2))
    highest = int(energies_I[1:-1].argmax())
    answer_IN3 = np.empty_like(forces_IN3)
    for row, forces_N3 in enumerate(forces_IN3):
        tangent_N3 = _tangent(steps_IN3[row], steps_IN3[row + 1], energies_I[row : row + 3])
        along = float((forces_N3 * tangent_N3).sum())
        if climb and row == highest:
            answer_IN3[row] = forces_N3 - 2 * along * tangent_N3
        else:
            pull = spring * (lengths_I[row + 1] - lengths_I[row])
            answer_IN3[row] = forces_N3 + (pull - along) * tangent_N3
    return answer_IN3


def steps_between(
    positions_IN3: NDArray[np.float64], cell_33: NDArray[np.float64], periodic_3: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """From each image to the next, each atom by the shortest way (I + 1, N, 3), Å."""
    from ase.geometry import find_mic

    steps_IN3 = np.diff(positions_IN3, axis=0)
    shortest, _ = find_mic(steps_IN3.reshape(-1, 3), cell_33, pbc=periodic_3)
    answer: NDArray[np.float64] = np.asarray(shortest).reshape(steps_IN3.shape)
    return answer


def _tangent(
    before_N3: NDArray[np.float64], after_N3: NDArray[np.float64], energies_3: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The unit vector along the path at an image, uphill; around extrema weighted by energies."""
    left, here, right = energies_3
    if left < here < right:
        tangent_N3 = after_N3
    elif left > here > right:
        tangent_N3 = before_N3
    else:
        most, least = max(abs(right - here), abs(left - here)), min(abs(right - here), abs(left - here))
        after, before = (most, least) if right > left else (least, most)
        tangent_N3 = after * after_N3 + before * before_N3
        if not most:  # all three alike
            tangent_N3 = before_N3 + after_N3
    return tangent_N3 / max(float(np.linalg.norm(tangent_N3)), 1e-300)
