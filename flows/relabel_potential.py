"""Active learning of an interatomic potential: a committee explores, and asks for what it disagrees on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobflow import Flow, OnMissing

from zonemelt.flows.relabel_committee import RelabelCommitteeMaker
from zonemelt.tasks.explore.explorers import explore_job
from zonemelt.tasks.rounds.choose import choose_job
from zonemelt.tasks.rounds.judge import judge_job

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobflow import Job

_EXPLORE = 2_000_000  # seeds of everything random are told apart by what they are for


@dataclass
class RelabelPotentialMaker(RelabelCommitteeMaker):
    """Wire a campaign that ends with a committee of potentials and the dataset it was trained on.

    Args:
        explore: name → an explorer, see :func:`.explorer_of`; the committee drives those that need one.
        walkers: jobs of each explorer in a round; each has its own random numbers.
        acquire: how candidates are chosen, see :func:`.choose_job`.
    """

    name: str = "relabel-potential"
    explore: dict[str, dict[str, Any]] = field(default_factory=dict)
    walkers: int = 1
    acquire: dict[str, Any] = field(default_factory=dict)

    def judge(self, done: dict[str, Any]) -> Job:
        """See :func:`.judge_job`."""
        return judge_job(done=done)

    def choose(
        self, number: int, now: Mapping[str, Any], *, waiting: list[Any], asked: Any, without: list[str]
    ) -> Flow:
        """Explore with the committee, job by job, and choose among what was found."""
        walks = []
        for place, (name, explorer) in enumerate(sorted(self.explore.items())):
            for walker in range(self.walkers):
                seed = self.seed + _EXPLORE + 1000 * number + 100 * place + walker
                walks.append(
                    self._step(
                        explore_job(
                            explorer=explorer, parents=self.structures, seed=seed, potential=now["committee"]
                        ),
                        "explore", kind="explore", label=f"explore {name} {walker}", round=number,
                    )
                )  # fmt: skip
        choice = self._step(
            choose_job(
                found=[walk.output for walk in walks], committee=now["committee"], dataset=now["dataset"],
                version=now["version"], waiting=waiting, without=without, asked=asked,
                most=self.stop.get("labels"), batch=self.batch, acquire=self.acquire, seed=self.seed + number,
            ),
            "choose", round=number,
        )  # fmt: skip
        choice.config.on_missing_references = OnMissing.NONE  # a walker that failed has found nothing
        return Flow([*walks, choice], output=choice.output, name=f"choice {number}")
