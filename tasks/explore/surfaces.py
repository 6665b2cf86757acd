"""Explore surfaces: slabs of every low-index face and termination, by pymatgen."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from zonemelt.tasks.explore.candidate import Explorer, Found, Parent
from zonemelt.tasks.quality.symmetry import quiet
from zonemelt.tasks.records import Geometry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Surfaces(Explorer):
    """Slabs of each parent, periodic in all directions with vacuum between them."""

    explorer: Literal["surfaces"] = "surfaces"
    index: int = Field(default=1, ge=1, le=3, description="largest Miller index")
    thickness: float = Field(default=8.0, gt=0, description="of the slab at least, Å")
    vacuum: float = Field(default=10.0, gt=0, description="between slabs at least, Å")
    symmetric: bool = Field(
        default=False,
        description="atoms are taken away until both sides are alike; else the parent's formula is kept",
    )
    atoms: int = Field(default=100, ge=1, description="of a slab at most; larger ones are refused")
    displacement: float = Field(
        default=0.02, ge=0, description="of all atoms, standard deviation in each direction, Å"
    )


def explore(settings: Surfaces, parents: Sequence[Parent], *, seed: int) -> Found:
    """Enumerate the surfaces of every parent; parents that are not crystals are refused and counted."""
    from pymatgen.io.ase import AseAtomsAdaptor
    from pymatgen.symmetry.analyzer import SymmetryUndeterminedError

    found = Found(explorer=settings.explorer, closest=settings.closest)
    for place, parent in enumerate(parents):
        if not all(parent.geometry.periodic):
            found.refuse("not a crystal")
            continue
        try:
            made = list(slabs(parent.geometry.structure(), settings))
        except SymmetryUndeterminedError:
            found.refuse("its symmetry cannot be determined")
            continue
        for number, slab in enumerate(made):
            if len(slab) > settings.atoms:
                found.refuse(f"more than {settings.atoms} atoms")
                continue
            atoms: Any = AseAtomsAdaptor.get_atoms(slab, msonable=False)
            atoms.set_array("labels", None)
            moves = np.random.default_rng([seed, place, number]).normal(size=(len(atoms), 3))
            atoms.positions += settings.displacement * moves
            found.add(
                Geometry.of(atoms), parent=parent.identifier, miller=list(slab.miller_index),
                shift=round(float(slab.shift), 4), seed=seed,
            )  # fmt: skip
    return found


def slabs(bulk: Any, settings: Surfaces) -> Iterator[Any]:
    """Slabs of every face that symmetry tells apart, with all their terminations, as pymatgen's ``Slab``."""
    from pymatgen.core.surface import SlabGenerator, get_symmetrically_distinct_miller_indices
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        usual = SpacegroupAnalyzer(bulk).get_conventional_standard_structure()
        for miller in sorted(get_symmetrically_distinct_miller_indices(usual, settings.index)):
            made = SlabGenerator(
                usual, miller, settings.thickness, settings.vacuum, center_slab=True, primitive=True,
                lll_reduce=True,
            )  # fmt: skip
            yield from made.get_slabs(symmetrize=settings.symmetric)
