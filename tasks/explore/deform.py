"""Explore by chance: strained cells, atoms off their places, in supercells if asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, field_validator

from zonemelt.tasks.explore.candidate import Explorer, Found, Parent, Repeat
from zonemelt.tasks.records import Geometry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Deform(Explorer):
    """Random strain and random displacements.

    The six independent strains of the cell are normal with a standard deviation of ``strain``, to which a
    volume change drawn evenly from ``volume`` is added; displacements are normal in each direction.
    """

    explorer: Literal["deform"] = "deform"
    copies: int = Field(default=10, ge=1, description="of each parent")
    displacement: float = Field(default=0.05, ge=0, description="standard deviation in each direction, Å")
    strain: float = Field(default=0.02, ge=0, lt=0.3, description="standard deviation of each strain")
    volume: tuple[float, float] = Field(default=(0.0, 0.0), description="least and largest change, relative")
    repeat: Repeat = Field(default=(1, 1, 1), description="of the parent's cell")

    @field_validator("volume")
    @classmethod
    def _of_something(cls, volume: tuple[float, float]) -> tuple[float, float]:
        if not -1 < volume[0] <= volume[1]:
            raise ValueError("the least change comes first, and is above -1: nothing would be left")
        return volume


def strains(settings: Deform, generator: np.random.Generator) -> NDArray[np.float64]:
    """A random symmetric strain (3, 3); the volume changes by its trace, to first order."""
    raw = generator.normal(0.0, settings.strain, (3, 3))
    symmetric: NDArray[np.float64] = np.triu(raw) + np.triu(raw, 1).T
    symmetric += np.eye(3) * ((1 + generator.uniform(*settings.volume)) ** (1 / 3) - 1)
    return symmetric


def deformed(parent: Geometry, settings: Deform, generator: np.random.Generator) -> tuple[Geometry, Any]:
    """One copy of a parent, strained and displaced, and the strain; only periodic directions are strained."""
    atoms = parent.atoms().repeat(settings.repeat)
    spanned = np.array(parent.cell)[list(parent.periodic)]
    along = np.linalg.pinv(spanned) @ spanned  # onto what the periodic vectors span
    strain = along @ strains(settings, generator) @ along
    shape = np.eye(3) + strain
    atoms.set_cell(atoms.cell.array @ shape, scale_atoms=False)
    moves = generator.normal(0.0, settings.displacement, (len(atoms), 3))
    atoms.positions = atoms.positions @ shape + moves
    return Geometry.of(atoms), strain


def explore(settings: Deform, parents: Sequence[Parent], *, seed: int) -> Found:
    """Make ``copies`` of each parent; each copy has random numbers of its own."""
    found = Found(explorer=settings.explorer, closest=settings.closest)
    for place, parent in enumerate(parents):
        for copy in range(settings.copies):
            generator = np.random.default_rng([seed, place, copy])
            geometry, strain = deformed(parent.geometry, settings, generator)
            found.add(
                geometry, parent=parent.identifier, copy=copy, seed=seed,
                volume=round(float(np.linalg.det(np.eye(3) + strain)), 6),
            )  # fmt: skip
    return found
