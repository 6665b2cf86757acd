"""What schemes add to energies to make them comparable: for phase diagrams, never for potentials."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.quality.composition import ElementEnergies, fit_energies, pure_energies
from zonemelt.tasks.quality.symmetry import quiet
from zonemelt.tasks.records import Convergence, Correction, Ingested, Record, one_theory
from zonemelt.tasks.theory import Theory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zonemelt.tasks.records import Geometry

SCHEME: Final = "MaterialsProject2020Compatibility"
FITTED: Final = ("PBE", "GGA")  # documents of emmet say GGA where the potentials decide, which are of PBE


@dataclass(frozen=True, kw_only=True)
class Corrected:
    """What became of one record.

    Attributes:
        record: with its correction; without one where it does not fit the scheme.
        reason: why it has none; empty where it has one.
        parts: what the correction is made of, eV for the whole cell.
        remarks: what the scheme warned of.
    """

    record: Record
    reason: str = ""
    parts: Mapping[str, float]
    remarks: tuple[str, ...] = ()


def correct_mp2020(record: Record) -> Corrected:
    """Correct one record as the Materials Project does (A. Wang et al., Sci. Rep. 11, 15496 (2021)).

    The scheme was fitted to VASP with PBE, the project's potentials and its values of U; pymatgen applies it,
    and refuses what was computed otherwise. Neither ``energy_free`` nor ``energy_sigma0`` changes.

    Args:
        record: with ``energy_sigma0``, and a theory that names the potentials (``PAW_PBE Fe_pv 06Sep2000``,
            or ``Fe_pv`` alone) and the values of U.
    """
    if reason := _foreign(record):
        return Corrected(record=record.model_copy(update={"correction": None}), reason=reason, parts={})
    from pymatgen.analysis.compatibility import CompatibilityError, MaterialsProject2020Compatibility

    entry = _entry(record)
    with warnings.catch_warnings(record=True) as caught, quiet():
        warnings.simplefilter("always")
        try:
            found = MaterialsProject2020Compatibility().process_entry(entry, on_error="raise")
        except CompatibilityError as error:
            return Corrected(
                record=record.model_copy(update={"correction": None}), reason=str(error), parts={}
            )
    remarks = tuple(str(one.message) for one in caught if not issubclass(one.category, DeprecationWarning))
    if found is None:
        reason = f"{SCHEME} refuses it without saying why"
        return Corrected(
            record=record.model_copy(update={"correction": None}), reason=reason, parts={}, remarks=remarks
        )
    correction = Correction(scheme=SCHEME, energy=float(found.correction))
    return Corrected(
        record=record.model_copy(update={"correction": correction}),
        parts={one.name: float(one.value) for one in found.energy_adjustments},
        remarks=remarks,
    )


def correction_as_mp(geometry: Geometry, energy: float) -> tuple[float | None, str]:
    """The correction of an energy that is what the Materials Project would have computed, uncorrected.

    Potentials that learnt such energies give them; setups and values of U are then those of its input set.

    Args:
        geometry: of the crystal.
        energy: of the whole cell, eV.

    Returns:
        eV, the whole cell, and an empty reason; or None, and why there is none.
    """
    from pymatgen.core.periodic_table import Element
    from pymatgen.io.vasp.sets import MPRelaxSet

    given = MPRelaxSet.CONFIG
    elements = sorted(set(geometry.symbols))
    if absent := [one for one in elements if one not in given["POTCAR"]]:
        return None, f"the Materials Project has no potential for {', '.join(absent)}"
    anion = max(elements, key=lambda one: Element(one).X)
    of_u = given["INCAR"]["LDAUU"].get(anion, {})
    found = correct_mp2020(
        Record(
            identifier="candidate",
            geometry=geometry,
            energy_sigma0=energy,
            theory=Theory(
                code="vasp", functional="PBE",
                hubbard_u={one: of_u[one] for one in elements if one in of_u},
                setups={one: given["POTCAR"][one] for one in elements},
            ),
            convergence=Convergence(electronic=True, complete=True),
            provenance=Ingested(source="", calculation="", parser=""),
        )
    )  # fmt: skip
    correction = found.record.correction
    return (None, found.reason) if correction is None else (correction.energy, "")


def _foreign(record: Record) -> str:
    """Why pymatgen need not be asked; it would believe what it is told of the run."""
    theory = record.theory
    if record.energy_sigma0 is None:
        return "it has no energy extrapolated to zero smearing"
    if theory.code.lower() != "vasp":
        return f"the scheme was fitted to VASP, and this was computed with {theory.code}"
    if theory.functional not in FITTED:
        other = theory.functional or "what nothing says"
        return f"the scheme was fitted to PBE, and this was computed with {other}"
    if theory.dispersion is not None:
        return f"the scheme knows no dispersion, and this has {theory.dispersion}"
    if unnamed := sorted(set(record.geometry.symbols) - set(theory.setups)):
        return f"nothing says which potential was used for {', '.join(unnamed)}"
    # pymatgen looks at the second word of a title only
    titles = [theory.setups[element] for element in sorted(set(record.geometry.symbols))]
    if others := [title for title in titles if " " in title and not title.startswith("PAW_PBE ")]:
        return f"the scheme was fitted to PAW_PBE, and this was computed with {', '.join(others)}"
    return ""


def _entry(record: Record) -> Any:
    from pymatgen.entries.computed_entries import ComputedStructureEntry

    elements = sorted(set(record.geometry.symbols))
    hubbards = {e: u for e in elements if (u := record.theory.hubbard_u.get(e, 0.0))}
    named = [record.theory.setups[element] for element in elements]
    return ComputedStructureEntry(
        record.geometry.structure(),
        record.energy,
        parameters={
            "run_type": "GGA+U" if hubbards else "GGA",
            "hubbards": hubbards,
            "is_hubbard": bool(hubbards),
            "potcar_symbols": [name if " " in name else f"PAW_PBE {name}" for name in named],
            "software": "vasp",
        },
        entry_id=record.identifier,
    )


def element_references(records: Sequence[Record], *, corrected: bool = False) -> ElementEnergies:
    """One energy for each element of one level of theory, which takes codes and setups to one zero.

    Where a pure element is among the records, its lowest energy is taken; the others are fitted by robust
    least squares with those fixed. Energies of two codes can be compared after each has lost its own.

    Args:
        records: of one level of theory, with ``energy_sigma0``.
        corrected: take the corrected energies; with and without U may then be used together, which is what
            the corrections are for.

    Raises:
        InputError: the levels of theory differ, a record has no energy, or none corrected if that is asked.
    """
    one_theory(records, ignoring={"hubbard_u"} if corrected else ())
    if corrected and (bare := [r.identifier for r in records if r.correction is None]):
        raise InputError(
            f"{len(bare)} of {len(records)} have no correction",
            where=f"record {bare[0]}",
            remedy="correct_mp2020 says why; leave out what it refuses",
        )
    counts = [Counter(record.geometry.symbols) for record in records]
    energies = np.array(
        [(r.energy_corrected if corrected else r.energy) / len(r.geometry.symbols) for r in records]
    )
    return fit_energies(counts, energies, fixed=pure_energies(counts, energies))


def learnt_energies(records: Iterable[Record], references: ElementEnergies) -> list[float]:
    """What a potential learns from: force-consistent energies less those of the elements, eV per cell.

    Corrections are no part of it: they jump where a composition changes its class, as no smooth energy does.

    Raises:
        InputError: a record has no force-consistent energy, or an element no reference.
    """
    learnt = []
    for record in records:
        if record.energy_free is None:
            raise InputError(
                "it has no force-consistent energy",
                where=f"record {record.identifier}",
                remedy="judge records with need=POTENTIAL before a potential learns from them",
            )
        learnt.append(record.energy_free - references.of(record.geometry.symbols))
    return learnt
