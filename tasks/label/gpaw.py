"""Label with GPAW, run by the Python of its own environment as one subprocess a label."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.errors import OracleError
from zonemelt.tasks.label.digest import digest, host
from zonemelt.tasks.label.kmesh import folded_mesh
from zonemelt.tasks.records import Computed, Convergence, Geometry, Record
from zonemelt.tasks.theory import Theory

if TYPE_CHECKING:
    from zonemelt.tasks.label.settings import GpawSettings

SCRIPT: Final = Path(__file__).with_name("gpaw_run.py")
LOG: Final = "gpaw.txt"
# Of the electronic cycle: energy (eV), density (electrons) and states (eV²), each per valence electron.
TOLERANCES: Final = {"energy": 1e-4, "density": 3e-4, "eigenstates": 1e-6}
TAIL = 12  # lines of the log that an error quotes


def find_python(settings: GpawSettings, *, folder: Path) -> Path:
    """The Python of GPAW's environment.

    Looked for in this order: the campaign's ``python``, ``$ZONEMELT_GPAW_PYTHON``,
    ``.venv-gpaw`` in ``folder``, ``.venv-gpaw`` next to an editable checkout of zonemelt.

    Raises:
        OracleError: there is none.
    """
    named = settings.python or os.environ.get("ZONEMELT_GPAW_PYTHON")
    checkout = Path(__file__).resolve().parents[2]
    places = [Path(named)] if named else [f / ".venv-gpaw/bin/python" for f in (folder, checkout)]
    for place in places:
        if place.is_file():
            return place.absolute()
    raise OracleError(
        f"no Python with GPAW at {' or '.join(map(str, places))}",
        where="oracle gpaw",
        remedy="run `make oracle`, or name it in ZONEMELT_GPAW_PYTHON or in oracles.gpaw.python",
    )


def label(geometry: Geometry, settings: GpawSettings, *, identifier: str, workdir: Path) -> Record:
    """Energies, forces and stress of one crystal by GPAW.

    Args:
        geometry: the crystal.
        settings: cutoff, k-points and so on.
        identifier: name of the record.
        workdir: where the task, the result and the log are written.

    Raises:
        OracleError: GPAW is absent, did not converge, ran too long or died; the tail of its log is
            in the message.
    """
    started = time.perf_counter()
    result = _run(geometry, settings, identifier=identifier, workdir=workdir)
    return Record(
        identifier=identifier,
        geometry=geometry,
        energy_free=result["energy_free"],
        energy_sigma0=result["energy_sigma0"],
        forces=result["forces"],
        stress=result["stress"],
        theory=Theory(
            code="gpaw",
            version=result["gpaw"],
            functional=settings.functional,
            setups=result["setups"],
            cutoff=settings.cutoff,
            kpoint_density=None if settings.kpoint_mesh else settings.kpoint_density,
            kpoint_mesh=described(settings),
            spin=False,
            smearing="fermi-dirac",
            smearing_width=settings.smearing_width,
        ),
        convergence=Convergence(electronic=True, complete=True, iterations=result["iterations"]),
        provenance=Computed(
            oracle="gpaw",
            input_digest=digest(geometry, settings),
            seconds=time.perf_counter() - started,
            cpu_seconds=result["cpu_seconds"],
            host=host(),
            log=LOG,
        ),
    )


def kpoints(geometry: Geometry, settings: GpawSettings) -> dict[str, Any] | list[list[float]]:
    """The k-points as GPAW takes them: a density, or a folded mesh as a list of points.

    Raises:
        OracleError: a folded mesh is asked for, and the geometry has no parent or does not fit it.
    """
    if settings.kpoint_mesh is None:
        return {"density": settings.kpoint_density, "even": True, "gamma": False}
    if geometry.supercell is None:
        raise OracleError(
            "a crystal without a parent lattice cannot have a folded mesh",
            where="kpoint_mesh",
            remedy="leave kpoint_mesh out and give kpoint_density",
        )
    points: list[list[float]] = folded_mesh(geometry.supercell, settings.kpoint_mesh).tolist()
    return points


def described(settings: GpawSettings) -> str:
    """The k-points in words."""
    n = settings.kpoint_mesh
    return f"{n} {n} {n} of the parent lattice, folded" if n else "Monkhorst-Pack, even, shifted"


def _run(geometry: Geometry, settings: GpawSettings, *, identifier: str, workdir: Path) -> dict[str, Any]:
    python = find_python(settings, folder=Path.cwd())
    task = geometry.model_dump(mode="json") | settings.model_dump(exclude={"python", "timeout"})
    task |= {"tolerances": TOLERANCES, "kpoints": kpoints(geometry, settings)}
    task_file, result_file = workdir / "task.json", workdir / "result.json"
    task_file.write_text(json.dumps(task), encoding="utf-8")
    result_file.unlink(missing_ok=True)
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "PYTHONHOME"}}
    try:
        done = subprocess.run(
            [str(python), "-I", str(SCRIPT), task_file.name, result_file.name],
            cwd=workdir,
            env=environment | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=settings.timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _failure(f"GPAW ran longer than {settings.timeout:.0f} s", "", identifier, workdir) from None
    if not result_file.is_file():
        what = f"GPAW ended with status {done.returncode} and no result"
        raise _failure(what, done.stderr, identifier, workdir)
    result: dict[str, Any] = json.loads(result_file.read_text(encoding="utf-8"))
    if "error" in result:
        raise _failure(result["error"], done.stderr, identifier, workdir)
    return result


def _failure(what: str, stderr: str, identifier: str, workdir: Path) -> OracleError:
    """The error, with the tail of GPAW's log or of what it printed."""
    log = workdir / LOG
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else stderr
    tail = "\n    ".join(text.strip().splitlines()[-TAIL:])
    return OracleError(
        f"{what}\n    {tail}" if tail else what,
        where=f"label {identifier} in {workdir}",
        remedy=f"read {log}; raise max_iterations or the smearing width, or check the geometry",
    )
