"""GPAW: run by the Python of its own environment, a JSON file in and a JSON file out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ase.calculators.genericfileio import CalculatorTemplate, GenericFileIOCalculator

from zonemelt.tasks.executables import GPAW
from zonemelt.tasks.label.codes.common import Said
from zonemelt.tasks.label.launched import LaunchedProfile, only
from zonemelt.tasks.programs import ProgramRanks

if TYPE_CHECKING:
    from zonemelt.tasks.label.codes.common import Task

SCRIPT: Final = Path(__file__).with_name("gpaw_run.py")
LOG: Final = "gpaw.txt"
_TASK, _RESULT, _PRINTED = "task.json", "result.json", "gpaw.out"
_SMEARINGS: Final[dict[str, dict[str, Any]]] = {
    "none": {"name": "fermi-dirac", "width": 0.0},
    "gaussian": {"name": "methfessel-paxton", "order": 0},
    "fermi-dirac": {"name": "fermi-dirac"},
    "cold": {"name": "marzari-vanderbilt"},
    "methfessel-paxton": {"name": "methfessel-paxton", "order": 1},
}


EXECUTABLE: Final = GPAW


class _Template(CalculatorTemplate):
    """The task as JSON, and the result."""

    def __init__(self) -> None:
        super().__init__("gpaw-program", ("energy", "free_energy", "forces", "stress"))

    def write_input(
        self, profile: LaunchedProfile, directory: Path, atoms: Any, parameters: Any, properties: Any
    ) -> None:
        """Write the task; what an earlier run left is removed."""
        del profile, atoms, properties
        (directory / _RESULT).unlink(missing_ok=True)
        (directory / _TASK).write_text(json.dumps(parameters), encoding="utf-8")

    def execute(self, directory: Path, profile: LaunchedProfile) -> None:
        """Run it."""
        profile.run(directory, _TASK, _PRINTED)

    def read_results(self, directory: Path) -> dict[str, Any]:  # type: ignore[override]
        """The result, as ASE has it."""
        import numpy as np

        found = json.loads((directory / _RESULT).read_text(encoding="utf-8"))
        stress = np.array(found["stress"])
        return only(
            {
                "energy": found["energy_sigma0"],
                "free_energy": found["energy_free"],
                "forces": np.array(found["forces"]),
                "stress": stress.ravel()[[0, 4, 8, 5, 2, 1]],
                "magmoms": found.get("magmoms"),
            },
            ("energy", "free_energy", "forces", "stress", "magmoms"),
        )

    def load_profile(self, cfg: Any) -> LaunchedProfile:
        """Never asked for: the profile is given."""
        raise NotImplementedError


def calculator(task: Task) -> Any:
    """GPAW as a calculator of ASE."""
    protocol, numerics = task.protocol, task.numerics
    # GPAW converges the energy per valence electron; the others are in electrons and eV² for each of them.
    tolerances = {"energy": numerics.tolerance, "density": 3e-4, "eigenstates": 1e-6}
    parameters = {
        **task.geometry.model_dump(mode="json"),
        "functional": protocol.functional,
        "cutoff": protocol.cutoff,
        "kpoints": _kpoints(task),
        "occupations": {"width": protocol.smearing_width} | _SMEARINGS[protocol.smearing],
        "tolerances": tolerances,
        "max_iterations": numerics.max_iterations,
        "mixing": numerics.mixing,
        "magmoms": [protocol.magmoms.get(s, 0.6) for s in task.geometry.symbols] if protocol.spin else None,
        "options": {**protocol.options, **numerics.options},
        "ranks": ProgramRanks.here().ranks,
    }
    return GenericFileIOCalculator(
        template=_Template(),
        profile=_Profile(task.argv, options=["-I", str(SCRIPT)], timeout=task.timeout),
        directory=task.folder,
        parameters=parameters,
    )


class _Profile(LaunchedProfile):
    def get_calculator_command(self, inputfile: str) -> list[str]:
        return [*self.options, inputfile, _RESULT]


def said(folder: Path) -> Said:
    """What the result says, or the reason why there is none."""
    path = folder / _RESULT
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    fault = found.get("error", "")
    return Said(
        version=found.get("gpaw"),
        iterations=found.get("iterations"),
        converged=False if "KohnShamConvergenceError" in fault else True if "energy_free" in found else None,
        setups=found.get("setups", {}),
        logs=(folder / LOG, folder / f"{_PRINTED}.err"),
        fault=fault,
        absent=fault.startswith(("ModuleNotFoundError", "ImportError")),
    )


def _kpoints(task: Task) -> Any:
    """As GPAW takes them: a mesh, or a list of points."""
    kpoints = task.kpoints
    if kpoints.mesh is None:
        return kpoints.points.tolist()  # type: ignore[union-attr]
    return {"size": kpoints.mesh, "gamma": not any(kpoints.shift)}
