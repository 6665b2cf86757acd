"""Several aims at once: what no other candidate beats in all of them, and the room that it fills."""

# N candidates, D aims, all of which shall be large

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MOST_AIMS = 6  # the work grows as a power of their number


def fronts(aims_ND: Floats) -> NDArray[np.int64]:
    """Which front each candidate is on (N,): 0 for those that none beats, 1 for those that only these beat.

    One beats another where it is as good in all aims and better in one: K. Deb et al., IEEE Trans. Evol.
    Comput. 6, 182 (2002), section III-A.
    """
    left = np.arange(len(aims_ND))
    front_N: NDArray[np.int64] = np.zeros(len(aims_ND), np.int64)
    number = 0
    while left.size:
        own = aims_ND[left]
        beaten = np.zeros(len(left), bool)
        for place, one in enumerate(own):
            if not beaten[place]:
                beaten |= (own <= one).all(axis=1) & (own < one).any(axis=1)
        front_N[left[~beaten]] = number
        left, number = left[beaten], number + 1
    return front_N


def hypervolume(aims_ND: Floats, *, reference_D: Floats) -> float:
    """The volume that candidates dominate beyond a reference point, exactly, by slices along the last aim.

    E. Zitzler, L. Thiele, IEEE Trans. Evol. Comput. 3, 257 (1999).

    Raises:
        InputError: there are more than six aims.
    """
    if aims_ND.shape[1] > _MOST_AIMS:
        raise InputError(
            f"{aims_ND.shape[1]} aims",
            where="hypervolume",
            remedy=f"give {_MOST_AIMS} at most, or add some up",
        )
    above = aims_ND[(aims_ND > reference_D).all(axis=1)] - reference_D
    return _volume(above)


def _volume(above_ND: Floats) -> float:
    if not len(above_ND):
        return 0.0
    if above_ND.shape[1] == 1:
        return float(above_ND.max())
    above_ND = above_ND[fronts(above_ND) == 0]
    above_ND = above_ND[np.argsort(-above_ND[:, -1], kind="stable")]
    depths = np.append(above_ND[:, -1], 0.0)
    return sum(
        float(depths[place] - depths[place + 1]) * _volume(above_ND[: place + 1, :-1])
        for place in range(len(above_ND))
        if depths[place] > depths[place + 1]
    )


def by_hypervolume(aims_ND: Floats, *, count: int, reference_D: Floats) -> list[int]:
    """Pick again and again what adds most to the volume that is dominated; then by front.

    Args:
        aims_ND: of the candidates.
        count: how many to pick.
        reference_D: the least that is of any worth in each aim.
    """
    held = np.empty((0, aims_ND.shape[1]))
    front_N = fronts(aims_ND)
    picked: list[int] = []
    for _ in range(min(count, len(aims_ND))):
        open_N = np.setdiff1d(np.arange(len(aims_ND)), picked)
        # what another open candidate beats cannot add more than that one
        some = open_N[fronts(aims_ND[open_N]) == 0]
        volumes = [
            hypervolume(np.vstack([held, aims_ND[[place]]]), reference_D=reference_D) for place in some
        ]
        before = hypervolume(held, reference_D=reference_D)
        best = int(np.argmax(volumes))
        if volumes[best] <= before:
            order = open_N[np.argsort(front_N[open_N], kind="stable")]
            return [*picked, *order[: count - len(picked)].tolist()]
        picked.append(int(some[best]))
        held = np.vstack([held, aims_ND[[some[best]]]])
    return picked
