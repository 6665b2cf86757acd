"""The polar distortion of a perovskite: displacements, energy gain and an estimate of its polarization."""

# A atoms of the cell

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from zonemelt.tasks.applications.charges import SITES, Charges
from zonemelt.tasks.applications.rest import why_not_at_rest
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.theory import Document
from zonemelt.tasks.units import MICROCOULOMB_CM2

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


class Ferroelectric(Document):
    """A tetragonal polar perovskite beside its cubic parent."""

    name: str
    length: float = Field(description="of the cubic parent, Å")
    tetragonality: float | None = Field(description="c/a of the polar phase")
    displacements: dict[str, float] = Field(description="site → along c, without a drift of the whole, Å")
    energy_gain: float | None = Field(description="of the polar phase over the cubic one, meV a formula unit")
    polar: bool | None = Field(description="whether atoms are displaced by more than 0.01 Å")
    polarization_nominal: float | None = Field(description="with nominal charges, µC/cm²")
    polarization_born: float | None = Field(
        description="with Born charges of the cubic phase, µC/cm²; None where none are given"
    )
    charges_source: str = ""
    reason: str = ""


def cubic(a: str, b: str, x: str, *, length: float) -> Geometry:
    """A cubic perovskite ABX3: A at the corner, B in the middle, X apical, then basal."""
    from ase import Atoms

    places = [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)]
    return Geometry.of(Atoms([a, b, x, x, x], scaled_positions=places, cell=[length] * 3, pbc=True))


def displaced(parent: Geometry, *, shift: float = 0.03, stretch: float = 1.02) -> Geometry:
    """The parent on its way to be polar along c: B against the oxygens, and the cell longer.

    Args:
        parent: of :func:`cubic`.
        shift: of B up and of the anions down, in units of the cell.
        stretch: of the cell along c.
    """
    atoms = parent.atoms()
    cell = atoms.cell.array.copy()
    cell[2] *= stretch
    atoms.set_cell(cell, scale_atoms=True)
    atoms.positions[:, 2] += np.array([0.0, shift, -shift, -shift, -shift]) * cell[2, 2]
    return Geometry.of(atoms)


def ferroelectric(
    name: str,
    parent: Mapping[str, Any],
    polar: Mapping[str, Any],
    *,
    valences: Sequence[float],
    born: Charges | None = None,
) -> Ferroelectric:
    """What two relaxations say of a perovskite.

    The polarization is (e/Ω) Σ Z u, with displacements u from the places of the cubic phase in the polar cell
    and charges Z that do not change on the way: with nominal charges it is that of rigid ions, with Born
    charges of the cubic phase it is linear in the distortion. Both are estimates; a Berry phase is exact.

    Args:
        name: of the compound.
        parent: what became of the cubic phase, as :func:`.relaxed_documents` says it.
        polar: of the polar one.
        valences: nominal charges of A, B and X, e.
        born: effective charges.
    """
    reason = why_not_at_rest({"cubic": parent, "polar": polar})
    atoms = Geometry.model_validate(polar["geometry"]).atoms()
    before = Geometry.model_validate(parent["geometry"]).atoms()
    length = float(before.get_volume() ** (1 / 3))
    if reason:
        return Ferroelectric(
            name=name, length=length, tetragonality=None, displacements={}, energy_gain=None, polar=None,
            polarization_nominal=None, polarization_born=None, reason=reason,
        )  # fmt: skip
    moved_A = _displacements(atoms)
    a, b, x = valences
    nominal = Charges(a=a, b=b, o_apical=x, o_basal=x, source="nominal")
    area = atoms.get_volume() / MICROCOULOMB_CM2
    sites = dict(zip(SITES, (*moved_A[:3], moved_A[3:].mean()), strict=True))
    return Ferroelectric(
        name=name,
        length=length,
        tetragonality=float(atoms.cell.lengths()[2] / atoms.cell.lengths()[:2].mean()),
        displacements={site: float(value) for site, value in sites.items()},
        energy_gain=1000 * (parent["energy"] - polar["energy"]),
        polar=bool(np.abs(moved_A).max() > 0.01),  # noqa: PLR2004  Å
        polarization_nominal=float(abs(nominal.of_sites @ moved_A) / area),
        polarization_born=None if born is None else float(abs(born.of_sites @ moved_A) / area),
        charges_source="" if born is None else born.source,
    )


def _displacements(atoms: Any) -> NDArray[np.float64]:
    """Along c from the places of the cubic phase (A,), Å, the mean of all taken off."""
    if len(atoms) != 5:  # noqa: PLR2004 (the cell of ABX3)
        raise InputError(
            f"{len(atoms)} atoms", where="perovskite", remedy="give the cell of one formula unit, ABX3"
        )
    places = np.array([0.0, 0.5, 0.0, 0.5, 0.5])
    shares = atoms.get_scaled_positions(wrap=False)[:, 2] - places
    shares -= shares[0]
    shares -= np.round(shares)
    moved: NDArray[np.float64] = (shares - shares.mean()) * atoms.cell.lengths()[2]
    return moved
