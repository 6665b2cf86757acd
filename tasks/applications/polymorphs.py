"""Energies of polymorphs of one composition, relative to one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from zonemelt.tasks.applications.rest import reduced, why_not_at_rest
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.theory import Document
from zonemelt.tasks.units import G_CM3, KJ_MOL

if TYPE_CHECKING:
    from collections.abc import Mapping


class Polymorph(Document):
    """One polymorph at rest."""

    name: str
    formula: str
    units: int = Field(description="formula units in the cell")
    energy: float | None = Field(description="above the reference, kJ/mol of formula units")
    volume: float = Field(description="Å³ a formula unit")
    density: float = Field(description="g/cm³")
    framework_density: float = Field(description="cations in 1000 Å³, as zeolites are compared")
    reason: str = ""


def polymorphs(relaxed: Mapping[str, Mapping[str, Any]], *, reference: str) -> list[Polymorph]:
    """Compare polymorphs.

    Args:
        relaxed: name → what became of it, as :func:`.relaxed_documents` says it.
        reference: the name of the one whose energy is zero.

    Raises:
        InputError: the reference is absent, or a composition differs from its.
    """
    if reference not in relaxed:
        raise InputError(
            f"there is no '{reference}'", where="reference", remedy=f"one of {', '.join(relaxed)}"
        )
    formulas = {name: reduced(one["geometry"]["symbols"]) for name, one in relaxed.items()}
    for name, (formula, _) in formulas.items():
        if formula != formulas[reference][0]:
            raise InputError(
                f"'{name}' is {formula}, '{reference}' is {formulas[reference][0]}",
                where="polymorphs",
                remedy="compare what has one composition",
            )
    zero = relaxed[reference]
    found = []
    for name, one in relaxed.items():
        reason = why_not_at_rest({reference: zero, name: one})
        formula, units = formulas[name]
        atoms = Geometry.model_validate(one["geometry"]).atoms()
        volume = float(atoms.get_volume())
        energy = None
        if not reason:
            energy = KJ_MOL * (one["energy"] / units - zero["energy"] / formulas[reference][1])
        cations = sum(symbol not in {"O", "F", "S", "N", "Cl"} for symbol in atoms.symbols)
        found.append(
            Polymorph(
                name=name, formula=formula, units=units, energy=energy, volume=volume / units,
                density=G_CM3 * float(atoms.get_masses().sum()) / volume,
                framework_density=1000 * cations / volume, reason=reason,
            )
        )  # fmt: skip
    return found
