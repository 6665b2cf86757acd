"""What a cathode gives when ions leave it: voltage against their metal, capacity, change of volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from zonemelt.tasks.applications.rest import reduced, why_not_at_rest
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.theory import Document
from zonemelt.tasks.units import MAH_MOL

if TYPE_CHECKING:
    from collections.abc import Mapping

METALS: Final = {
    "Li": ("bcc", 3.44), "Na": ("bcc", 4.21), "K": ("bcc", 5.28), "Mg": ("hcp", 3.20),
    "Ca": ("fcc", 5.53), "Zn": ("hcp", 2.66), "Al": ("fcc", 4.04),
}  # fmt: skip
"""Ion → structure of its metal, and a length to begin with, Å."""
VALENCE: Final = {"Li": 1, "Na": 1, "K": 1, "Mg": 2, "Ca": 2, "Zn": 2, "Al": 3}


class Cathode(Document):
    """One cathode, charged and discharged."""

    name: str
    formula: str = Field(description="discharged")
    ions: int = Field(description="that leave the cell")
    voltage: float | None = Field(description="average, against the metal, V")
    capacity: float = Field(description="of the discharged mass, mAh/g")
    energy_density: float | None = Field(description="of the discharged mass, Wh/kg")
    volume_discharged: float = Field(description="Å³ an atom of the host")
    volume_change: float | None = Field(description="from discharged to charged, %")
    reason: str = Field(default="", description="why a number is missing; empty where none is")


def metal(ion: str) -> Geometry:
    """The metal that an ion comes from.

    Raises:
        InputError: nobody has said which one.
    """
    from ase.build import bulk

    if ion not in METALS:
        raise InputError(f"no metal is known for '{ion}'", where="ion", remedy=f"one of {', '.join(METALS)}")
    lattice, length = METALS[ion]
    return Geometry.of(bulk(ion, lattice, a=length))


def without(host: Geometry, ion: str, *, where: str) -> Geometry:
    """The charged host: all ions are gone.

    Raises:
        InputError: it has none, or nothing else.
    """
    kept = [index for index, symbol in enumerate(host.symbols) if symbol != ion]
    if not 0 < len(kept) < len(host.symbols):
        raise InputError(
            f"it has {'no' if kept else 'nothing but'} {ion}",
            where=where,
            remedy="give the discharged cathode",
        )
    return Geometry.of(host.atoms()[kept])


def cathode(
    name: str,
    ion: str,
    discharged: Mapping[str, Any],
    charged: Mapping[str, Any],
    reference: Mapping[str, Any],
) -> Cathode:
    """What three relaxations say of a cathode.

    The average voltage is V = -[E(host with ions) - E(host) - n E(metal)] / (n z e), without the small terms
    of pressure and entropy (M. K. Aydinol et al., Phys. Rev. B 56, 1354 (1997), eqs. 3-5).

    Args:
        name: of the cathode.
        ion: that leaves.
        discharged: what became of the host with ions, as :func:`.relaxed_documents` says it.
        charged: of the host without.
        reference: of the metal.
    """
    atoms = Geometry.model_validate(discharged["geometry"]).atoms()
    empty = Geometry.model_validate(charged["geometry"]).atoms()
    ions, charge = atoms.get_chemical_symbols().count(ion), VALENCE[ion]
    capacity = MAH_MOL * ions * charge / atoms.get_masses().sum()
    reason = why_not_at_rest({"discharged": discharged, "charged": charged, "metal": reference})
    voltage = change = None
    if not reason:
        metal_energy = reference["energy"] / len(reference["geometry"]["symbols"])
        voltage = -(discharged["energy"] - charged["energy"] - ions * metal_energy) / (ions * charge)
        change = 100 * (empty.get_volume() / atoms.get_volume() - 1)
    return Cathode(
        name=name,
        formula=reduced(discharged["geometry"]["symbols"])[0],
        ions=ions,
        voltage=voltage,
        capacity=capacity,
        energy_density=None if voltage is None else voltage * capacity,
        volume_discharged=atoms.get_volume() / len(empty),
        volume_change=change,
        reason=reason,
    )
