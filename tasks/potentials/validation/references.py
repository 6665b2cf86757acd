"""Properties of crystals that somebody computed or measured, and how far a potential is from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.settings import read_mapping, read_settings
from zonemelt.tasks.theory import Document
from zonemelt.tasks.written_structures import Written, written

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from zonemelt.tasks.records import Geometry

UNITS: Final = {
    "volume": "Å³/atom",
    "bulk_modulus": "GPa",
    "shear_modulus": "GPa",
    "highest_frequency": "THz",
}
STIFFNESS_UNIT: Final = "GPa"


class Reference(Document):
    """What is known of one crystal; what is not known is left out."""

    structure: Written = Field(description="with primitive: false where elastic constants are of cubic axes")
    source: str = Field(description="paper, database or calculation that the numbers are from")
    volume: float | None = Field(default=None, gt=0, description="at rest, Å³/atom")
    bulk_modulus: float | None = Field(default=None, gt=0, description="GPa")
    shear_modulus: float | None = Field(default=None, gt=0, description="GPa")
    elastic: dict[str, float] = Field(
        default_factory=dict, description="C11, C12 … in the axes of the structure, GPa"
    )
    highest_frequency: float | None = Field(default=None, gt=0, description="of all phonons, THz")

    @property
    def needs(self) -> tuple[str, ...]:
        """The kinds of calculation that give these numbers."""
        wanted = {
            "eos": self.volume is not None or self.bulk_modulus is not None,
            "elastic": bool(self.elastic) or self.shear_modulus is not None,
            "phonons": self.highest_frequency is not None,
        }
        return tuple(kind for kind, need in wanted.items() if need)


def read_references(path: Path) -> dict[str, Reference]:
    """Read a YAML file: name of a crystal → :class:`Reference`.

    Raises:
        InputError: it is no such file; with the crystal and the field.
    """
    remedy = "write such as `Si: {structure: {file: Si.cif}, source: …, volume: 20.4}`"
    document = read_mapping(path, of="crystals", remedy=remedy)
    if not document:
        raise InputError("it names no crystals", where=str(path), remedy=remedy)
    return {str(name): reference_of(one, where=f"{path}: {name}") for name, one in document.items()}


def reference_of(document: Any, *, where: str) -> Reference:
    """Check one reference.

    Raises:
        UnknownKeyError: a key that no reference has; with the nearest.
        InputError: a value cannot be used, or nothing is said of the crystal.
    """
    if not isinstance(document, dict):
        raise InputError(f"{document!r:.60} is no reference", where=where, remedy="see docs/potentials.md")
    found = read_settings(Reference, document, where=where, page="docs/potentials.md")
    for name in found.elastic:
        _place(name, where=where)
    if not found.needs:
        raise InputError(
            "it says nothing of the crystal", where=where, remedy="give volume, bulk_modulus, elastic …"
        )
    return found


def geometry_of(name: str, reference: Reference) -> Geometry:
    """The crystal."""
    return written(reference.structure, where=f"reference {name}")


def properties(
    references: Mapping[str, Reference], found: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[dict[str, Any]]:
    """One row for each number: what is known, what the potential says, how far apart they are.

    Args:
        references: name → what is known.
        found: kind of calculation → its documents, in the order of the references that need it.

    Returns:
        ``crystal``, ``property``, ``unit``, ``reference``, ``potential``, ``error`` (%), ``source`` and
        ``reason``, why the potential has none.
    """
    rows = []
    places = dict.fromkeys(found, 0)
    for name, reference in references.items():
        documents = {}
        for kind in reference.needs:
            documents[kind] = found[kind][places[kind]]
            places[kind] += 1
        rows += [
            _row(name, quantity, unit, known, documents[kind], said, reference.source)
            for quantity, unit, known, kind, said in _numbers(reference, documents)
        ]
    return rows


def _numbers(
    reference: Reference, documents: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, str, float, str, float | None]]:
    """Quantity, unit, what is known, kind of calculation and what it gave."""
    fit = (documents.get("eos") or {}).get("fit") or {}
    elastic = documents.get("elastic") or {}
    phonons = (documents.get("phonons") or {}).get("numbers") or {}
    plain = (
        ("volume", reference.volume, "eos", fit.get("volume")),
        ("bulk_modulus", reference.bulk_modulus, "eos", fit.get("bulk_modulus_gpa")),
        ("shear_modulus", reference.shear_modulus, "elastic", elastic.get("shear_modulus")),
        ("highest_frequency", reference.highest_frequency, "phonons", phonons.get("highest")),
    )
    rows = [(what, UNITS[what], known, kind, said) for what, known, kind, said in plain if known is not None]
    stiffness = elastic.get("stiffness")
    for constant, known in reference.elastic.items():
        row, column = _place(constant, where="elastic")
        said = None if stiffness is None else stiffness[row][column]
        rows.append((constant, STIFFNESS_UNIT, known, "elastic", said))
    return rows


def _place(constant: str, *, where: str) -> tuple[int, int]:
    """Row and column of C11, C12 ….

    Raises:
        InputError: there is no such constant.
    """
    digits = constant[1:]
    if constant[:1] != "C" or len(digits) != 2 or not set(digits) <= set("123456"):  # noqa: PLR2004
        raise InputError(
            f"no elastic constant is called '{constant}'", where=where, remedy="such as C11, C12, C44"
        )
    return int(digits[0]) - 1, int(digits[1]) - 1


def _row(  # noqa: PLR0917  one row of a table
    crystal: str,
    quantity: str,
    unit: str,
    known: float,
    document: Mapping[str, Any],
    said: float | None,
    source: str,
) -> dict[str, Any]:
    return {
        "crystal": crystal, "property": quantity, "unit": unit, "reference": known, "potential": said,
        "error": None if said is None else 100 * (said - known) / abs(known), "source": source,
        "reason": "" if said is not None else document.get("reason") or "it was not found",
    }  # fmt: skip
