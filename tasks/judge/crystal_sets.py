"""Sets of crystals from files, datasets or candidates; what cannot be read has its place, and a reason."""

# G crystals

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.structure_files import Read, read_below

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class CrystalSet:
    """Crystals with their names.

    Attributes:
        names: of each (G).
        crystals: G of them; what could not be read has no atoms.
        unreadable: row → why.
    """

    names: tuple[str, ...]
    crystals: Crystals
    unreadable: Mapping[int, str]

    @classmethod
    def of(cls, found: Iterable[Read]) -> CrystalSet:
        """From structures as they were read."""
        from ase import Atoms

        names, frames, unreadable = [], [], {}
        for row, one in enumerate(found):
            names.append(one.name)
            if one.geometry is None:
                unreadable[row] = one.reason
            frames.append(Atoms(pbc=True) if one.geometry is None else one.geometry.atoms())
        return cls(names=tuple(names), crystals=Crystals.of_atoms(frames), unreadable=unreadable)

    @property
    def readable(self) -> Crystals:
        """Those that could be read."""
        return self.crystals.take(np.setdiff1d(np.arange(len(self.names)), list(self.unreadable)))


def read_set(paths: Sequence[Path | str], *, only: Collection[str] | None = None) -> CrystalSet:
    """The crystals of files, directories of files, and datasets.

    Args:
        paths: one after the other.
        only: names of those that are wanted; None for all.

    Raises:
        InputError: a path is not there or of no format that is read, or nothing is left.
        StoreError: a dataset is damaged.
    """
    wanted = None if only is None else frozenset(only)
    found = CrystalSet.of(
        one for path in paths for one in read_below(path) if wanted is None or one.name in wanted
    )
    if not found.names:
        raise InputError(
            "there are no crystals" if wanted is None else "none of its crystals is in that part",
            where=", ".join(map(str, paths)),
            remedy="give files or datasets of crystals" if wanted is None else "is it the split of this set?",
        )
    return found


def set_of_documents(documents: Iterable[Mapping[str, Any]]) -> CrystalSet:
    """Candidates, verdicts or any documents with ``identifier`` and ``geometry``."""
    from pydantic import ValidationError

    from zonemelt.tasks.convert.checked import described

    def read(number: int, document: Mapping[str, Any]) -> Read:
        name = str(document.get("identifier", f"number {number}"))
        try:
            return Read(name=name, geometry=Geometry.model_validate(document.get("geometry")))
        except ValidationError as error:
            return Read(name=name, reason=described(error))

    return CrystalSet.of(read(number, document) for number, document in enumerate(documents))


def above_hull_of(names: Sequence[str], values: Mapping[str, float | None]) -> NDArray[np.float64]:
    """Energies above the hull in the order of the crystals (G,), eV/atom; NaN where there is none.

    Raises:
        InputError: there is one for none of them: the names are those of other crystals.
    """
    found = np.array([np.nan if values.get(name) is None else values[name] for name in names], float)
    if len(names) and np.isnan(found).all():
        raise InputError(
            f"no energy above the hull is of one of the {len(names):,} crystals",
            where="energies above the hull",
            remedy=f"name the crystals as they are named here: '{names[0]}'",
        )
    return found
