"""Records as rows of flat columns, and rows as records: what comes back equals what went in."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Record
from zonemelt.tasks.theory import Theory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

COMPUTED = ("oracle", "input_digest", "host", "log")
INGESTED = ("source", "sha256", "calculation", "parser", "frame", "frames")
TIMES = ("seconds", "cpu_seconds")
ELEMENTWISE = ("hubbard_u", "setups")  # differ with the elements present: kept with the record


def batch_of(records: Sequence[Record]) -> Any:
    """Records as a ``pyarrow.RecordBatch`` of the columns of the content.

    Raises:
        InputError: a number does not fit into 64 bits.
    """
    import pyarrow as pa

    from zonemelt.tasks.datasets.schema import content_schema

    schema = content_schema()
    rows = [_row(record) for record in records]
    try:
        return pa.RecordBatch.from_pylist(rows, schema=schema)
    except (OverflowError, pa.ArrowInvalid):
        if len(records) > 1:
            for record in records:
                batch_of([record])
        raise InputError(
            "it holds an integer of more than 64 bits",
            where=f"record {records[0].identifier}",
            remedy="look at its supercell and at its counts of iterations and frames",
        ) from None


def bare(theory: Theory) -> Theory:
    """A level of theory without what differs with the elements present: one entry a key."""
    return theory.model_copy(update={"hubbard_u": {}, "setups": {}})


def _row(record: Record) -> dict[str, Any]:
    from ase.data import atomic_numbers

    geometry, convergence, provenance = record.geometry, record.convergence, record.provenance
    row: dict[str, Any] = {
        "identifier": record.identifier,
        "cell": _flat(geometry.cell),
        "numbers": [atomic_numbers[symbol] for symbol in geometry.symbols],
        "positions": _flat(geometry.positions),
        "periodic": geometry.periodic,
        "supercell": _flat(geometry.supercell),
        "energy_free": record.energy_free,
        "energy_sigma0": record.energy_sigma0,
        "forces": _flat(record.forces),
        "stress": _flat(record.stress),
        "magmoms": record.magmoms,
        "properties": _json({k: p.model_dump() for k, p in record.properties.items()}),
        "theory": record.theory.key,
        "hubbard_u": _json(record.theory.hubbard_u),
        "setups": _json(record.theory.setups),
        "converged_electronic": convergence.electronic,
        "converged_ionic": convergence.ionic,
        "complete": convergence.complete,
        "iterations": convergence.iterations,
        "provenance": provenance.kind,
        **{name: getattr(provenance, name, None) for name in (*COMPUTED, *INGESTED, *TIMES)},
    }
    if record.correction is not None:
        row["correction_scheme"] = record.correction.scheme
        row["correction_energy"] = record.correction.energy
    if record.quality is not None:
        row |= {"accepted": record.quality.accepted, "reasons": record.quality.reasons}
    return row


def _flat(rows: Any) -> list[Any] | None:
    return None if rows is None else list(chain.from_iterable(rows))


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False) if value else "{}"


def records_of(batch: Any, theories: Mapping[str, Theory]) -> Iterator[Record]:
    """The records of a ``pyarrow.RecordBatch`` with the columns of the content.

    Args:
        batch: rows of a part.
        theories: key → level of theory of that part.

    Raises:
        InputError: a row is no record, or its level of theory is not among them.
    """
    from ase.data import chemical_symbols
    from pydantic import ValidationError

    for row in batch.to_pylist():
        try:
            yield _record(row, theories, chemical_symbols)
        except (KeyError, IndexError, ValueError, TypeError, ValidationError) as error:
            raise InputError(
                f"a row of the dataset is no record: {error}",
                where=f"record {row.get('identifier')}",
                remedy="`zonemelt dataset check` finds parts that were damaged",
            ) from error


def _record(row: dict[str, Any], theories: Mapping[str, Theory], symbols: Sequence[str]) -> Record:
    own = {name: json.loads(row[name]) for name in ELEMENTWISE}
    theory = theories[row["theory"]]
    names = COMPUTED if row["provenance"] == "computed" else INGESTED
    document: dict[str, Any] = {
        "identifier": row["identifier"],
        "geometry": {
            "cell": _threes(row["cell"]),
            "symbols": [symbols[number] for number in row["numbers"]],
            "positions": _threes(row["positions"]),
            "periodic": row["periodic"],
            "supercell": _threes(row["supercell"]),
        },
        "energy_free": row["energy_free"],
        "energy_sigma0": row["energy_sigma0"],
        "forces": _threes(row["forces"]),
        "stress": _threes(row["stress"]),
        "magmoms": row["magmoms"],
        "properties": json.loads(row["properties"]),
        "theory": theory.model_copy(update=own) if any(own.values()) else theory,
        "convergence": {
            "electronic": row["converged_electronic"],
            "ionic": row["converged_ionic"],
            "complete": row["complete"],
            "iterations": row["iterations"],
        },
        "provenance": {"kind": row["provenance"], **{name: row[name] for name in (*names, *TIMES)}},
    }
    if row["correction_scheme"] is not None:
        document["correction"] = {"scheme": row["correction_scheme"], "energy": row["correction_energy"]}
    if row["accepted"] is not None:
        document["quality"] = {"accepted": row["accepted"], "reasons": row["reasons"]}
    return Record.model_validate(document)


def _threes(values: list[Any] | None) -> list[list[Any]] | None:
    return None if values is None else [values[at : at + 3] for at in range(0, len(values), 3)]
