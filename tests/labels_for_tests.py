"""Records for the tests of quality control."""

from __future__ import annotations

from typing import Any

from zonemelt.tasks.records import Convergence, Geometry, Ingested, Record
from zonemelt.tasks.theory import Theory

VASP = Theory(code="vasp", version="6.4.2", functional="PBE")


def record_of(atoms: Any, identifier: str = "one", **changes: Any) -> Record:
    """A record of ``ase.Atoms``, converged, with what ``changes`` gives it."""
    fields = {
        "theory": VASP,
        "convergence": Convergence(electronic=True, complete=True),
        "provenance": Ingested(source="made.up", calculation=identifier, parser="none"),
    }
    return Record(identifier=identifier, geometry=Geometry.of(atoms), **(fields | changes))
