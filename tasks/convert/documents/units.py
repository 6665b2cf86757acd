"""What units and signs each kind of document keeps its numbers in, and one function that makes them ours.

Ours are eV, eV/Å and eV/Å³ with tension positive, which are ASE's. The documents do not agree with each
other, nor do they say what they use: the table below does, for the versions that somebody has looked into.
Any other version is refused, because a factor of ten in a stress is not seen until a potential is trained on
it. The rows of atomate2 were read in the source of 0.1.5; those that can be computed here are held by a test
that obtains the same numbers in another way. emmet's documents do not state their version, and have kept the
units of vasprun.xml in all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ase.units import Bohr, GPa, Hartree

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

EV: Final = 1.0
EV_PER_A: Final = 1.0
EV_PER_A3: Final = 1.0
HARTREE_PER_BOHR: Final = Hartree / Bohr
KBAR_OF_VASP: Final = -0.1 * GPa  # compression is positive
GPA_OF_PRESSURE: Final = -GPa  # compression is positive


@dataclass(frozen=True, kw_only=True)
class Units:
    """What to multiply the numbers of a document with; None where nobody knows.

    Attributes:
        schema: module and class of the document, with a colon between.
        package: that made it.
        versions: of the package, as pip writes ranges; empty for all of them.
        energy: factor to eV.
        forces: factor to eV/Å.
        stress: factor to eV/Å³ with tension positive.
        code_versions: of the DFT code, as pip writes ranges; the row holds for these only.
        said: the same in words, for the record's provenance.
    """

    schema: str
    package: str
    versions: str
    energy: float = EV
    forces: float = EV_PER_A
    stress: float | None
    code_versions: str = ""
    said: str


_ATOMATE2: Final = ">=0.1,<0.2"
_EMMET: Final = ""  # not stated


def _as_vasp(schema: str, *, package: str, versions: str) -> Units:
    """What follows VASP: eV, eV/Å, kbar."""
    return Units(
        schema=schema,
        package=package,
        versions=versions,
        stress=KBAR_OF_VASP,
        said="eV, eV/Å, kbar with compression positive",
    )


TABLE: Final = (
    _as_vasp("atomate2.ase.schemas:AseStructureTaskDoc", package="atomate2", versions=_ATOMATE2),
    _as_vasp("atomate2.ase.schemas:AseMoleculeTaskDoc", package="atomate2", versions=_ATOMATE2),
    _as_vasp("atomate2.ase.schemas:AseTaskDoc", package="atomate2", versions=_ATOMATE2),
    _as_vasp(
        "atomate2.forcefields.schemas:ForceFieldMoleculeTaskDocument", package="atomate2", versions=_ATOMATE2
    ),
    _as_vasp("atomate2.forcefields.schemas:ForceFieldTaskDocument", package="atomate2", versions=_ATOMATE2),
    _as_vasp("emmet.core.tasks:TaskDoc", package="emmet-core", versions=_EMMET),
    _as_vasp("emmet.core.tasks:CoreTaskDoc", package="emmet-core", versions=_EMMET),
    Units(
        schema="atomate2.cp2k.schemas.task:TaskDocument",  # energies are converted, forces and stress are not
        package="atomate2",
        versions=_ATOMATE2,
        code_versions="<2025",
        forces=HARTREE_PER_BOHR,
        stress=GPA_OF_PRESSURE,
        said="eV, Hartree/Bohr, GPa with compression positive",
    ),
    Units(
        schema="atomate2.cp2k.schemas.task:TaskDocument",  # bar or GPa, it does not say
        package="atomate2",
        versions=_ATOMATE2,
        code_versions=">=2025",
        forces=HARTREE_PER_BOHR,
        stress=None,
        said="eV, Hartree/Bohr; the stress may be in GPa or in bar",
    ),
    Units(
        schema="atomate2.abinit.schemas.task:AbinitTaskDoc",
        package="atomate2",
        versions=_ATOMATE2,
        stress=GPa,
        said="eV, eV/Å, GPa with tension positive",
    ),
    Units(
        schema="atomate2.aims.schemas.task:AimsTaskDoc",
        package="atomate2",
        versions=_ATOMATE2,
        stress=EV_PER_A3,
        said="eV, eV/Å, eV/Å³ with tension positive",
    ),
)


def units_of(schema: str, version: str | None, *, code_version: str | None = None, where: str) -> Units:
    """The units of a document.

    Args:
        schema: name of its class.
        version: of the package that made it; documents carry it as ``@version``.
        code_version: of the DFT code, where the units depend on it.
        where: the document, for the message.

    Raises:
        InputError: the schema or the version is in no row of the table.
    """
    rows = [row for row in TABLE if row.schema == schema]
    if not rows:
        known = ", ".join(sorted({row.schema for row in TABLE}))
        raise InputError(f"'{schema}' is no known schema", where=where, remedy=f"known schemas: {known}")
    for row in rows:
        if _within(version, row.versions) and (
            not row.code_versions or _within(code_version, row.code_versions)
        ):
            return row
    asked = f"{rows[0].package} {version or 'of a version that it does not state'}"
    ranges = {f"{row.package} {row.versions}" for row in rows}
    if any(row.code_versions for row in rows):
        asked += f" with version {code_version or 'unknown'} of the code"
        ranges = {f"{row.package} {row.versions} with the code {row.code_versions or 'any'}" for row in rows}
    raise InputError(
        f"the units of {schema} are not known for {asked}",
        where=where,
        remedy=f"known: {'; '.join(sorted(ranges))}. See what that version writes, and add it to the table",
    )


def normalised(raw: Mapping[str, Any], units: Units) -> dict[str, Any]:
    """Energies, forces and stress in our units.

    Args:
        raw: any of ``energy_free`` and ``energy_sigma0`` (numbers), ``forces`` (N, 3) and ``stress`` (3, 3),
            as the document has them; None where it has none.
        units: the document's.

    Returns:
        The same keys; what is None stays None, and a stress in unknown units becomes None.
    """
    import numpy as np

    factors = {
        "energy_free": units.energy,
        "energy_sigma0": units.energy,
        "forces": units.forces,
        "stress": units.stress,
    }
    ours: dict[str, Any] = {}
    for name, value in raw.items():
        factor = factors[name]
        if value is None or factor is None:
            ours[name] = None
        elif factor == 1.0:
            ours[name] = np.asarray(value, float).tolist()  # to the last digit
        else:
            ours[name] = (np.asarray(value, float) * factor).tolist()
    return ours


def _within(version: str | None, versions: str) -> bool:
    if not versions:
        return True
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version or "none") in SpecifierSet(versions, prereleases=True)
    except InvalidVersion:
        return False
