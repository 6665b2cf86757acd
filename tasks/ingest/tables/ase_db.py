"""Read the databases of ASE: SQLite (``.db``), JSON, and LMDB (``.aselmdb``), row by row."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.convert.atoms import record_of_atoms
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.origin import BadRow
from zonemelt.tasks.ingest.tables.common import (
    NOTHING_KNOWN,
    ingested,
    parser_of,
    property_of,
    theory_unstated,
)
from zonemelt.tasks.records import Property

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zonemelt.tasks.ingest.origin import Origin
    from zonemelt.tasks.records import Record
    from zonemelt.tasks.theory import Theory

_SQLITE: Final = b"SQLite format 3\0"


def read_ase_db(path: Path, origin: Origin, *, theory: Theory | None = None) -> Iterator[Record | BadRow]:
    """The rows of a database, streamed; a bad row does not lose the others.

    Rows have ASE's units. A row with one energy has it as both, and a property says so. The rows' ``data`` is
    not opened: it may be anything.

    Args:
        path: of the database.
        origin: where it came from.
        theory: what all of it was computed with, if somebody knows; otherwise the rows' calculator is told.

    Raises:
        InputError: it is no database of ASE.
    """
    database = _connected(path, origin)
    parser = parser_of("ase")
    for number, row_id in enumerate(_ids(database, path)):
        where = f"{origin.source}, row {row_id}"
        try:
            row = database.get(id=row_id)
            atoms = row.toatoms()
            results = atoms.calc.results if atoms.calc is not None else {}
            energy, free = results.get("energy"), results.get("free_energy")
            only = (energy is None) != (free is None)
            note = {"one_energy": Property(value="the source has one energy; it is taken for both", unit="")}
            pairs = {name: property_of(value) for name, value in row.key_value_pairs.items()}
            yield record_of_atoms(
                atoms,
                identifier=f"{origin.calculation}-{row_id}",
                theory=theory or _theory(row, origin),
                convergence=NOTHING_KNOWN,
                provenance=ingested(origin, parser=parser, row=number),
                energy_free=energy if free is None else free,
                energy_sigma0=free if energy is None else energy,
                properties={k: v for k, v in pairs.items() if v is not None} | (note if only else {}),
            )
        except InputError as error:
            yield BadRow(where=where, reason=error.what)
        except Exception as error:  # noqa: BLE001 (whatever ASE raises of one row says that it is bad)
            yield BadRow(where=where, reason=f"ASE cannot read it: {type(error).__name__}: {error}")


def _connected(path: Path, origin: Origin) -> Any:
    """The database, opened by its content: ASE would turn any file that is none into an empty one."""
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
    kind = "db" if head == _SQLITE else "json" if head.lstrip().startswith(b"{") else "aselmdb"
    if kind == "db":
        _check_sqlite(path, origin)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            options = {"readonly": True} if kind == "aselmdb" else {}
            database = connect(path, type=kind, use_lock_file=False, **options)
            _ids(database, path)
    except Exception as error:  # noqa: BLE001 (sqlite, lmdb and json have errors of their own)
        raise InputError(
            f"it is no database of ASE: {type(error).__name__}: {error}",
            where=origin.source,
            remedy="look at it with `ase db`",
        ) from None
    return database


def _check_sqlite(path: Path, origin: Origin) -> None:
    """Refuse SQLite files of somebody else's, which ASE would add its tables to.

    Raises:
        InputError: the file has no table of ASE's.
    """
    import sqlite3
    from contextlib import closing

    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
            tables = {name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error as error:
        raise InputError(
            f"SQLite cannot read it: {error}", where=origin.source, remedy="fetch it again"
        ) from None
    if "systems" not in tables:
        raise InputError(
            "it is an SQLite file, but not one of ASE's", where=origin.source, remedy="leave it out"
        )


def _ids(database: Any, path: Path) -> list[int]:
    """The numbers of all rows."""
    if hasattr(database, "ids"):
        return list(database.ids)
    with path.open("rb") as file:
        if file.read(len(_SQLITE)) == _SQLITE:
            import sqlite3
            from contextlib import closing

            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as rows:
                return [number for (number,) in rows.execute("SELECT id FROM systems ORDER BY id")]
    return [row.id for row in database.select()]


def _theory(row: Any, origin: Origin) -> Theory:
    """The calculator that a row names, with settings that nobody here knows: of this file only."""
    unstated = theory_unstated(origin)
    calculator = row.get("calculator")
    return unstated if not calculator else unstated.model_copy(update={"code": str(calculator)})
