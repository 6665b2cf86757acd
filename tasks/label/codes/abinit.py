"""ABINIT with norm-conserving pseudopotentials: input and results by ASE."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from ase.calculators.abinit import AbinitTemplate
from ase.calculators.genericfileio import GenericFileIOCalculator
from ase.data import atomic_numbers
from ase.units import Hartree

from zonemelt.tasks.executables import Executable
from zonemelt.tasks.label.codes.common import Said, extrapolated
from zonemelt.tasks.label.launched import LaunchedProfile, only

if TYPE_CHECKING:
    from pathlib import Path

    from zonemelt.tasks.label.codes.common import Task

EXECUTABLE: Final = Executable(
    oracle="abinit",
    program="abinit",
    variable="ZONEMELT_ABINIT",
    install="`make oracle ORACLE=abinit` (Debian: apt install abinit abinit-data)",
    question=("--version",),
    version=r"(\d+\.\S+)",
)
LOG: Final = "abinit.abo"
_IXC: Final = {"LDA": -1012, "PBE": 11, "PBEsol": -116133, "RPBE": 15, "revPBE": 14}
_OCCOPT: Final = {"none": 1, "fermi-dirac": 3, "cold": 4, "methfessel-paxton": 6, "gaussian": 7}
_KEPT: Final = ("energy", "free_energy", "forces", "stress")


class _Template(AbinitTemplate):
    """ASE's, with the pseudopotential files of the protocol by their paths.

    Args:
        task: what is computed.
    """

    def __init__(self, task: Task) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.implemented_properties = frozenset(_KEPT)
        self.task = task

    def write_input(
        self, profile: Any, directory: Path, atoms: Any, parameters: Any, properties: Any
    ) -> None:
        """Write the input; its output must not exist, or ABINIT would write beside it."""
        from ase.io.abinit import write_abinit_in

        del profile, properties
        (directory / LOG).unlink(missing_ok=True)
        species = sorted({atomic_numbers[symbol] for symbol in self.task.files})
        by_number = {atomic_numbers[symbol]: str(path) for symbol, path in self.task.files.items()}
        with (directory / self.inputname).open("w", encoding="utf-8") as file:
            write_abinit_in(
                file, atoms, param=dict(parameters), species=species, pseudos=[by_number[z] for z in species]
            )

    def read_results(self, directory: Path) -> dict[str, Any]:  # type: ignore[override]
        """ASE's, whose energy is the free one, with the one extrapolated to zero smearing."""
        results = only(super().read_results(directory), _KEPT)  # type: ignore[no-untyped-call]
        free = results["energy"]
        entropy = _entropy((directory / LOG).read_text(errors="replace"))
        for path in directory.glob("abinito_*"):  # densities and wave functions
            path.unlink()
        return results | {
            "free_energy": free,
            "energy": extrapolated(free, entropy, self.task.protocol.smearing),
        }


def calculator(task: Task) -> Any:
    """ABINIT as a calculator of ASE."""
    protocol, numerics, kpoints = task.protocol, task.numerics, task.kpoints
    smeared = protocol.smearing != "none"
    if kpoints.mesh is None:
        weighted = kpoints.weighted()
        sampled: dict[str, Any] = {
            "kptopt": 0, "nkpt": len(weighted), "kpt": weighted[:, :3], "wtk": weighted[:, 3], "nsym": 1,
        }  # fmt: skip
    else:
        sampled = {
            "kptopt": 1,
            "ngkpt": list(kpoints.mesh),
            "nshiftk": 1,
            "shiftk": [s / 2 for s in kpoints.shift],
        }
    tolerance = numerics.tolerance * len(task.geometry.symbols) / Hartree
    return GenericFileIOCalculator(
        template=_Template(task),
        profile=_Profile(task.argv, timeout=task.timeout),
        directory=task.folder,
        parameters={
            "ixc": _IXC[protocol.functional],
            "ecut": protocol.cutoff,
            "occopt": _OCCOPT[protocol.smearing],
            **({"tsmear": protocol.smearing_width} if smeared else {}),
            **sampled,
            "nstep": numerics.max_iterations,
            # Of the residual of the potential, squared, which the error of the energy is of the order of;
            # forces and stress follow its root. Forces are no criterion: where symmetry holds them at zero
            # they stand still from the first step on, and ABINIT would end after the third.
            "tolvrs": 1e-2 * tolerance,
            "optforces": 1,
            "optstress": 1,
            # rattled and derived cells: neither is the mesh asked to have the symmetry, nor the cell
            "chksymbreak": 0,
            "chksymtnons": 0,
            "prtwf": 0, "prtden": 0, "prteig": 1,
            **({"diemix": numerics.mixing} if numerics.mixing else {}),
            **protocol.options,
            **numerics.options,
        },
    )  # fmt: skip


class _Profile(LaunchedProfile):
    def get_calculator_command(self, inputfile: str) -> list[str]:
        return [inputfile]


def said(folder: Path) -> Said:
    """What ABINIT printed."""
    path = folder / LOG
    text = path.read_text(errors="replace") if path.is_file() else ""
    printed = folder / "abinit.log"
    whole = printed.read_text(errors="replace") if printed.is_file() else ""
    version = re.search(r"\.Version +(\S+) +of ABINIT", text)
    steps = re.findall(r"ETOT +(\d+) ", text)
    failed = "was not enough SCF cycles to converge" in text or "ScfConvergenceWarning" in whole
    complete = "Calculation completed" in text
    fault = re.search(r"--- !(?:ERROR|BUG)\n.*?message: \|\n(.*?)\.\.\.", whole, re.DOTALL)
    return Said(
        version=version[1] if version else None,
        iterations=int(steps[-1]) if steps else None,
        converged=False if failed else True if complete else None,
        logs=(printed, folder / "abinit.err", path),
        fault=" ".join(fault[1].split()) if fault else "",
    )


def _entropy(text: str) -> float | None:
    """-TS of the smearing, eV; None where nothing says it."""
    found = re.findall(r"'-kT\*entropy' *: *([-+0-9.EeDd]+)", text)
    return float(found[-1].upper().replace("D", "E")) * Hartree if found else None
