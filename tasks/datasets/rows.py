"""Records as rows of flat columns, and rows as records: what comes back equals what went in."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import (
    Computed,
    Convergence,
    Correction,
    Geometry,
    Ingested,
    Property,
    Quality,
    Record,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zonemelt.tasks.theory import Theory

ELEMENTWISE = ("hubbard_u", "setups")  # differ with the elements present: kept with the record


def batch_of(records: Sequence[Record]) -> tuple[Any, dict[str, Theory]]:
    """Records as a ``pyarrow.RecordBatch`` of the columns of the content, and their levels of theory by key.

    A level is kept without what differs with the elements present, which is in the rows.

    Raises:
        InputError: a number does not fit into 64 bits.
    """
    import pyarrow as pa

    from zonemelt.tasks.datasets.schema import content_schema

    keys: dict[int, str] = {}  # many records share one object
    levels: dict[str, Theory] = {}
    for record in records:
        if id(record.theory) not in keys:
            key = keys[id(record.theory)] = record.theory.key
            levels.setdefault(key, record.theory.model_copy(update={name: {} for name in ELEMENTWISE}))
    rows = [_row(record, keys[id(record.theory)]) for record in records]
    try:
        return pa.RecordBatch.from_pylist(rows, schema=content_schema()), levels
    except (OverflowError, pa.ArrowInvalid):
        if len(records) > 1:
            for record in records:
                batch_of([record])
        raise InputError(
            "it holds an integer of more than 64 bits",
            where=f"record {records[0].identifier}",
            remedy="look at its supercell and at its counts of iterations and frames",
        ) from None


def _row(record: Record, theory: str) -> dict[str, Any]:
    from ase.data import atomic_numbers

    geometry, convergence = record.geometry, record.convergence
    row: dict[str, Any] = {
        **record.provenance.__dict__,  # its fields are named as the columns
        "provenance": record.provenance.kind,
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
        "theory": theory,
        "hubbard_u": _json(record.theory.hubbard_u),
        "setups": _json(record.theory.setups),
        "converged_electronic": convergence.electronic,
        "converged_ionic": convergence.ionic,
        "complete": convergence.complete,
        "iterations": convergence.iterations,
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
    return json.dumps(value, sort_keys=True, allow_nan=False, ensure_ascii=False) if value else "{}"


def records_of(batch: Any, theories: Mapping[str, Theory]) -> Iterator[Record]:
    """The records of a ``pyarrow.RecordBatch`` with the columns of the content.

    They were valid when they were written, and their pages carry checksums, so they are not validated again:
    five times as fast.

    Args:
        batch: rows of a part.
        theories: key → level of theory.
    """
    from ase.data import chemical_symbols

    levels: dict[tuple[str, str, str], Theory] = {}
    for row in batch.to_pylist():
        said = (row["theory"], row["hubbard_u"], row["setups"])
        if (theory := levels.get(said)) is None:
            own = {name: json.loads(row[name]) for name in ELEMENTWISE}
            theory = levels[said] = theories[row["theory"]].model_copy(update=own)
        yield _record(row, theory, chemical_symbols)


def _record(row: dict[str, Any], theory: Theory, symbols: Sequence[str]) -> Record:
    scheme, accepted, properties = row["correction_scheme"], row["accepted"], row["properties"]
    kind = Computed if row["provenance"] == "computed" else Ingested
    return Record.model_construct(
        identifier=row["identifier"],
        geometry=Geometry.model_construct(
            cell=_threes(row["cell"]),
            symbols=tuple([symbols[number] for number in row["numbers"]]),
            positions=_threes(row["positions"]),
            periodic=tuple(row["periodic"]),
            supercell=_threes(row["supercell"]),
        ),
        energy_free=row["energy_free"],
        energy_sigma0=row["energy_sigma0"],
        correction=None if scheme is None else Correction(scheme=scheme, energy=row["correction_energy"]),
        forces=_threes(row["forces"]),
        stress=_threes(row["stress"]),
        magmoms=None if row["magmoms"] is None else tuple(row["magmoms"]),
        properties={k: Property.model_validate(p) for k, p in json.loads(properties).items()},
        theory=theory,
        convergence=Convergence.model_construct(
            electronic=row["converged_electronic"],
            ionic=row["converged_ionic"],
            complete=row["complete"],
            iterations=row["iterations"],
        ),
        provenance=kind.model_construct(
            kind=row["provenance"], **{name: row[name] for name in kind.model_fields if name != "kind"}
        ),
        quality=None
        if accepted is None
        else Quality.model_construct(accepted=accepted, reasons=tuple(row["reasons"])),
    )


def _threes(values: list[Any] | None) -> Any:
    if values is None:
        return None
    each = iter(values)
    return tuple(zip(each, each, each, strict=True))
