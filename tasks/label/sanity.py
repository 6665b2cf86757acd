"""Look at a structure before anything is spent on it: what no code could make a good label of is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from zonemelt.tasks.errors import UnfitStructureError
from zonemelt.tasks.label.pseudopotentials import valence
from zonemelt.tasks.quality.judge import Limits, geometry_faults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zonemelt.tasks.label.kpoints import KPoints
    from zonemelt.tasks.label.protocol import Protocol
    from zonemelt.tasks.records import Geometry

# Elements whose solids are often magnetic: 3d from V to Ni, and the 4f shell but for its ends; as initial
# moments are given to in the Materials Project's input sets, with the open 5f shells beside them.
MAGNETIC: Final = frozenset(
    "V Cr Mn Fe Co Ni Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb U Np Pu Am Cm".split()  # noqa: SIM905
)
MOST_KPOINTS: Final = 20_000  # before symmetry: more are a cell gone wrong, not a crystal


def check_structure(
    geometry: Geometry, protocol: Protocol, *, kpoints: KPoints, files: dict[str, Path], identifier: str
) -> None:
    """Refuse a structure that a protocol cannot make a good label of.

    Raises:
        UnfitStructureError: naming all that is wrong.
    """
    faults = list(_faults(geometry, protocol, kpoints, files))
    if faults:
        raise UnfitStructureError(
            "; ".join(faults), where=identifier, remedy="mend the structure or the protocol, or leave it out"
        )


def _faults(
    geometry: Geometry, protocol: Protocol, kpoints: KPoints, files: dict[str, Path]
) -> Iterator[str]:
    yield from geometry_faults(geometry, Limits())
    if not any(geometry.periodic):
        yield "it is periodic along no vector, and the code's cells always are; give it a box"
    if kpoints.count > MOST_KPOINTS:
        yield f"its mesh has {kpoints.count} k-points, more than {MOST_KPOINTS}"
    magnetic = sorted(set(geometry.symbols) & MAGNETIC)
    if magnetic and not protocol.spin and not protocol.nonmagnetic:
        yield (
            f"{', '.join(magnetic)} may be magnetic and protocol {protocol.name} has no spin: set spin: true "
            "and magmoms, or nonmagnetic: true if that is meant"
        )
    electrons = _electrons(geometry, files)
    if electrons is not None and protocol.smearing == "none" and not protocol.spin and electrons % 2:
        yield (
            f"it has {electrons:g} electrons, an odd number, and protocol {protocol.name} has neither "
            "smearing nor spin"
        )


def _electrons(geometry: Geometry, files: dict[str, Path]) -> float | None:
    """Valence electrons of the cell; None where a file does not say."""
    each = {element: valence(path) for element, path in files.items()}
    total = 0.0
    for symbol in geometry.symbols:
        own = each.get(symbol)
        if own is None:
            return None
        total += own
    return round(total, 6)
