"""atomate2's CP2K documents as records: forces are raw there, in Hartree/Bohr."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.convert.documents.common import Calculation, Frame, got, word
from zonemelt.tasks.records import Convergence, Property
from zonemelt.tasks.theory import Theory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.tasks.convert.documents.units import Units
    from zonemelt.tasks.convert.origin import BadRow
    from zonemelt.tasks.records import Record

_DISPERSIONS: Final = ("D3(BJ)", "D3", "D2", "RVV10", "LMKLL", "DRSLL")


def code_version(document: dict[str, Any]) -> str | None:
    """The version of CP2K as numbers and dots."""
    said = word(got(document, "calcs_reversed", 0, "cp2k_version"))
    found = re.search(r"(?<![A-Za-z\d])\d+(\.\d+)*", said)  # not the 2 of CP2K
    return found.group() if found else None


def records(
    document: dict[str, Any], units: Units, *, name: str, source: str, sha256: str | None
) -> Iterator[Record | BadRow]:
    """Every ionic step of the document.

    CP2K's energy contains the entropy of a smearing, so it is consistent with the forces. It is the
    extrapolated one too where the input, if it is there, asks for no smearing.

    Args:
        document: a TaskDocument of atomate2.cp2k as a dictionary.
        units: of the document.
        name: of the task.
        source: address of the document.
        sha256: of the file that it was in.
    """
    calculations = list(reversed(document.get("calcs_reversed") or []))
    for number, calculation in enumerate(calculations):
        output = calculation.get("output") or {}
        gap = output.get("bandgap")
        shared = Calculation(
            name=f"{name}-{number}" if len(calculations) > 1 else name,
            source=source,
            sha256=sha256,
            parser="zonemelt: atomate2's CP2K document",
            units=units,
            theory=_theory(calculation),
            properties={} if gap is None else {"band_gap": Property(value=gap, unit="eV")},
            cpu_seconds=got(output, "run_stats", "total_time") or None,
        )
        end = document.get("output") or {}
        yield from shared.records(_frames(calculation, end if number == len(calculations) - 1 else {}))


def _frames(calculation: dict[str, Any], end: dict[str, Any]) -> list[Frame]:
    """Ionic steps; where none were kept, the end."""
    output = calculation.get("output") or {}
    steps = output.get("ionic_steps") or [
        {
            "structure": output.get("structure"),
            "E": output.get("energy"),
            "forces": end.get("forces"),
            "stress_tensor": end.get("stress"),
        }
    ]
    smeared = _smeared(calculation)
    complete = word(calculation.get("has_cp2k_completed")) == "successful"
    return [
        Frame(
            structure=step.get("structure"),
            energy_free=step.get("E"),
            energy_sigma0=step.get("E") if smeared is False else None,
            forces=step.get("forces"),
            stress=step.get("stress_tensor", step.get("stress")),
            convergence=Convergence(electronic=None, complete=complete),
        )
        for step in steps
    ]


def _smeared(calculation: dict[str, Any]) -> bool | None:
    """Whether the input asks for smearing; None where the document has no input."""
    asked = got(calculation, "input", "cp2k_input")
    if not asked:
        return None
    text = json.dumps(asked, default=str) if isinstance(asked, dict) else str(asked)
    return re.search(r"\bSMEAR\b", text, re.IGNORECASE) is not None


def _theory(calculation: dict[str, Any]) -> Theory:
    functional = word(calculation.get("run_type"))  # it keeps its +U: the document has no values of U
    dispersion = next((d for d in _DISPERSIONS if functional.endswith(f"-{d}")), None)
    dft = got(calculation, "input", "dft") or {}
    kinds = got(calculation, "input", "atomic_kind_info") or {}
    return Theory(
        code="cp2k",
        version=code_version({"calcs_reversed": [calculation]}),
        functional=functional.removesuffix(f"-{dispersion}") or None,
        dispersion=dispersion,
        setups={
            kind["element"]: f"{kind.get('orbital_basis_set')} {kind.get('pseudo_potential')}"
            for kind in kinds.values()
            if kind.get("element")
        },
        spin=dft.get("UKS"),
    )
