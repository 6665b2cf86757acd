"""Campaigns of active learning in seconds, by EMT and with linear committees."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase.build import bulk
from graphs_for_tests import wrote
from jobflow import job
from labels_for_tests import record_of

from zonemelt.flows.relabel_potential import RelabelPotentialMaker
from zonemelt.tasks.datasets import commit, write_part
from zonemelt.tasks.errors import OracleError
from zonemelt.tasks.label.by_ase import emt as label
from zonemelt.tasks.label.jobs import failed_record
from zonemelt.tasks.label.registry import oracle_named
from zonemelt.tasks.label.settings import EmtSettings
from zonemelt.tasks.records import Geometry, Property
from zonemelt.workflows.engine.inspect import open_ledger

COPPER = {"identifier": "Cu4", "geometry": Geometry.of(bulk("Cu", cubic=True)).model_dump(mode="json")}

SMALL = {
    "initial": 4, "heldout": 4, "batch": 3, "walkers": 1, "stop": {"rounds": 1},
    "committee": {"members": 2, "kind": "linear", "basis": {"cutoff": 4.0, "radial": 3, "degree": 1}},
    "explore": {"shake": {"explorer": "deform", "copies": 6, "displacement": 0.1}},
}  # fmt: skip
"""What makes ``al_potential.yaml`` a matter of seconds."""


def as_words(overrides: dict[str, Any]) -> list[str]:
    """The same on the command line."""
    return [word for key, value in overrides.items() for word in ("--set", f"{key}={json.dumps(value)}")]


def small(**more: Any) -> RelabelPotentialMaker:
    """Three rounds of four labels."""
    kind = more.pop("kind", RelabelPotentialMaker)
    return kind(**{
        "name": "copper",
        "structures": [COPPER],
        "start": {"displacement": 0.08, "strain": 0.02},
        "initial": 6,
        "heldout": 6,
        "committee": {"members": 2, "basis": {"cutoff": 4.0, "radial": 3, "degree": 1}},
        "explore": {"shake": {"explorer": "deform", "copies": 12, "displacement": 0.12, "strain": 0.03}},
        "batch": 4,
        "stop": {"rounds": 3},
        **more,
    })  # fmt: skip


@dataclass
class Special(RelabelPotentialMaker):
    """Labels that take time, fail, or lie, by the name of the structure.

    Args:
        seconds: of each label.
        straggler: seconds of one label in four instead.
        fails: share of 16 of the labels that fail.
        marks: folder that counts executions; empty for none.
    """

    seconds: float = 0.0
    straggler: float = 0.0
    fails: int = 0
    marks: str = ""

    def label(self, candidate: Any) -> Any:
        return special_label_job(
            identifier=candidate["identifier"],
            geometry=candidate["geometry"],
            seconds=self.seconds,
            straggler=self.straggler,
            fails=self.fails,
            marks=self.marks,
        )


@job
def special_label_job(
    *, identifier: str, geometry: dict[str, Any], seconds: float, straggler: float, fails: int, marks: str
) -> dict[str, Any]:
    if marks:
        wrote(marks, identifier)
    drawn = int(identifier[-2:], 16) if identifier != "Cu4" else 255
    time.sleep(straggler if straggler and drawn % 4 == 0 else seconds)
    structure, settings = Geometry.model_validate(geometry), EmtSettings()
    if drawn % 16 < fails:
        error = OracleError("the electrons did not converge", where=identifier)
        record = failed_record(
            structure, error, oracle_named("emt"), settings, identifier=identifier, spent=(seconds, 0.0)
        )
    else:
        record = label(structure, settings, identifier=identifier, workdir=Path())
    return record.model_dump(mode="json")


def result(place: Path) -> dict[str, Any]:
    """The summary of a campaign that has ended."""
    with open_ledger(place) as connection:
        (text,) = connection.execute(
            "SELECT doc FROM outputs JOIN jobs USING (uuid) WHERE jobs.name = 'loop summary'"
        ).fetchone()
    found: dict[str, Any] = json.loads(text)["output"]
    return found


def pool_of_alloys(directory: Path) -> Path:
    """Sixty crystals of two or three metals, with a heat of mixing that follows from their compositions."""
    from itertools import combinations_with_replacement

    records = []
    metals = {"Al": 1.0, "Cu": 2.0, "Au": 4.0, "Ni": 3.0}
    for symbols in combinations_with_replacement(metals, 4):
        if len(set(symbols)) == 1:
            continue
        atoms = bulk("Cu", cubic=True)
        atoms.set_chemical_symbols(symbols)
        mean = sum(metals[one] for one in symbols) / 4
        heat = -sum((metals[one] - mean) ** 2 for one in symbols) / 4
        records.append(
            record_of(atoms, "".join(symbols), properties={"heat": Property(value=heat, unit="eV/atom")})
        )
    commit(directory, [write_part(directory, records)], message="alloys")
    return directory
