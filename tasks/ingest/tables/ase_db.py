"""Read the databases of ASE: SQLite (``.db``), JSON, and LMDB (``.aselmdb``), row by row."""

from __future__ import annotations

import sqlite3
import warnings
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.convert.atoms import record_of_atoms
from zonemelt.tasks.convert.origin import BadRow, parser_of
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.tables.common import (
    NOTHING_KNOWN,
    both_energies,
    ingested,
    properties_of,
    theory_unstated,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zonemelt.tasks.convert.origin import Origin
    from zonemelt.tasks.records import Record
    from zonemelt.tasks.theory import Theory

_SQLITE: Final = b"SQLite format 3\0"


def read_ase_db(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """The rows of a database, streamed; a bad row does not lose the others.

    Rows have ASE's units. A row with one energy has it as both, and a property says so. The rows' ``data`` is
    not opened: it may be anything.

    Args:
        path: of the database.
        origin: where it came from. Where it has no theory, the rows' calculator is told.

    Raises:
        InputError: it is no database of ASE.
    """
    database, ids = _connected(path, origin)
    parser = parser_of("ase")
    for number, row_id in enumerate(ids):
        where = f"{origin.source}, row {row_id}"
        try:
            row = database.get(id=row_id)
            atoms = row.toatoms()
            results = atoms.calc.results if atoms.calc is not None else {}
            energy, free, note = both_energies(results.get("energy"), results.get("free_energy"))
            yield record_of_atoms(
                atoms,
                identifier=f"{origin.calculation}-{row_id}",
                theory=origin.theory or _theory(row, origin),
                convergence=NOTHING_KNOWN,
                provenance=ingested(origin, parser=parser, row=number),
                energy_free=free,
                energy_sigma0=energy,
                properties=properties_of(row.key_value_pairs.items()) | note,
            )
        except InputError as error:
            yield BadRow(where=where, reason=error.what)
        except Exception as error:  # noqa: BLE001 (whatever ASE raises of one row says that it is bad)
            yield BadRow(where=where, reason=f"ASE cannot read it: {type(error).__name__}: {error}")


def _connected(path: Path, origin: Origin) -> tuple[Any, list[int]]:
    """The database, opened by its content, and the numbers of its rows: ASE makes one of what is none."""
    from ase.db import connect

    try:
        with path.open("rb") as file:
            head = file.read(len(_SQLITE))
    except OSError as error:
        raise InputError(
            f"it cannot be read: {error.strerror}", where=origin.source, remedy="may you read it?"
        ) from None
    if not head:
        raise InputError("the file is empty", where=origin.source, remedy="leave it out")
    if head == _SQLITE:
        ids = _ids_of_sqlite(path, origin)
        return connect(path, type="db", use_lock_file=False), ids
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            if head.lstrip().startswith(b"{"):
                database = connect(path, type="json", use_lock_file=False)
                return database, [row.id for row in database.select()]
            database = connect(path, type="aselmdb", use_lock_file=False, readonly=True)
            return database, list(database.ids)
    except Exception as error:  # noqa: BLE001 (lmdb and json have errors of their own)
        raise InputError(
            f"it is no database of ASE: {type(error).__name__}: {error}",
            where=origin.source,
            remedy="look at it with `ase db`",
        ) from None


def _ids_of_sqlite(path: Path, origin: Origin) -> list[int]:
    """The numbers of all rows; the file is not changed, though ASE would add its tables to somebody else's.

    Raises:
        InputError: SQLite cannot read it, or it has no table of ASE's.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
            tables = {name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if "systems" in tables:
                return [number for (number,) in file.execute("SELECT id FROM systems ORDER BY id")]
    except sqlite3.Error as error:
        raise InputError(
            f"SQLite cannot read it: {error}", where=origin.source, remedy="fetch it again"
        ) from None
    raise InputError("it is an SQLite file, but not one of ASE's", where=origin.source, remedy="leave it out")


def _theory(row: Any, origin: Origin) -> Theory:
    """The calculator that a row names, with settings that nobody here knows: of this file only."""
    unstated = theory_unstated(origin)
    calculator = row.get("calculator")
    return unstated if not calculator else unstated.model_copy(update={"code": str(calculator)})
