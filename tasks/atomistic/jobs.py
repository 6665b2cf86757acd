"""Calculations with a potential as jobs that end before their walltime and go on where they were stopped."""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from jobflow import CURRENT_JOB, Response, job

from zonemelt.tasks.atomistic.dynamics_documents import simulations
from zonemelt.tasks.atomistic.dynamics_settings import DynamicsSettings
from zonemelt.tasks.atomistic.elastic import ElasticSettings, elasticities
from zonemelt.tasks.atomistic.eos import EosSettings, equations_of_state
from zonemelt.tasks.atomistic.fleet import OutOfTimeError, Pace
from zonemelt.tasks.atomistic.neb import NebSettings, minimum_energy_paths
from zonemelt.tasks.atomistic.path_ends import PathEnds, check_ends
from zonemelt.tasks.atomistic.phonons import PhononSettings, phonons
from zonemelt.tasks.atomistic.relax import RelaxSettings, relaxed_stage
from zonemelt.tasks.convert.checked import checked
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.deadline import deadline_of_job
from zonemelt.tasks.directories import check_directory
from zonemelt.tasks.errors import JobError, UnknownKeyError
from zonemelt.tasks.potentials.committee import Committee
from zonemelt.tasks.potentials.load import load_potential
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.settings import read_settings
from zonemelt.tasks.theory import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from zonemelt.tasks.atomistic.relax import Relaxed
    from zonemelt.tasks.potentials.potential import Potential

Model = TypeVar("Model", bound=Document)
_SPARE = 10.0
"""Seconds before the deadline that are left for the checkpoint."""


