"""Relax many structures with a potential, in jobs of some hundred each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jobflow import Flow, Maker

from zonemelt.tasks.atomistic.relax_jobs import all_relaxed_job, relax_job, settings_of
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.train.jobs import check_directory


@dataclass
class RelaxMaker(Maker):
    """Wire relaxations.

    Args:
        name: of the flow.
        potential: see :func:`.load_potential`.
        settings: of :class:`.RelaxSettings`.
        directory: of checkpoints, absolute, on a file system that all workers see.
        structures: in a job.
        device: "cpu" or "cuda".
    """

    name: str = "relax"
    potential: str = "chgnet-0.3.0"
    settings: dict[str, Any] = field(default_factory=dict)
    directory: str = ""
    structures: int = 200
    device: str = "cpu"

    def make(self, geometries: list[dict[str, Any]]) -> Flow:
        """Build the graph.

        Args:
            geometries: :class:`zonemelt.tasks.records.Geometry` as dictionaries.

        Returns:
            A flow whose output is, in the given order, what :func:`.relaxed_documents` says of each.

        Raises:
            InputError: there are no structures, the directory is not absolute, or a setting is unknown.
        """
        if not geometries or self.structures < 1:
            raise InputError(
                f"{len(geometries)} structures, {self.structures} in a job",
                where=self.name,
                remedy="give at least one of each",
            )
        settings_of(self.settings)
        check_directory(self.directory)
        jobs = []
        for start in range(0, len(geometries), self.structures):
            one = relax_job(
                potential=self.potential,
                geometries=geometries[start : start + self.structures],
                settings=self.settings,
                directory=self.directory,
                device=self.device,
            )
            one.name = f"relax from {start}"
            jobs.append(one)
        together = all_relaxed_job(parts=[one.output for one in jobs])
        together.name = "all relaxed"
        return Flow([*jobs, together], output=together.output, name=self.name)
