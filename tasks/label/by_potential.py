"""Label with an interatomic potential, trained here or by others: a teacher for tests, not DFT."""

from __future__ import annotations

import hashlib
import json
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import OracleAbsentError, OracleError, UnfitStructureError, ZonemeltError
from zonemelt.tasks.label.digest import digest, host
from zonemelt.tasks.quality.judge import Limits, geometry_faults
from zonemelt.tasks.records import Computed, Convergence, Record
from zonemelt.tasks.theory import Theory

if TYPE_CHECKING:
    from zonemelt.tasks.label.settings import PotentialSettings
    from zonemelt.tasks.records import Geometry


def label(geometry: Geometry, settings: PotentialSettings, *, identifier: str, workdir: Path) -> Record:
    """Energy, forces and stress of one structure by a potential.

    Args:
        geometry: the structure.
        settings: which potential.
        identifier: name of the record.
        workdir: unused: nothing is written.

    Raises:
        OracleAbsentError: there is no such potential, or it is damaged.
        UnfitStructureError: the structure is none, or the potential does not know an element.
        OracleError: it has no answer.
    """
    from zonemelt.tasks.crystals import Crystals

    del workdir
    if faults := list(geometry_faults(geometry, Limits())):
        raise UnfitStructureError("; ".join(faults), where=identifier, remedy="leave the structure out")
    potential, fingerprint = _loaded(settings.name, settings.device, settings.dtype)
    if unknown := sorted(set(geometry.symbols) - set(potential.elements)):
        raise UnfitStructureError(
            f"{potential.name} does not know {', '.join(unknown)}", where=identifier,
            remedy=f"it knows {', '.join(sorted(potential.elements))}",
        )  # fmt: skip
    started, cpu = time.perf_counter(), time.process_time()
    try:
        found = potential.evaluate(Crystals.of_atoms([geometry.atoms()]), stress=all(geometry.periodic))
    except ZonemeltError as error:
        raise OracleError(error.what, where=identifier, remedy=error.remedy) from None
    energy = float(found.energies_G[0])
    stress = None if found.stresses_G33 is None else found.stresses_G33[0].tolist()
    return Record(
        identifier=identifier,
        geometry=geometry,
        energy_free=energy,
        energy_sigma0=energy,
        forces=found.forces_A3.tolist() if found.forces_A3 is not None else None,
        stress=stress,
        theory=Theory(
            code=f"potential {potential.name}",
            functional=f"a potential of labels by {potential.theory.described}",
            protocol=fingerprint,
            is_dft=False,
        ),
        convergence=Convergence(electronic=True, complete=True),
        provenance=Computed(
            oracle="potential",
            input_digest=digest(geometry, settings.model_dump(mode="json", exclude={"device"})),
            seconds=time.perf_counter() - started,
            cpu_seconds=time.process_time() - cpu,
            host=host(),
        ),
    )


@lru_cache(maxsize=4)
def _loaded(name: str, device: str, dtype: str) -> tuple[Any, str]:
    """A potential and a hash of what it is; kept, as a worker labels one structure after the other."""
    from zonemelt.tasks.potentials.load import load_potential
    from zonemelt.tasks.whole_files import sha256_of

    try:
        potential = load_potential(name, device=device, dtype=dtype)
    except ZonemeltError as error:
        where = error.where or "oracle potential"
        raise OracleAbsentError(error.what, where=where, remedy=error.remedy) from None
    files = sorted(path for path in Path(name).rglob("*") if path.is_file()) if Path(name).is_dir() else []
    held = {"name": name if not files else "", "files": [sha256_of(path) for path in files], "dtype": dtype}
    return potential, hashlib.sha256(json.dumps(held).encode()).hexdigest()[:16]
