"""Run one GPAW calculation: a JSON file in, a JSON file out.

This file is run by GPAW's own Python (`python gpaw_run.py task.json result.json`), so it imports
nothing but the standard library, ASE and GPAW. The result is written whole or not at all; what it
says under ``error`` is the reason for an exit status of 1.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

LOG = "gpaw.txt"


def main(task_file: str, result_file: str) -> int:
    """Read the task, run it, write the result."""
    task = json.loads(Path(task_file).read_text(encoding="utf-8"))
    try:
        result = run(task)
    except Exception as error:  # noqa: BLE001 (whatever GPAW raises is the oracle's answer)
        result = {"error": f"{type(error).__name__}: {error}"}
    if "gpaw" in sys.modules and "error" not in result:
        from gpaw.mpi import world

        if world.rank:  # the first of the ranks writes for all
            return 0
    partial = Path(f"{result_file}.{os.getpid()}")  # where all ranks fail, each writes its own
    partial.write_text(json.dumps(result), encoding="utf-8")
    partial.replace(result_file)
    return 1 if "error" in result else 0


def run(task: dict[str, Any]) -> dict[str, Any]:
    """Energies (eV), forces (eV/Å) and stress (eV/Å³, 3 by 3) of one crystal."""
    import ase
    import gpaw
    from ase import Atoms
    from gpaw.mpi import world
    from gpaw.new.ase_interface import GPAW

    if world.size != task["ranks"]:
        raise RuntimeError(
            f"the job has {task['ranks']} ranks and this GPAW sees {world.size}: it was built without MPI"
        )
    atoms = Atoms(
        task["symbols"], positions=task["positions"], cell=task["cell"], pbc=task["periodic"],
        magmoms=task["magmoms"],
    )  # fmt: skip
    mixing = {"mixer": {"beta": task["mixing"]}} if task["mixing"] else {}
    atoms.calc = GPAW(
        mode={"name": "pw", "ecut": task["cutoff"]},
        xc=task["functional"],
        kpts=task["kpoints"],
        occupations=task["occupations"],
        convergence=task["tolerances"],
        maxiter=task["max_iterations"],
        txt=LOG,
        **mixing,
        **task["options"],
    )
    sigma0 = float(atoms.get_potential_energy())
    return {
        "energy_sigma0": sigma0,
        "energy_free": float(atoms.get_potential_energy(force_consistent=True)),
        "forces": atoms.get_forces().tolist(),
        "stress": atoms.get_stress(voigt=False).tolist(),
        "magmoms": None if task["magmoms"] is None else atoms.get_magnetic_moments().tolist(),
        "iterations": iterations(Path(LOG)),
        "setups": {symbol: setup(symbol, task["functional"]) for symbol in sorted(set(task["symbols"]))},
        "gpaw": gpaw.__version__,
        "ase": ase.__version__,
        "cpu_seconds": time.process_time(),
    }


def iterations(log: Path) -> int | None:
    """How many SCF cycles the log lists."""
    lines = [
        line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if "iter:" in line
    ]
    return len(lines) or None


def setup(symbol: str, functional: str) -> str:
    """File name and SHA-256 (first 16 digits) of the PAW setup of one element."""
    from gpaw import setup_paths

    for folder in setup_paths:
        for name in (f"{symbol}.{functional}.gz", f"{symbol}.{functional}"):
            path = Path(folder) / name
            if path.is_file():
                return f"{name}:{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
    raise FileNotFoundError(f"no {functional} setup of {symbol} in {[str(p) for p in setup_paths]}")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main(*sys.argv[1:3]))
