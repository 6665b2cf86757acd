"""Quantum ESPRESSO: the input of pw.x by ASE, its results by ASE, and the smearing's part of its energy."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any, Final

from ase.calculators.espresso import EspressoTemplate
from ase.calculators.genericfileio import GenericFileIOCalculator
from ase.units import Rydberg

from zonemelt.tasks.executables import Executable
from zonemelt.tasks.label.codes.common import Said, extrapolated
from zonemelt.tasks.label.kpoints import irreducible
from zonemelt.tasks.label.launched import LaunchedProfile, only
from zonemelt.tasks.label.pseudopotentials import valence
from zonemelt.tasks.programs import ProgramRanks

if TYPE_CHECKING:
    from pathlib import Path

    from zonemelt.tasks.label.codes.common import Task

EXECUTABLE: Final = Executable(
    oracle="qe",
    program="pw.x",
    variable="ZONEMELT_PW",
    install="`make oracle ORACLE=qe` (Debian: apt install quantum-espresso quantum-espresso-data)",
    version=r"Program PWSCF v\.?(\S+)",
)
LOG: Final = "espresso.pwo"
_SCRATCH: Final = "out"
_SMEARINGS: Final = {"gaussian": "gauss", "fermi-dirac": "fd", "cold": "mv", "methfessel-paxton": "mp"}
_DISPERSION: Final = {"D3": 3, "D3(BJ)": 4}
_KEPT: Final = ("energy", "free_energy", "forces", "stress")


class _Template(EspressoTemplate):
    """ASE's, which promises magnetic moments of runs that have none: asked for them it would run again.

    Args:
        task: what is computed.
    """

    def __init__(self, task: Task) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.implemented_properties = frozenset(_KEPT)
        self.task = task

    def write_input(self, profile: Any, directory: Any, atoms: Any, parameters: Any, properties: Any) -> None:
        """ASE's, which hands initial moments on as they are; pw.x takes shares of the valence electrons."""
        asked = atoms.copy()
        if self.task.protocol.spin:
            moments = asked.get_initial_magnetic_moments()
            electrons = [valence(self.task.files[symbol]) or 10.0 for symbol in asked.symbols]
            shares = [max(-1.0, min(1.0, m / e)) for m, e in zip(moments, electrons, strict=True)]
            asked.set_initial_magnetic_moments(shares)
        super().write_input(profile, directory, asked, parameters, properties)  # type: ignore[no-untyped-call]

    def read_results(self, directory: Path) -> dict[str, Any]:  # type: ignore[override]
        """ASE's, with the energy extrapolated to zero smearing beside the free energy."""
        results = only(super().read_results(directory), _KEPT)  # type: ignore[no-untyped-call]
        text = (directory / LOG).read_text(errors="replace")
        results["energy"] = extrapolated(results["free_energy"], _entropy(text), self.task.protocol.smearing)
        results |= _moments(text, atoms=len(self.task.geometry.symbols))
        shutil.rmtree(directory / _SCRATCH, ignore_errors=True)
        return results


def calculator(task: Task) -> Any:
    """pw.x as a calculator of ASE."""
    protocol, numerics = task.protocol, task.numerics
    smeared = protocol.smearing != "none"
    system = {
        "ecutwfc": protocol.cutoff / Rydberg,
        "occupations": "smearing" if smeared else "fixed",
        "nosym": task.kpoints.mesh is None,  # a list of points is used as it is
        **({"ecutrho": protocol.density_cutoff / Rydberg} if protocol.density_cutoff else {}),
        **(
            {"smearing": _SMEARINGS[protocol.smearing], "degauss": protocol.smearing_width / Rydberg}
            if smeared
            else {}
        ),
        **({"nspin": 2} if protocol.spin else {}),
        **(
            {"vdw_corr": "dft-d3", "dftd3_version": _DISPERSION[protocol.dispersion]}
            if protocol.dispersion
            else {}
        ),
        **protocol.options,
    }
    electrons = {
        "conv_thr": numerics.tolerance * len(task.geometry.symbols) / Rydberg,
        "electron_maxstep": numerics.max_iterations,
        **({"mixing_beta": numerics.mixing} if numerics.mixing else {}),
        **numerics.options,
    }
    control = {"calculation": "scf", "tprnfor": True, "tstress": True, "disk_io": "none", "outdir": _SCRATCH}
    mesh = task.kpoints.mesh
    return GenericFileIOCalculator(
        template=_Template(task),
        profile=_profile(task),
        directory=task.folder,
        parameters={
            "input_data": {"control": control, "system": system, "electrons": electrons},
            "pseudopotentials": {s: str(p.relative_to(task.pseudopotentials)) for s, p in task.files.items()},
            **({"kpts": mesh, "koffset": task.kpoints.shift} if mesh else {"kpts": task.kpoints.weighted()}),
        },
    )


def said(folder: Path) -> Said:
    """What pw.x printed."""
    path = folder / LOG
    text = path.read_text(errors="replace") if path.is_file() else ""
    version = re.search(r"Program PWSCF v\.?(\S+)", text)
    done = re.search(r"convergence has been achieved in +(\d+) iterations", text)
    failed = "convergence NOT achieved" in text
    fault = re.search(r"%%%\n\s*Error in routine ([^\n]+)\n\s*([^\n]+)", text)
    return Said(
        version=version[1] if version else None,
        iterations=int(done[1]) if done else None,
        converged=True if done else False if failed else None,
        logs=(path, folder / "CRASH", folder / "espresso.err"),
        fault=" ".join(" ".join(fault.groups()).split()) if fault else "",
    )


def _entropy(text: str) -> float | None:
    """-TS of the smearing, eV: the part of the free energy that it makes; None where nothing says it."""
    found = re.findall(r"smearing contrib\. \(-TS\)\s*=\s*(\S+) Ry", text)
    return float(found[-1]) * Rydberg if found else None


def _moments(text: str, *, atoms: int) -> dict[str, Any]:
    """Magnetic moments in Bohr magnetons: of each atom, and of the cell; empty without spin.

    Not ASE's: it takes the last number of a line, which in pw.x before 7 is a constraint.
    """
    of_cell = re.findall(r"total magnetization\s*=\s*(\S+) Bohr", text)
    of_atoms = re.findall(r"charge[:=]\s*\S+\s+magn[:=]\s*(\S+)", text)[-atoms:]
    found: dict[str, Any] = {"magmom": float(of_cell[-1])} if of_cell else {}
    return found | ({"magmoms": [float(m) for m in of_atoms]} if len(of_atoms) == atoms else {})


def _profile(task: Task) -> LaunchedProfile:
    """pw.x with as many pools of k-points as its ranks can share: that is how it scales best."""
    ranks = ProgramRanks.here().ranks
    pools = 1
    if ranks > 1:
        most = irreducible(task.geometry, task.kpoints)
        pools = max(n for n in range(1, ranks + 1) if ranks % n == 0 and n <= most)
    options = ["-nk", str(pools)] if pools > 1 else []
    profile = LaunchedProfile(task.argv, options=[*options, "-in"], timeout=task.timeout)
    profile.pseudo_dir = str(task.pseudopotentials)
    return profile
