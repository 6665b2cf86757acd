"""Calculations with a potential on many structures, in jobs of some hundred each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from jobflow import Flow, Maker

from zonemelt.tasks.atomistic.jobs import all_parts_job, calculate_job, inputs_of, settings_of
from zonemelt.tasks.directories import check_directory
from zonemelt.tasks.errors import InputError


@dataclass
class AtomisticMaker(Maker):
    """Wire one kind of calculation; use the makers below.

    Args:
        name: of the flow.
        potential: see :func:`.load_potential`.
        settings: of the kind.
        directory: of checkpoints, absolute, on a file system that all workers see.
        structures: in a job.
        device: "cpu" or "cuda".
        dtype: "float32" or "float64"; None: what the kind needs.
        trust: see :func:`.load_potential`.
    """

    kind: ClassVar[str]

    name: str = "calculation"
    potential: str = "chgnet-0.3.0"
    settings: dict[str, Any] = field(default_factory=dict)
    directory: str = ""
    structures: int = 200
    device: str = "cpu"
    dtype: str | None = None
    trust: bool = False

    def settings_from(self, start: int) -> dict[str, Any]:
        """The settings of the job whose first structure is at this place."""
        del start
        return self.settings

    def make(self, inputs: list[Any]) -> Flow:
        """Build the graph.

        Args:
            inputs: :class:`zonemelt.tasks.records.Geometry` as dictionaries, or :class:`.PathEnds`.

        Returns:
            A flow whose output is a document for each, in the given order.

        Raises:
            InputError: there are no structures, the directory is not absolute, or a setting makes no sense.
        """
        if not inputs or self.structures < 1:
            raise InputError(
                f"{len(inputs)} structures, {self.structures} in a job",
                where=self.name,
                remedy="give at least one of each",
            )
        settings_of(self.kind, self.settings)
        check_directory(self.directory)
        if all(isinstance(one, dict) for one in inputs):  # else they are outputs of jobs
            inputs_of(self.kind, inputs)
        jobs = []
        for start in range(0, len(inputs), self.structures):
            one = calculate_job(
                kind=self.kind,
                potential=self.potential,
                inputs=inputs[start : start + self.structures],
                settings=self.settings_from(start),
                directory=self.directory,
                device=self.device,
                dtype=self.dtype,
                trust=self.trust,
            )
            one.name = f"{self.kind} from {start}"
            jobs.append(one)
        together = all_parts_job(parts=[one.output for one in jobs])
        together.name = f"all {self.name}"
        return Flow([*jobs, together], output=together.output, name=self.name)


@dataclass
class RelaxMaker(AtomisticMaker):
    """Relax: settings of :class:`.RelaxSettings`, output of :func:`.relaxed_documents`."""

    kind: ClassVar[str] = "relax"
    name: str = "relax"


@dataclass
class EosMaker(AtomisticMaker):
    """Equations of state: settings of :class:`.EosSettings`, output :class:`.EquationOfState`."""

    kind: ClassVar[str] = "eos"
    name: str = "equations of state"
    structures: int = 50


@dataclass
class ElasticMaker(AtomisticMaker):
    """Elastic constants: settings of :class:`.ElasticSettings`, output :class:`.Elasticity`."""

    kind: ClassVar[str] = "elastic"
    name: str = "elastic constants"
    structures: int = 20


@dataclass
class PhononMaker(AtomisticMaker):
    """Phonons: settings of :class:`.PhononSettings`, output :class:`.Phonons`."""

    kind: ClassVar[str] = "phonons"
    name: str = "phonons"
    structures: int = 10


@dataclass
class NebMaker(AtomisticMaker):
    """Paths of :class:`.PathEnds`: settings of :class:`.NebSettings`, output :class:`.MinimumEnergyPath`."""

    kind: ClassVar[str] = "neb"
    name: str = "paths"
    structures: int = 20


@dataclass
class DynamicsMaker(AtomisticMaker):
    """Molecular dynamics: settings of :class:`.DynamicsSettings`, output :class:`.SimulationResult`.

    Trajectories lie below ``trajectories`` in the directory; :func:`.trajectory_atoms` reads them.
    """

    kind: ClassVar[str] = "dynamics"
    name: str = "dynamics"
    structures: int = 50

    def settings_from(self, start: int) -> dict[str, Any]:
        """Random numbers follow from the place among all structures, not from that in a job."""
        return self.settings | {"first": int(self.settings.get("first", 0)) + start}
