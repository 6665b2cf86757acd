"""atomate2's ASE and force-field documents as records, and records as such documents.

They hold one energy, what ``get_potential_energy`` gave. For potentials it is the energy that the forces are
the slope of; for a DFT code run through ASE it is extrapolated to zero smearing, but for Quantum ESPRESSO,
whose reader in ASE gives the free energy for both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.convert.documents.common import Calculation, Frame, got, word
from zonemelt.tasks.convert.documents.units import KBAR_OF_VASP
from zonemelt.tasks.convert.origin import BadRow
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Convergence
from zonemelt.tasks.theory import Theory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.tasks.convert.documents.units import Units
    from zonemelt.tasks.records import Record

# Calculators of ASE and names that atomate2 gives them, which have no electronic cycle.
POTENTIALS: Final = {"emt", "lennardjones", "lj", "morse", "eam", "tersoff", "stillingerweber"}
FREE_ENERGY_ONLY: Final = {"espresso"}


def records(
    document: dict[str, Any], units: Units, *, name: str, source: str, sha256: str | None
) -> Iterator[Record | BadRow]:
    """Every ionic step of the document, or its end where it kept no steps.

    Args:
        document: an AseTaskDoc, AseStructureTaskDoc or ForceFieldTaskDocument as a dictionary.
        units: of the document.
        name: of the calculation.
        source: address of the document.
        sha256: of the file that it was in.
    """
    output = document.get("output") or {}
    theory = _theory(document)
    steps = output.get("ionic_steps")
    if isinstance(steps, dict):
        yield BadRow(where=source, reason="its ionic steps lie in another store; only its end is read")
    end = output | {"mol_or_struct": _structure(output) or _structure(document)}
    frames = steps if isinstance(steps, list) and steps else [end]
    relaxed = len(frames) > 1 or (got(document, "input", "steps") or 0) > 1
    calculation = Calculation(
        name=name,
        source=source,
        sha256=sha256,
        parser="zonemelt: atomate2's ASE document",
        units=units,
        theory=theory,
        properties={},
        seconds=output.get("elapsed_time"),
    )
    yield from calculation.records(
        [
            _frame(
                step,
                theory=theory,
                ionic=document.get("is_force_converged") if relaxed and number == len(frames) - 1 else None,
            )
            for number, step in enumerate(frames)
        ]
    )


def _frame(step: dict[str, Any], *, theory: Theory, ionic: bool | None) -> Frame:
    energy = step.get("energy")
    free_only = theory.code.lower() in FREE_ENERGY_ONLY
    return Frame(
        structure=_structure(step),
        energy_free=energy if free_only or not theory.is_dft else None,
        energy_sigma0=None if free_only else energy,
        forces=step.get("forces"),
        stress=step.get("stress"),
        magmoms=step.get("magmoms"),
        convergence=Convergence(electronic=None if theory.is_dft else True, ionic=ionic, complete=True),
    )


def _structure(part: dict[str, Any]) -> Any:
    """The structure of a part of the document, whatever the version calls it."""
    for name in ("mol_or_struct", "structure", "molecule"):
        if part.get(name) is not None:
            return part[name]
    return None


def _theory(document: dict[str, Any]) -> Theory:
    force_field = word(document.get("forcefield_name"))
    calculator = word(document.get("ase_calculator_name"))
    version = word(document.get("forcefield_version"))
    return Theory(
        code=force_field or calculator or "unknown",
        version=None if version in {"", "Unknown"} else version,
        is_dft=not force_field and calculator.lower().replace("-", "") not in POTENTIALS,
    )


def ase_document_of(record: Record) -> Any:
    """The record as an AseStructureTaskDoc with one step, for what reads the outputs of atomate2's jobs.

    Raises:
        InputError: it is no crystal, or has no energy.
    """
    from atomate2.ase.schemas import AseStructureTaskDoc

    return AseStructureTaskDoc.from_structure(
        **_fields(record), ase_calculator_name=record.theory.code, included_objects=[], objects={}
    )


def force_field_document_of(record: Record) -> Any:
    """The record as a ForceFieldTaskDocument with one step; see :func:`ase_document_of`."""
    from atomate2.forcefields.schemas import ForceFieldTaskDocument

    return ForceFieldTaskDocument.from_structure(
        **_fields(record),
        ase_calculator_name=record.theory.code,
        forcefield_name=record.theory.code,
        forcefield_version=record.theory.version or "Unknown",
        included_objects=[],
        objects={},
    )


def _fields(record: Record) -> dict[str, Any]:
    import numpy as np
    from atomate2.ase.schemas import InputDoc, IonicStep, OutputDoc
    from emmet.core.types.enums import TaskState

    energy = record.energy_free if record.energy_sigma0 is None else record.energy_sigma0
    if energy is None or not any(record.geometry.periodic):
        raise InputError(
            "it has no energy" if energy is None else "it is no crystal",
            where=f"record {record.identifier}",
            remedy="leave it out: the document holds crystals with energies only",
        )
    structure = record.geometry.structure()
    stress = None if record.stress is None else (np.asarray(record.stress) / KBAR_OF_VASP).tolist()
    held = {"mol_or_struct": structure, "energy": energy, "forces": record.forces, "stress": stress}
    magmoms = None if record.magmoms is None else list(record.magmoms)
    complete = record.convergence.complete
    return {
        "meta_structure": structure,
        "structure": structure,
        "input": InputDoc(mol_or_struct=structure),
        "output": OutputDoc(
            **held,
            energy_per_atom=energy / len(record.geometry.symbols),
            ionic_steps=[IonicStep(**held, magmoms=magmoms)],
            n_steps=1,
            elapsed_time=record.provenance.seconds,
        ),
        "state": None if complete is None else TaskState.SUCCESS if complete else TaskState.FAILED,
        "is_force_converged": record.convergence.ionic,
    }
