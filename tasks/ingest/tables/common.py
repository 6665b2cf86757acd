"""What the readers of tables share: lines of files, and what to say where a table does not say it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.files import BROKEN, opened
from zonemelt.tasks.records import Convergence, Ingested, Property
from zonemelt.tasks.theory import Theory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from zonemelt.tasks.convert.origin import Origin

UNKNOWN: Final = "unknown"  # the unit of what a table gives no unit
NOTHING_KNOWN: Final = Convergence(electronic=None, complete=None)


def theory_unstated(origin: Origin) -> Theory:
    """The level of theory of a file that says nothing of it: its own, so that it mixes with no other.

    Whoever knows that two files share one says so: by reading them with a theory, or by
    ``ignoring=("version",)`` where they are put together.
    """
    return Theory(code=UNKNOWN, version=f"of {origin.calculation}")


def ingested(origin: Origin, *, parser: str, row: int) -> Ingested:
    """The provenance of one row of a table; each row is a calculation of its own."""
    return Ingested(
        source=origin.source,
        sha256=origin.sha256,
        calculation=f"{origin.calculation}-{row}",
        parser=parser,
    )


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of a file, one at a time, as they are.

    Raises:
        InputError: it is empty, or cannot be read to its end.
    """
    some = False
    try:
        with opened(path) as file:
            for line in file:
                some = True
                yield line
    except BROKEN as error:
        far = " to its end" if some else ""
        raise InputError(
            f"it cannot be read{far}: {error}", where=str(path), remedy="may you read it? fetch it again"
        ) from None
    if not some:
        raise InputError("the file is empty", where=str(path), remedy="leave it out")


def text_of(line: bytes) -> str:
    """A line as text.

    Raises:
        ValueError: it is no UTF-8; the message is for a person.
    """
    try:
        return line.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        byte = line[error.start]
        raise ValueError(
            f"byte {error.start + 1} (0x{byte:02x}) is no UTF-8: save the file as UTF-8"
        ) from None


def property_of(value: Any, *, unit: str = UNKNOWN) -> Property | None:
    """A value of a table as a property; what no property can hold becomes its JSON text, and None None."""
    if value is None:
        return None
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, str | bool):
        return Property(value=value, unit="" if unit == UNKNOWN else unit)
    if isinstance(value, int | float):
        return Property(value=float(value), unit=unit)
    if isinstance(value, list | tuple) and all(
        isinstance(x, int | float) and not isinstance(x, bool) for x in value
    ):
        return Property(value=tuple(map(float, value)), unit=unit)
    return Property(value=json.dumps(value, default=str, sort_keys=True), unit="")


def properties_of(values: Iterable[tuple[str, Any]]) -> dict[str, Property]:
    """Values by name as properties of unknown unit; what is None is left out."""
    found = {name: property_of(value) for name, value in values}
    return {name: one for name, one in found.items() if one is not None}


def both_energies(
    energy: float | None, free: float | None
) -> tuple[float | None, float | None, dict[str, Property]]:
    """Extrapolated and free energy of a source; where it has only one, that for both, and a note of it."""
    if (energy is None) == (free is None):
        return energy, free, {}
    only = free if energy is None else energy
    note = Property(value="the source has one energy; it is taken for both", unit="")
    return only, only, {"one_energy": note}
