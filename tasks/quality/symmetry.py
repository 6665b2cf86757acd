"""Symmetry as spglib finds it: primitive cells, and the prototype of a structure."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from zonemelt.tasks.records import Geometry


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what spglib 2.8 (errors will be raised one day) and pymatgen (gcd) warn of at every call."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Set OLD_ERROR_HANDLING", DeprecationWarning)
        warnings.filterwarnings("ignore", "gcd is deprecated", FutureWarning)
        yield


def asked(function: Callable[..., Any], *given: Any, **more: Any) -> Any:
    """What a function of spglib says; None where it refuses.

    spglib returns None then, or raises once anything in the process has told it to: importing phonopy does.
    """
    from spglib.error import SpglibError

    with quiet():
        try:
            return function(*given, **more)
        except SpglibError:
            return None


def primitive(
    geometry: Geometry, *, symprec: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """The Niggli-reduced primitive cell, as it lies; what spglib refuses stays as it is.

    Args:
        geometry: periodic along all three vectors.
        symprec: how far an atom may be from the place of its copy, Å.

    Returns:
        Cell (3, 3) in Å, fractional coordinates (N, 3), atomic numbers (N,).
    """
    import spglib
    from ase.data import atomic_numbers

    numbers_N = np.array([atomic_numbers[symbol] for symbol in geometry.symbols], np.int64)
    cell = np.array(geometry.cell)
    fractions_N3 = np.array(geometry.positions) @ np.linalg.inv(cell)
    given = (cell, fractions_N3, numbers_N)
    found = asked(spglib.standardize_cell, given, to_primitive=True, no_idealize=True, symprec=symprec)
    if found is not None:
        cell, fractions_N3, numbers_N = found
    reduced = asked(spglib.niggli_reduce, cell, eps=1e-5)
    if reduced is not None:
        fractions_N3 = fractions_N3 @ cell @ np.linalg.inv(reduced)
        cell = reduced
    return cell, fractions_N3, np.asarray(numbers_N, np.int64)


def symmetry_of(geometry: Geometry, *, symprec: float = 0.1) -> tuple[int, int] | None:
    """The number of the space group, and how many operations its point group has.

    Args:
        geometry: periodic along all three vectors.
        symprec: how far an atom may be from the place of its copy, Å.

    Returns:
        None where spglib finds none.
    """
    import spglib
    from ase.data import atomic_numbers

    cell = np.array(geometry.cell)
    numbers = [atomic_numbers[symbol] for symbol in geometry.symbols]
    given = (cell, np.array(geometry.positions) @ np.linalg.inv(cell), numbers)
    found = asked(spglib.get_symmetry_dataset, given, symprec=symprec)
    if found is None:
        return None
    # found.rotations are only those that the cell allows: a supercell has fewer
    return int(found.number), _order(int(found.hall_number))


@lru_cache(maxsize=600)
def _order(hall_number: int) -> int:
    """Operations of the point group of a setting of a space group."""
    import spglib

    found = asked(spglib.get_symmetry_from_database, hall_number)
    assert found is not None, "a setting that spglib itself has named"
    return len(np.unique(found["rotations"], axis=0))


def prototype(geometry: Geometry, *, symprec: float = 0.1) -> str:
    """The structure type: anonymous formula, Pearson symbol, space group and Wyckoff letters (AFLOW's label).

    Structures of which no label can be made share one group: ``no symmetry found``.

    Args:
        geometry: periodic along all three vectors; otherwise ``not periodic``.
        symprec: Å.
    """
    from pymatgen.analysis.prototypes import get_protostructure_label_from_spglib
    from pymatgen.symmetry.analyzer import SymmetryUndeterminedError

    if not all(geometry.periodic):
        return "not periodic"
    try:
        with quiet():
            label: str = get_protostructure_label_from_spglib(
                geometry.structure(), raise_errors=True, init_symprec=symprec
            )
    except (SymmetryUndeterminedError, ValueError):
        return "no symmetry found"
    return label.rsplit(":", 1)[0]
