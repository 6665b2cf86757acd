"""atomate2's ABINIT and FHI-aims documents as records: the end of the task, which is all that they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ase.units import Hartree

from zonemelt.tasks.convert.documents.common import Calculation, Frame, got, word
from zonemelt.tasks.records import Convergence, Property
from zonemelt.tasks.theory import Theory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.tasks.convert.documents.units import Units
    from zonemelt.tasks.convert.origin import BadRow
    from zonemelt.tasks.records import Record

# ABINIT's occopt.
_NO_SMEARING: Final = {0, 1, 2}
CUTOFF_DIGITS: Final = 4  # of eV: the same whichever document or output says it, in whatever unit
SMEARINGS: Final = {3: "fermi-dirac", 4: "cold", 5: "cold", 6: "methfessel-paxton 2", 7: "gaussian"}


def abinit_records(
    document: dict[str, Any], units: Units, *, name: str, source: str, sha256: str | None
) -> Iterator[Record | BadRow]:
    """The end of an ABINIT task.

    ABINIT's total energy contains the entropy of the smearing, so it is consistent with the forces; it is the
    extrapolated one too where there is no smearing.

    Args:
        document: an AbinitTaskDoc as a dictionary.
        units: of the document.
        name: of the task.
        source: address of the document.
        sha256: of the file that it was in.
    """
    asked = _abinit_input(document)
    smearing: Any = asked.get("occopt", 1 if asked else None)
    energy = got(document, "output", "energy")
    theory = Theory(
        code="abinit",
        version=word(got(document, "calcs_reversed", 0, "abinit_version")) or None,
        functional=word(got(document, "input", "xc")) or None,
        cutoff=_in_ev(asked.get("ecut"), CUTOFF_DIGITS),
        smearing=SMEARINGS.get(smearing, "none" if smearing in _NO_SMEARING else None),
        smearing_width=_in_ev(asked.get("tsmear"), 6) if smearing in SMEARINGS else None,
        spin=asked["nsppol"] == 2 if "nsppol" in asked else None,  # noqa: PLR2004 (ABINIT's)
    )
    yield from _end(
        document,
        units,
        name=name,
        source=source,
        sha256=sha256,
        theory=theory,
        energies={"energy_free": energy, "energy_sigma0": energy if smearing in _NO_SMEARING else None},
        electronic=_scf_converged(document.get("event_report")),
        completed=word(document.get("state")) == "successful",
    )


def aims_records(
    document: dict[str, Any], units: Units, *, name: str, source: str, sha256: str | None
) -> Iterator[Record | BadRow]:
    """The end of an FHI-aims task; its energy is the one that aims calls corrected, to zero smearing.

    Args:
        document: an AimsTaskDoc as a dictionary.
        units: of the document.
        name: of the task.
        source: address of the document.
        sha256: of the file that it was in.
    """
    parameters = got(document, "input", "parameters") or {}
    species = parameters.get("species_dir")
    theory = Theory(
        code="fhi-aims",
        version=word(got(document, "calcs_reversed", 0, "aims_version")) or None,
        functional=word(got(document, "input", "xc")) or None,
        setups={}
        if not species
        else {
            symbol: str(species).rstrip("/").rpartition("/")[2] for symbol in document.get("elements") or []
        },
        kpoint_density=parameters.get("k_grid_density"),
        smearing=word(parameters.get("occupation_type")) or None,
        spin=None if parameters.get("spin") is None else parameters["spin"] == "collinear",
    )
    yield from _end(
        document,
        units,
        name=name,
        source=source,
        sha256=sha256,
        theory=theory,
        energies={"energy_sigma0": got(document, "output", "energy")},
        electronic=document.get("completed") or None,  # aims says "Have a nice day" to converged runs only
        completed=document.get("completed"),
    )


def _end(
    document: dict[str, Any],
    units: Units,
    *,
    name: str,
    source: str,
    sha256: str | None,
    theory: Theory,
    energies: dict[str, Any],
    electronic: bool | None,
    completed: bool | None,
) -> Iterator[Record | BadRow]:
    """The one record of a task's output."""
    output = document.get("output") or {}
    gap = output.get("bandgap")
    shared = Calculation(
        name=name,
        source=source,
        sha256=sha256,
        parser=f"zonemelt: atomate2's {theory.code} document",
        units=units,
        theory=theory,
        properties={} if gap is None else {"band_gap": Property(value=gap, unit="eV")},
    )
    frame = Frame(
        structure=output.get("structure") or document.get("structure"),
        **energies,
        forces=output.get("forces"),
        stress=output.get("stress"),
        convergence=Convergence(electronic=electronic, complete=completed),
    )
    yield from shared.records([frame])


def _in_ev(hartree: float | None, digits: int) -> float | None:
    return None if hartree is None else round(hartree * Hartree, digits)


def _scf_converged(report: Any) -> bool | None:
    """Whether ABINIT's report of events is free of the one that says otherwise; None without a report."""
    if report is None:
        return None
    events = (report if isinstance(report, dict) else report.as_dict()).get("events") or []
    return not any("ScfConvergence" in str(event.get("@class")) for event in events)


def _abinit_input(document: dict[str, Any]) -> dict[str, Any]:
    """ABINIT's variables, where the document keeps its input."""
    asked = got(document, "input", "abinit_input")
    if asked is not None and not isinstance(asked, dict):
        asked = asked.as_dict()
    pairs = got(asked, "abi_args") or []
    return {pair[0]: pair[1] for pair in pairs}
