"""The shortest way of an ion to a vacancy beside it, as the ends of a path."""

# A atoms of the supercell

from __future__ import annotations

import numpy as np

from zonemelt.tasks.crystals import repeats
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Geometry


def shortest_hop(host: Geometry, ion: str, *, length: float, where: str) -> tuple[Geometry, Geometry, float]:
    """Take one ion out of a supercell, and let its nearest like neighbour move into its place.

    Args:
        host: with all ions, at rest.
        ion: that moves.
        length: least distance between opposite faces of the supercell, Å, so that a vacancy hardly sees its
            images.
        where: for messages.

    Returns:
        The ends, the same atoms in the same order, and how far the ion moves, Å.

    Raises:
        InputError: there are no two ions in the supercell.
    """
    atoms = host.atoms().repeat(repeats(np.array(host.cell), length))
    ions = [index for index, symbol in enumerate(atoms.symbols) if symbol == ion]
    if len(ions) < 2:  # noqa: PLR2004  one to go, one to follow
        raise InputError(
            f"{len(ions)} atoms of {ion} in the supercell", where=where, remedy="give a larger length"
        )
    gone, others = ions[0], ions[1:]
    steps = atoms.get_distances(gone, others, mic=True, vector=True)
    distances = np.linalg.norm(steps, axis=1)
    nearest = int(np.argmin(distances))
    mover = others[nearest]
    moved = atoms.copy()
    moved.positions[mover] -= steps[nearest]
    del atoms[gone], moved[gone]
    return Geometry.of(atoms), Geometry.of(moved), float(distances[nearest])
