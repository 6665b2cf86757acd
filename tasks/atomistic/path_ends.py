"""Whether two structures can be the ends of one path."""

# G paths, N atoms of an end

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import Field

from zonemelt.tasks.atomistic.band import steps_between
from zonemelt.tasks.atomistic.relax import Outcome
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Geometry  # noqa: TC001  pydantic reads it
from zonemelt.tasks.theory import Document

if TYPE_CHECKING:
    from zonemelt.tasks.crystals import Crystals

SAME: Final = 0.1
"""Å: ends no atom of which is farther from its partner are one structure."""
CELLS: Final = 1e-4
"""Å by which cells may differ."""


class PathEnds(Document):
    """A path to be found."""

    initial: Geometry
    final: Geometry = Field(description="the same atoms in the same order, in the same cell")


def check_ends(initial: Crystals, final: Crystals) -> None:
    """Refuse ends that do not belong together.

    Raises:
        InputError: other numbers of paths or atoms, other elements in some place, or other cells.
    """
    if len(initial) != len(final):
        raise InputError(
            f"{len(initial)} structures to begin with, {len(final)} to end with",
            where="neb",
            remedy="give pairs",
        )
    for index in range(len(initial)):
        what = _difference(initial.take(slice(index, index + 1)), final.take(slice(index, index + 1)))
        if what:
            raise InputError(
                what,
                where=f"path {index}",
                remedy="both ends have the same atoms in the same order, in one cell",
            )


def why_no_path(both: Crystals, index: int, count: int, *, outcomes: tuple[Outcome, Outcome]) -> str | None:
    """Why nothing leads from one end to the other once they are relaxed; None where there may be a path.

    Args:
        both: the first ends, then the last ones.
        index: of the path.
        count: of all paths.
        outcomes: of the relaxation of both ends.
    """
    for name, outcome in zip(("first", "last"), outcomes, strict=True):
        if outcome is not Outcome.CONVERGED:
            return f"the {name} end does not come to rest: {outcome}"
    first, last = both.atoms(index), both.atoms(index + count)
    apart_N3 = steps_between(np.array([first.positions, last.positions]), first.cell.array, first.pbc)[0]
    apart_N3 = apart_N3 - apart_N3.mean(axis=0)
    if np.linalg.norm(apart_N3, axis=1).max() < SAME:
        return "both ends are the same structure"
    return None


def _difference(one: Crystals, other: Crystals) -> str:
    """What the two ends of a path do not have in common; empty where nothing."""
    from ase.data import chemical_symbols

    if len(one.numbers_A) != len(other.numbers_A):
        return f"{len(one.numbers_A)} atoms at the first end, {len(other.numbers_A)} at the last"
    strange = np.flatnonzero(one.numbers_A != other.numbers_A)
    if strange.size:
        atom = int(strange[0])
        names = [chemical_symbols[some.numbers_A[atom]] for some in (one, other)]
        return f"atom {atom} is {names[0]} at the first end, {names[1]} at the last"
    if np.abs(one.cells_G33 - other.cells_G33).max(initial=0) > CELLS:
        return "the cells of the ends differ"
    if (one.periodic_G3 != other.periodic_G3).any():
        return "the ends repeat along different vectors"
    return ""
