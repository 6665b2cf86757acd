"""Logs of GPAW, read by GPAW itself in its own environment: the library that knows its format."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.errors import InputError, OracleError
from zonemelt.tasks.executables import GPAW
from zonemelt.tasks.ingest.outputs.frames import Calculation
from zonemelt.tasks.ingest.outputs.headers import theory_of
from zonemelt.tasks.ingest.outputs.markers import said_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.tasks.convert.origin import BadRow, Origin
    from zonemelt.tasks.records import Record

SCRIPT: Final = Path(__file__).with_name("gpaw_log_run.py")
KIND: Final = "gpaw-out"
_PATIENCE: Final = 600.0  # seconds that reading a log may take


def gpaw_log(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """The frames of a text log of GPAW 26 or later, with both energies.

    Raises:
        InputError: there is no Python with GPAW, or GPAW cannot read the log.
    """
    from ase import Atoms

    told = _parsed(path, origin)
    said = said_in(path, KIND)
    frames: list[dict[str, Any]] = told["frames"]
    calculation = Calculation(
        origin=origin,
        theory=theory_of(path, KIND),
        parser=f"gpaw {told['gpaw']} log_file_reader",
        complete=said.complete,
    )
    for number, frame in enumerate(frames):
        geometry = {name: frame.pop(name) for name in ("symbols", "positions", "cell", "pbc")}
        yield calculation.frame(
            number,
            Atoms(**geometry),
            {name: value for name, value in frame.items() if value is not None},
            electronic=said.electronic(number, len(frames)),
        )


def _parsed(path: Path, origin: Origin) -> dict[str, Any]:
    try:
        argv = GPAW.find()
    except OracleError as error:
        raise InputError(
            error.what, where=origin.source, remedy="`make oracle`, or name it in ZONEMELT_GPAW_PYTHON"
        ) from None
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "PYTHONHOME"}}
    done = subprocess.run(
        [*argv, "-I", str(SCRIPT), str(path)],
        env=environment | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        said = done.stderr.strip().splitlines()
        raise InputError(
            f"GPAW cannot read it: {said[-1] if said else 'no output'}",
            where=origin.source,
            remedy="look whether the log is whole",
        ) from None
    return found
