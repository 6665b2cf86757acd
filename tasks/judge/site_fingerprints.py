"""CrystalNN fingerprints of crystals: slow, so computed once, kept in a file, and by many processes."""

# A atoms, G crystals, S numbers of a fingerprint

from __future__ import annotations

import hashlib
import multiprocessing
import warnings
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import SiteError
from zonemelt.tasks.judge.novelty import not_a_crystal
from zonemelt.tasks.quality.symmetry import asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from sqlite3 import Connection

    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals

NUMBERS: Final = 61  # of matminer's preset "ops"
SAME_SITE: Final = 1e-5  # Å: atoms that symmetry maps so exactly on one another have one fingerprint
_TOGETHER: Final = 16  # crystals: a few seconds, after which they are kept
_MADE_BY: Final = "matminer CrystalNNFingerprint ops, mean over sites, 1"

Some = tuple[Any, Any, Any]  # cell, positions and numbers of a crystal


def site_fingerprints(
    crystals: Crystals,
    *,
    kept: Path | None = None,
    processes: int = 1,
    tell: Callable[[int], None] | None = None,
) -> tuple[NDArray[np.float64], dict[int, str]]:
    """Mean over the atoms of matminer's CrystalNN fingerprint with order parameters.

    N. E. R. Zimmermann & A. Jain, RSC Adv. 10, 6063 (2020); the preset ``ops``, as the published values of
    coverage use it. Atoms that symmetry (spglib) maps on one another are asked once.

    Args:
        crystals: G of them.
        kept: a file that keeps fingerprints, by cell and positions; made if it is not there. What was
            computed before an interruption is in it.
        processes: that compute; with more than one, a script must guard its start with ``__main__``.
        tell: is called with the number of crystals done since the last call.

    Returns:
        Fingerprints (G, S), NaN where there is none, and for those the reason by row.

    Raises:
        SiteError: matminer is not installed.
        StoreError: the file cannot be used.
    """
    _featurizer()
    prints_GS = np.full((len(crystals), NUMBERS), np.nan)
    reasons: dict[int, str] = {}
    rows_of: dict[bytes, list[int]] = {}
    for row in range(len(crystals)):
        if why := not_a_crystal(crystals, row):
            reasons[row] = why
        else:
            rows_of.setdefault(_key(_crystal(crystals, row)), []).append(row)
    _tell(tell, len(reasons))
    with closing(_Kept(kept)) as there:
        for key, found in there.read(rows_of):
            prints_GS[rows_of[key]] = found
            _tell(tell, len(rows_of.pop(key)))
        wanted = [(key, _crystal(crystals, rows[0])) for key, rows in rows_of.items()]
        for some in _computed(wanted, processes):
            there.write([(key, found) for key, found in some if not isinstance(found, str)])
            for key, computed in some:
                rows = rows_of[key]
                if isinstance(computed, str):
                    reasons |= dict.fromkeys(rows, computed)
                else:
                    prints_GS[rows] = computed
                _tell(tell, len(rows))
    return prints_GS, dict(sorted(reasons.items()))


def _tell(tell: Callable[[int], None] | None, count: int) -> None:
    if tell is not None and count:
        tell(count)


def _crystal(crystals: Crystals, row: int) -> Some:
    atoms = slice(int(crystals.first_G[row]), int(crystals.first_G[row + 1]))
    return crystals.cells_G33[row], crystals.positions_A3[atoms], crystals.numbers_A[atoms]


def _key(crystal: Some) -> bytes:
    """Of a crystal as it is written, to a millionth of an Å."""
    cell, positions_A3, numbers_A = crystal
    said = hashlib.sha256(_MADE_BY.encode())
    for part in (np.round(cell, 6) + 0.0, np.round(positions_A3, 6) + 0.0, np.asarray(numbers_A, np.int64)):
        said.update(np.ascontiguousarray(part).tobytes())
    return said.digest()


def _computed(
    wanted: list[tuple[bytes, Some]], processes: int
) -> Iterator[list[tuple[bytes, NDArray[np.float64] | str]]]:
    """A few at a time, in any order."""
    chunks = [wanted[start : start + _TOGETHER] for start in range(0, len(wanted), _TOGETHER)]
    if processes == 1 or len(chunks) < 2:  # noqa: PLR2004 (nothing to share out)
        yield from map(_some, chunks)
        return
    # a fork of a process with threads (torch, numba) may hang
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_some, chunks)


def _some(chunk: list[tuple[bytes, Some]]) -> list[tuple[bytes, NDArray[np.float64] | str]]:
    return [(key, _one(crystal)) for key, crystal in chunk]


def _one(crystal: Some) -> NDArray[np.float64] | str:
    """The fingerprint of a crystal (S,), or why it has none."""
    from pymatgen.core.lattice import Lattice
    from pymatgen.core.structure import Structure

    cell, positions_A3, numbers_A = crystal
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # CrystalNN warns of what it does not know of an element
            structure = Structure(Lattice(cell), numbers_A.tolist(), positions_A3, coords_are_cartesian=True)
            sites, counts = np.unique(_equivalent(structure, numbers_A), return_counts=True)
            found = np.array([_featurizer().featurize(structure, int(site)) for site in sites], float)
    except Exception as error:  # noqa: BLE001 (CrystalNN raises many kinds; published code does the same)
        return f"it has no CrystalNN fingerprint: {type(error).__name__}: {error}"
    mean_S: NDArray[np.float64] = counts @ found / counts.sum()
    return mean_S if np.isfinite(mean_S).all() else "its CrystalNN fingerprint is not finite"


def _equivalent(structure: Any, numbers_A: NDArray[np.uint8]) -> NDArray[np.int64]:
    """For each atom the first that symmetry maps on it (A,)."""
    import spglib

    cell = (structure.lattice.matrix, structure.frac_coords, numbers_A)
    found = asked(spglib.get_symmetry_dataset, cell, symprec=SAME_SITE)
    # where no symmetry can be told, each atom stands for itself
    return np.arange(len(numbers_A)) if found is None else np.asarray(found.equivalent_atoms, np.int64)


@cache
def _featurizer() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from matminer.featurizers.site.fingerprint import CrystalNNFingerprint
    except ImportError:
        raise SiteError(
            "matminer is not installed, which computes the fingerprints of coverage",
            remedy="pip install 'zonemelt[databases]', or leave coverage out",
        ) from None
    return CrystalNNFingerprint.from_preset("ops")


class _Kept:
    """Fingerprints in a file: a row each, written a few at a time."""

    def __init__(self, path: Path | None) -> None:
        self._connection: Connection | None = None
        if path is not None:
            from zonemelt.tasks.sqlite import connect

            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = connect(path)
            self._connection.execute("CREATE TABLE IF NOT EXISTS prints (key BLOB PRIMARY KEY, found BLOB)")

    def read(self, keys: Iterable[bytes]) -> list[tuple[bytes, NDArray[np.float64]]]:
        if self._connection is None:
            return []
        found = []
        for key in keys:
            row = self._connection.execute("SELECT found FROM prints WHERE key = ?", (key,)).fetchone()
            if row is not None and len(row[0]) == 8 * NUMBERS:
                found.append((key, np.frombuffer(row[0], np.float64)))
        return found

    def write(self, some: list[tuple[bytes, NDArray[np.float64]]]) -> None:
        if self._connection is not None and some:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                "INSERT OR REPLACE INTO prints VALUES (?, ?)", [(key, found.tobytes()) for key, found in some]
            )
            self._connection.execute("COMMIT")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
