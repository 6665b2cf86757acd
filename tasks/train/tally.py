"""What the jobs of one training have done together, carried from each to the next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import JobError

if TYPE_CHECKING:
    from zonemelt.tasks.train.loop import Outcome

_HURRIED = 3  # jobs in a row without time for a step


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Sums over the jobs of a training; what a job that was killed did is not in them.

    Attributes:
        jobs: that have ended.
        steps: where the training stands.
        samples: seen on all ranks.
        seconds: of steps.
        waited: seconds of them spent waiting for data.
        hurried: how many of the last jobs, in a row, had no time for a step.
    """

    jobs: int = 0
    steps: int = 0
    samples: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    hurried: int = 0

    def with_outcome(self, outcome: Outcome, *, where: str) -> Tally:
        """The sums after one more job.

        Args:
            outcome: of that job.
            where: the directory of the training, for messages.

        Raises:
            JobError: no job can make headway: the training stands no further than before, or several in a row
                had not started before their time was up.
        """
        if outcome.position <= self.steps and not outcome.finished:
            raise JobError(
                f"it stands at step {outcome.position}; the job before had reached step {self.steps}",
                where=where,
                remedy="its checkpoints have been removed: start the training again",
            )
        late = outcome.hurried and not outcome.finished
        after = replace(
            self,
            jobs=self.jobs + 1,
            steps=outcome.position,
            samples=self.samples + outcome.samples,
            seconds=self.seconds + outcome.seconds,
            waited=self.waited + outcome.waiting * outcome.seconds,
            hurried=self.hurried + 1 if late else 0,
        )
        if after.hurried >= _HURRIED:
            raise JobError(
                f"{after.hurried} jobs in a row had no time left when their training began: starting and "
                "reading the data take all of it",
                where=where,
                remedy="give the job a longer walltime, or its pool longer blocks; it goes on from there",
            )
        return after

    def summary(self) -> dict[str, Any]:
        """For the document of a model."""
        return {
            "jobs": self.jobs,
            "steps": self.steps,
            "samples": self.samples,
            "seconds": self.seconds,
            "samples_per_second": self.samples / self.seconds if self.seconds else 0.0,
            "waiting": self.waited / self.seconds if self.seconds else 0.0,
        }