class Watch:
    """Says whether there is time for one more evaluation: three times the longest, and some to spare."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._last: float | None = None
        self._longest = 0.0
        self.evaluations = 0

    def __call__(self) -> bool:
        """Asked before every evaluation."""
        now = time.time()
        if self._last is not None:
            self._longest = max(self._longest, now - self._last)
        self._last = now
        if now + 3 * self._longest + _SPARE > self._deadline:
            return False
        self.evaluations += 1
        return True


@dataclass(frozen=True, kw_only=True)
class Calculation:
    """One kind of calculation.

    Attributes:
        settings: their dataclass.
        read: the inputs as JSON has them → what is calculated with.
        run: takes the potential, what was read, settings and pace; gives a JSON document for each input.
        dtype: of the potential where nobody says: double where differences are taken.
    """

    settings: type[Any]
    read: Callable[[list[Any]], Any]
    run: Callable[[Potential, Any, Any, Pace], list[dict[str, Any]]]
    dtype: str = "float64"


def relaxed_documents(relaxed: Relaxed) -> list[dict[str, Any]]:
    """What became of each structure: geometry, energy (eV), largest force (eV/Å), steps and outcome."""
    return [
        {
            "geometry": Geometry.of(relaxed.crystals.atoms(index)).model_dump(mode="json"),
            "energy": _finite(relaxed.energies_G[index]),
            "force": _finite(relaxed.forces_G[index]),
            "steps": int(relaxed.steps_G[index]),
            "outcome": str(outcome),
        }
        for index, outcome in enumerate(relaxed.outcomes)
    ]


def _finite(value: float) -> float | None:
    """JSON has no other numbers."""
    return float(value) if math.isfinite(value) else None


def _relaxations(
    potential: Potential, crystals: Crystals, settings: RelaxSettings, pace: Pace
) -> list[dict[str, Any]]:
    """As :func:`relaxed_documents`; of a committee with ``members``, the energy (eV) by each of them."""
    relaxed = relaxed_stage(potential, crystals, settings, pace=pace, stage="relax")
    documents = relaxed_documents(relaxed)
    if isinstance(potential, Committee) and documents:
        for document, energies_M in zip(
            documents, potential.energies_of_members(relaxed.crystals).T, strict=True
        ):
            document["members"] = [_finite(energy) for energy in energies_M]
    return documents


def _documents(
    function: Callable[..., list[Any]],
) -> Callable[[Potential, Any, Any, Pace], list[dict[str, Any]]]:
    """A function of crystals, or of several, whose documents become dictionaries."""

    def run(potential: Potential, given: Any, settings: Any, pace: Pace) -> list[dict[str, Any]]:
        given = given if isinstance(given, tuple) else (given,)
        return [one.model_dump(mode="json") for one in function(potential, *given, settings, pace=pace)]

    return run


def _simulations(
    potential: Potential, crystals: Crystals, settings: DynamicsSettings, pace: Pace
) -> list[dict[str, Any]]:
    assert pace.directory is not None
    place = pace.directory.parent / "trajectories"
    found = simulations(potential, crystals, settings, pace=pace, directory=place)
    return [one.model_dump(mode="json") for one in found]


def _read(model: type[Model], inputs: list[Any], what: str) -> list[Model]:
    return [
        checked(partial(model.model_validate, one), where=f"{what} {number}")
        for number, one in enumerate(inputs)
    ]


def _crystals(inputs: list[Any]) -> Crystals:
    return Crystals.of(_read(Geometry, inputs, "structure"))


def _ends(inputs: list[Any]) -> tuple[Crystals, Crystals]:
    pairs = _read(PathEnds, inputs, "path")
    ends = Crystals.of(pair.initial for pair in pairs), Crystals.of(pair.final for pair in pairs)
    check_ends(*ends)
    return ends


CALCULATIONS: Final[dict[str, Calculation]] = {
    "relax": Calculation(settings=RelaxSettings, read=_crystals, run=_relaxations, dtype="float32"),
    "eos": Calculation(settings=EosSettings, read=_crystals, run=_documents(equations_of_state)),
    "elastic": Calculation(settings=ElasticSettings, read=_crystals, run=_documents(elasticities)),
    "phonons": Calculation(settings=PhononSettings, read=_crystals, run=_documents(phonons)),
    "neb": Calculation(
        settings=NebSettings, read=_ends, run=_documents(minimum_energy_paths), dtype="float32"
    ),
    "dynamics": Calculation(settings=DynamicsSettings, read=_crystals, run=_simulations),
}


def inputs_of(kind: str, inputs: list[Any]) -> Any:
    """Read the inputs of a kind of calculation.

    Raises:
        InputError: one is not what the kind takes, or ends of a path do not belong together.
    """
    return CALCULATIONS[kind].read(inputs)


def settings_of(kind: str, document: Mapping[str, Any]) -> Any:
    """Read the settings of a kind of calculation.

    Raises:
        UnknownKeyError: there is no such kind, or no such setting.
        InputError: a setting makes no sense.
    """
    if kind not in CALCULATIONS:
        raise UnknownKeyError.of(kind, CALCULATIONS, where="calculation")
    return read_settings(CALCULATIONS[kind].settings, document, where=kind, page="docs/atomistic.md")


@job
def calculate_job(
    *,
    kind: str,
    potential: str,
    inputs: list[Any],
    settings: dict[str, Any],
    directory: str,
    device: str = "cpu",
    dtype: str | None = None,
    trust: bool = False,
) -> Any:
    """Do one kind of calculation with a potential.

    Args:
        kind: one of :data:`CALCULATIONS`.
        potential: see :func:`.load_potential`.
        inputs: :class:`Geometry` as dictionaries; for paths :class:`.PathEnds`.
        settings: of the kind.
        directory: absolute; of the checkpoints, from which the job goes on that takes over.
        device: "cpu" or "cuda".
        dtype: "float32" or "float64"; None: what the kind needs.
        trust: see :func:`.load_potential`.

    Returns:
        A document for each input; or a response with the job that goes on.

    Raises:
        InputError: something given cannot be used.
        JobError: there is no time for a single evaluation.
    """
    chosen, calculation = settings_of(kind, settings), CALCULATIONS[kind]
    precision = dtype or calculation.dtype
    what = json.dumps([potential, precision, settings, inputs], sort_keys=True)
    place = check_directory(directory) / f"{kind}-{hashlib.sha256(what.encode()).hexdigest()[:16]}"
    watch = Watch(deadline_of_job())
    try:
        return calculation.run(
            load_potential(potential, device=device, dtype=precision, trust=trust),
            inputs_of(kind, inputs),
            chosen,
            Pace(directory=place, go_on=watch),
        )
    except OutOfTimeError as error:
        if not watch.evaluations:
            raise JobError(
                "no time for a single evaluation before the deadline",
                where=kind,
                remedy="ask for more walltime",
            ) from error
    again = calculate_job(
        kind=kind,
        potential=potential,
        inputs=inputs,
        settings=settings,
        directory=directory,
        device=device,
        dtype=dtype,
        trust=trust,
    )
    again.name = CURRENT_JOB.job.name
    return Response(replace=again)


@job
def all_parts_job(*, parts: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Put the results of several jobs one after the other."""
    return [one for part in parts for one in part]
