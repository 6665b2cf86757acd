"""Train several networks side by side and make them one model that says how sure it is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jobflow import Flow, Maker, OnMissing

from zonemelt.flows.train import TrainMaker
from zonemelt.tasks.directories import check_directory
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.train.documents import settings_of
from zonemelt.tasks.train.ensemble import assemble_job

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jobflow import OutputReference

    from zonemelt.tasks.metrics.recalibration import Recalibrations


@dataclass
class EnsembleMaker(Maker):
    """Wire trainings that differ by their seed, and the job that puts them together when all have ended.

    It waits for all members, and goes on without those that failed for good, if there are enough; the card
    says which failed.

    Args:
        name: of the flow.
        train: how a member is trained; the seed in its settings is that of the first, the next ones follow.
        members: how many are asked for.
        least: how many must be there in the end; None for more than half.
        directory: of the ensemble, absolute; each member has a folder in it.
        recalibration: of deviations, ``scale``, ``affine`` or ``isotonic``; see :func:`.recalibrate`.
    """

    name: str = "ensemble"
    train: TrainMaker = field(default_factory=TrainMaker)
    members: int = 5
    least: int | None = None
    directory: str = ""
    recalibration: Recalibrations = "scale"

    def make(
        self, collection: Mapping[str, Any] | OutputReference, split: Mapping[str, Any] | OutputReference
    ) -> Flow:
        """Build the graph.

        Args:
            collection: see :meth:`.TrainMaker.make`.
            split: with a part ``validation``: without it nothing is calibrated.

        Returns:
            A flow whose output is what :func:`.assemble_job` returns.

        Raises:
            InputError: there are no members or more must be there than are asked for, the trainings have a
                directory already, or something of theirs cannot be used.
        """
        folder = check_directory(self.directory)
        least = self.members // 2 + 1 if self.least is None else self.least
        if not 1 <= least <= self.members:
            raise InputError(
                f"{self.members} members, of which {least} must be there",
                where=self.name,
                remedy="ask for one or more members, and for no more to be there than that",
            )
        names = [f"member-{number}" for number in range(self.members)]
        flows = [
            self._member(number, folder / name).make(collection, split) for number, name in enumerate(names)
        ]
        together = assemble_job(
            members=[flow.output for flow in flows],
            names=names,
            collection=collection,
            split=split,
            directory=str(folder),
            least=least,
            recalibration=self.recalibration,
            device=self.train.device,
        )
        together.name = "assemble"
        together.update_config({
            "on_missing_references": OnMissing.NONE,  # a member that failed for good is None
            "manager_config": {
                "pool": self.train.pool, "gpus_per_rank": self.train.gpus_per_rank,
                "threads": self.train.threads, "cache": False,
            },
        })  # fmt: skip
        return Flow([*flows, together], output=together.output, name=self.name)

    def _member(self, number: int, folder: Path) -> TrainMaker:
        if self.train.directory:
            raise InputError(
                f"the trainings have the directory '{self.train.directory}'",
                where=self.name,
                remedy="leave it out: each member has a folder in that of the ensemble",
            )
        seed = settings_of(self.train.settings).seed + number
        return replace(
            self.train,
            name=f"{self.train.name} {number}",
            directory=str(folder),
            settings={**self.train.settings, "seed": seed},
        )
