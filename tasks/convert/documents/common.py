"""What the readers of all documents share: which schema it is, and how a frame becomes a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.convert.checked import new_record
from zonemelt.tasks.convert.documents.units import Units, normalised
from zonemelt.tasks.convert.origin import BadRow
from zonemelt.tasks.convert.structures import geometry_of_structure
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Convergence, Ingested, Property, Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zonemelt.tasks.theory import Theory


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One labelled structure of a document, in the document's units."""

    structure: Any
    energy_free: float | None = None
    energy_sigma0: float | None = None
    forces: Any = None
    stress: Any = None
    magmoms: Any = None
    convergence: Convergence


@dataclass(frozen=True, kw_only=True)
class Calculation:
    """What all frames of one calculation share.

    Attributes:
        name: the same for all its frames, and unique.
        source: address of the document.
        parser: what read it.
        units: of its numbers.
        theory: what it was computed with.
        properties: that hold for its last frame.
        seconds: wall time, s.
        cpu_seconds: processor time, s.
        sha256: of the file that the document was in.
    """

    name: str
    source: str
    parser: str
    units: Units
    theory: Theory
    properties: Mapping[str, Property]
    seconds: float | None = None
    cpu_seconds: float | None = None
    sha256: str | None = None

    def records(self, frames: Sequence[Frame]) -> Iterator[Record | BadRow]:
        """A record of each frame, or the reason why it is none."""
        for number, frame in enumerate(frames):
            where = f"{self.source} (frame {number})"
            try:
                yield self._record(frame, number=number, frames=len(frames), where=where)
            except InputError as error:
                yield BadRow(where=where, reason=error.what)

    def _record(self, frame: Frame, *, number: int, frames: int, where: str) -> Record:
        raw = {
            "energy_free": frame.energy_free,
            "energy_sigma0": frame.energy_sigma0,
            "forces": frame.forces,
            "stress": frame.stress,
        }
        said = {"units_of_source": Property(value=self.units.said, unit="")}
        if frame.stress is not None and self.units.stress is None:
            said["stress_left_out"] = Property(value="its unit is not known", unit="")
        return new_record(
            where=where,
            identifier=f"{self.name}-{number}" if frames > 1 else self.name,
            geometry=geometry_of_structure(frame.structure, where=where),
            **numbers(raw, self.units, where=where),
            magmoms=frame.magmoms,
            properties=said | (dict(self.properties) if number == frames - 1 else {}),
            theory=self.theory,
            convergence=frame.convergence,
            provenance=Ingested(
                source=self.source,
                sha256=self.sha256,
                calculation=self.name,
                parser=self.parser,
                frame=number,
                frames=frames,
                seconds=self.seconds,
                cpu_seconds=self.cpu_seconds,
            ),
        )


def numbers(raw: Mapping[str, Any], units: Units, *, where: str) -> dict[str, Any]:
    """The numbers in our units; see :func:`normalised`.

    Raises:
        InputError: they are no numbers, or rows have different lengths.
    """
    try:
        return normalised(raw, units)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"energy, forces or stress are no numbers: {error}", where=where, remedy="leave it out"
        ) from None


def schema_of(document: Any, *, where: str) -> tuple[str, str | None]:
    """Module and class of a document with a colon between, and the version of the package that made it.

    Args:
        document: a pydantic model, or a dictionary with ``@module``, ``@class`` and ``@version``.
        where: the document, for the message.

    Raises:
        InputError: it does not say what it is.
    """
    if isinstance(document, dict):
        if not document.get("@module") or not document.get("@class"):
            raise InputError(
                "it has no '@module' and '@class'",
                where=where,
                remedy="store the output of a job as jobflow does, or give the table's columns",
            )
        version = document.get("@version")
        return f"{document['@module']}:{document['@class']}", None if version is None else str(version)
    from importlib.metadata import version as installed

    kind = type(document)
    package = {"emmet": "emmet-core"}.get(kind.__module__.split(".")[0], kind.__module__.split(".")[0])
    return f"{kind.__module__}:{kind.__name__}", installed(package)


def plain(document: Any) -> dict[str, Any]:
    """A document as nested dictionaries; structures in it may be objects."""
    found: dict[str, Any] = document if isinstance(document, dict) else document.model_dump()
    return found


def got(document: Any, *path: str | int) -> Any:
    """What lies at a path of a nested document, or None where the path ends before."""
    for key in path:
        if isinstance(key, int):
            if not isinstance(document, list | tuple) or not document:
                return None
            document = document[key]
        else:
            document = document.get(key) if isinstance(document, dict) else None
    return document


def word(value: Any) -> str:
    """The word of an enumeration's member, or of a string."""
    return str(getattr(value, "value", value) or "")
