"""Label with ASE's effective-medium theory: instant, smooth, metallic, and not DFT."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from zonemelt.tasks.errors import OracleError
from zonemelt.tasks.label.digest import digest, host
from zonemelt.tasks.records import Computed, Convergence, Geometry, Record
from zonemelt.tasks.theory import Theory

if TYPE_CHECKING:
    from pathlib import Path

    from zonemelt.tasks.label.settings import EmtSettings


def label(geometry: Geometry, settings: EmtSettings, *, identifier: str, workdir: Path) -> Record:
    """Energy, forces and stress of one crystal by EMT.

    Args:
        geometry: the crystal.
        settings: nothing to set.
        identifier: name of the record.
        workdir: unused: EMT writes no files.

    Raises:
        OracleError: EMT has no parameters for an element.
    """
    import ase
    from ase.calculators.emt import EMT, parameters

    del workdir
    unknown = sorted(set(geometry.symbols) - set(parameters))
    if unknown:
        raise OracleError(
            f"EMT has no parameters for {', '.join(unknown)}",
            where=identifier,
            remedy=f"choose elements among {', '.join(sorted(parameters))}, or another oracle",
        )
    started, cpu = time.perf_counter(), time.process_time()
    atoms = geometry.atoms()
    atoms.calc = EMT()
    energy = float(atoms.get_potential_energy())
    return Record(
        identifier=identifier,
        geometry=geometry,
        energy_free=energy,
        energy_sigma0=energy,
        forces=tuple(map(tuple, atoms.get_forces().tolist())),
        stress=atoms.get_stress(voigt=False).tolist(),
        theory=Theory(
            code="ase-emt",
            version=ase.__version__,
            functional="effective-medium theory (a toy potential, not DFT)",
            spin=False,
            is_dft=False,
        ),
        convergence=Convergence(electronic=True, complete=True),
        provenance=Computed(
            oracle="emt",
            input_digest=digest(geometry, settings.model_dump()),
            seconds=time.perf_counter() - started,
            cpu_seconds=time.process_time() - cpu,
            host=host(),
        ),
    )
