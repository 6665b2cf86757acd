"""Records as ``ase.Atoms`` with their results, and back; units and signs are ASE's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.convert.checked import REMEDY, new_geometry, new_record
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Property

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zonemelt.tasks.records import Computed, Convergence, Correction, Ingested, Record
    from zonemelt.tasks.theory import Theory

# What calculators of ASE call their further results, and the units they give them in.
ASE_UNITS: Final = {
    "energies": "eV",
    "stresses": "eV/Å³",
    "charges": "e",
    "dipole": "e Å",
    "magmom": "μB",
    "polarization": "e/Å²",
    "dielectric_tensor": "",
    "born_effective_charges": "e",
}
NONCOLLINEAR: Final = "magmoms_noncollinear"
_OWN: Final = {"energy", "free_energy", "forces", "stress", "magmoms"}


def record_of_atoms(
    atoms: Any,
    *,
    identifier: str,
    theory: Theory,
    convergence: Convergence,
    provenance: Computed | Ingested,
    energy_free: float | None = None,
    energy_sigma0: float | None = None,
    correction: Correction | None = None,
    properties: Mapping[str, Property] | None = None,
) -> Record:
    """The record of a structure and of what its calculator holds; nothing is computed.

    ASE's ``energy`` is extrapolated to zero smearing, its ``free_energy`` is consistent with the forces.
    What the calculator does not hold is None.

    Args:
        atoms: an ``ase.Atoms``; its calculator's results count, if it has one.
        identifier: name of the record.
        theory: what the results were computed with.
        convergence: what had converged.
        provenance: where they come from.
        energy_free: eV; it comes before the calculator's.
        energy_sigma0: eV; it comes before the calculator's.
        correction: of the energy.
        properties: further quantities; they come before the calculator's.

    Raises:
        InputError: a result has the wrong length or is no number, or the structure is none.
    """
    results = _results(atoms, where=identifier)
    forces, stress, magmoms = (results.get(name) for name in ("forces", "stress", "magmoms"))
    further = {name: _property(name, value) for name, value in results.items() if name not in _OWN}
    if magmoms is not None and len(_shape(magmoms)) == 2:  # noqa: PLR2004 (one vector an atom)
        further[NONCOLLINEAR] = Property(value=_flat(magmoms), unit="μB")
        magmoms = None
    return new_record(
        where=identifier,
        identifier=identifier,
        geometry=new_geometry(atoms, where=identifier),
        energy_free=results.get("free_energy") if energy_free is None else energy_free,
        energy_sigma0=results.get("energy") if energy_sigma0 is None else energy_sigma0,
        correction=correction,
        forces=None if forces is None else _rows(forces, where=identifier),
        stress=None if stress is None else full_stress(stress, where=identifier),
        magmoms=None if magmoms is None else _flat(magmoms),
        properties=further | dict(properties or {}),
        theory=theory,
        convergence=convergence,
        provenance=provenance,
    )


def atoms_of(record: Record) -> Any:
    """The record as an ``ase.Atoms`` whose calculator holds its results; ``info`` has its identifier.

    Theory, provenance and what ASE has no name for stay behind: :mod:`zonemelt.tasks.convert.extxyz` keeps
    them too.
    """
    import numpy as np
    from ase.calculators.singlepoint import SinglePointCalculator

    atoms = record.geometry.atoms()
    atoms.info["identifier"] = record.identifier
    results: dict[str, Any] = {
        "energy": record.energy_sigma0,
        "free_energy": record.energy_free,
        "forces": record.forces,
        "magmoms": record.magmoms,
        "stress": None if record.stress is None else voigt(record.stress),
    }
    for name in ASE_UNITS:
        if name in record.properties:
            results[name] = _shaped(name, record.properties[name].value, atoms=len(atoms))
    if NONCOLLINEAR in record.properties:
        results["magmoms"] = np.reshape(record.properties[NONCOLLINEAR].value, (-1, 3))
    held = {name: value for name, value in results.items() if value is not None}
    if held:
        atoms.calc = SinglePointCalculator(atoms, **held)
    return atoms


def voigt(stress: Any) -> Any:
    """ASE's six components (xx, yy, zz, yz, xz, xy) of a stress (3, 3); off-diagonal pairs are averaged."""
    from ase.stress import full_3x3_to_voigt_6_stress

    return full_3x3_to_voigt_6_stress(stress)


def full_stress(stress: Any, *, where: str) -> list[list[float]]:
    """A stress (6,), (9,) or (3, 3) as (3, 3).

    Raises:
        InputError: it has another shape.
    """
    import numpy as np
    from ase.stress import voigt_6_to_full_3x3_stress

    array = np.asarray(stress, float)
    if array.shape == (6,):
        array = voigt_6_to_full_3x3_stress(array)
    if array.size != 9:  # noqa: PLR2004 (components of a tensor)
        raise InputError(f"a stress of shape {array.shape}", where=where, remedy=REMEDY)
    rows: list[list[float]] = array.reshape(3, 3).tolist()
    return rows


def _results(atoms: Any, *, where: str) -> dict[str, Any]:
    """What the calculator has computed for these atoms as they are now."""
    if atoms.calc is None or not atoms.calc.results:
        return {}
    if changes := atoms.calc.check_state(atoms):
        raise InputError(
            f"the calculator's results are for other atoms: {', '.join(changes)} changed since",
            where=where,
            remedy="compute again, or take the calculator off",
        )
    return {name: value for name, value in atoms.calc.results.items() if value is not None}


def _rows(array: Any, *, where: str) -> list[list[float]]:
    import numpy as np

    rows = np.asarray(array, float)
    if rows.ndim != 2 or rows.shape[1] != 3:  # noqa: PLR2004 (x, y, z)
        raise InputError(f"forces of shape {rows.shape}", where=where, remedy=REMEDY)
    found: list[list[float]] = rows.tolist()
    return found


def _property(name: str, value: Any) -> Property:
    """A further result as a property; arrays lie flat, row by row."""
    unit = ASE_UNITS.get(name, "unknown")
    return Property(value=_flat(value) if _shape(value) else value, unit=unit)


def _shape(value: Any) -> tuple[int, ...]:
    import numpy as np

    return np.shape(value)


def _flat(value: Any) -> tuple[float, ...]:
    import numpy as np

    return tuple(np.asarray(value, float).ravel().tolist())


def _shaped(name: str, value: Any, *, atoms: int) -> Any:
    """A property in the shape that ASE gives it."""
    import numpy as np

    shapes = {
        "stresses": (atoms, 6),
        "dielectric_tensor": (3, 3),
        "born_effective_charges": (atoms, 3, 3),
    }
    return np.reshape(value, shapes[name]) if name in shapes else value
