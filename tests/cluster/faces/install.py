"""Put commands of another batch system into a directory for PATH."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

_TESTS = Path(__file__).parents[2]
FACES = {
    "pbs": ("qsub", "qstat", "qdel", "qselect", "pbsdsh", "mpiexec"),
    "pjm_on_slurm": ("pjsub", "pjstat", "pjdel", "mpiexec"),
    "pjm_alone": ("pjsub", "pjstat", "pjdel", "mpiexec"),
}


def install(face: str, directory: Path) -> Path:
    """Write the commands of a face; the directory belongs in front of PATH.

    Args:
        face: ``pbs`` and ``pjm_on_slurm`` start jobs on the SLURM cluster; ``pjm_alone`` needs no scheduler.
        directory: made if it is not there.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name in FACES[face]:
        path = directory / name
        path.write_text(f'#!/bin/bash\nexec {shlex.join(program(face))} {name} "$@"\n')
        path.chmod(0o755)
    return directory


def program(face: str) -> list[str]:
    """What runs a face's commands: without the environment that a job would inherit, nor site-packages."""
    module = f"runpy.run_module('cluster.faces.{face}', None, '__main__')"
    start = f"import runpy, sys; sys.path.insert(0, {str(_TESTS)!r}); {module}"
    return [sys.executable, "-S", "-c", start]
