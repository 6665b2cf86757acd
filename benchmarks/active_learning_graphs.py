"""The loop of active learning with jobs that only take time: what is measured is who waits for whom."""

from __future__ import annotations

import time
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from jobflow import Flow, job

from zonemelt.flows.relabel import RelabelMaker
from zonemelt.tasks.rounds.judge import Round, round_document

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jobflow import Job, OutputReference


@dataclass
class SleepyLoop(RelabelMaker):
    """The graph of a loop, its science left out.

    Args:
        initial: first labels.
        heldout: held-out labels.
        members: of the committee.
        walkers: explorers of a round.
        label_seconds: median of the labels, s; 0 for jobs that take no time.
        factor: two thirds of the labels are within this factor of the median (log-normal).
        train_seconds: of each training.
        explore_seconds: of each explorer.
    """

    name: str = "sleepy"
    initial: int = 32
    heldout: int = 16
    members: int = 4
    walkers: int = 4
    label_seconds: float = 0.0
    factor: float = 1.0
    train_seconds: float = 0.0
    explore_seconds: float = 0.0

    def begin(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Names only."""
        return _named("first", self.initial), _named("held", self.heldout)

    def label(self, candidate: Mapping[str, Any]) -> Job:
        """Take as long as the name says."""
        chance = Random(f"{self.seed} {candidate['identifier']}")
        spread = self.factor ** chance.gauss(0.0, 1.0)
        return label_slowly(seconds=self.label_seconds * spread)

    def gather(self, **arguments: Any) -> Job:
        """Count what has arrived."""
        return gather_names(labels=arguments["labels"], waiting=arguments["waiting"], last=arguments["last"])

    def learn(self, number: int, gathered: OutputReference, history: Sequence[Any], place: Path) -> Flow:
        """Members side by side, and what puts them together."""
        del history, place
        members = [
            self._step(train_slowly(seconds=self.train_seconds, after=gathered), "train", kind="train")
            for _ in range(self.members)
        ]
        together = self._step(join([one.output for one in members]), "committee", round=number)
        return Flow([*members, together], output=together.output)

    def judge(self, done: dict[str, Any]) -> Job:
        """A round's document without errors."""
        return judge_nothing(done=done)

    def choose(
        self, number: int, now: Mapping[str, Any], *, waiting: list[Any], asked: Any, without: list[str]
    ) -> Flow:
        """Explorers side by side, and a batch of names."""
        walks = [
            self._step(explore_slowly(seconds=self.explore_seconds), "explore", kind="explore")
            for _ in range(self.walkers)
        ]
        choice = self._step(
            choose_names(
                after=[one.output for one in walks], waiting=waiting, batch=self.batch, number=number,
                asked=asked,
            ),
            "choose", round=number,
        )  # fmt: skip
        del now, without
        return Flow([*walks, choice], output=choice.output)


def _named(what: str, count: int) -> list[dict[str, Any]]:
    return [{"identifier": f"{what} {number}", "geometry": {}} for number in range(count)]


def _take(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@job
def label_slowly(*, seconds: float) -> float:
    """Stand for a label."""
    return _take(seconds)


@job
def train_slowly(*, seconds: float, after: Any) -> float:
    """Stand for a training."""
    del after
    return _take(seconds)


@job
def explore_slowly(*, seconds: float) -> float:
    """Stand for an explorer."""
    return _take(seconds)


@job
def join(values: list[float]) -> dict[str, Any]:
    """Stand for a committee."""
    return {"folder": "", "members": len(values)}


@job
def gather_names(*, labels: dict[str, Any], waiting: dict[str, Any], last: bool) -> dict[str, Any]:
    """What has arrived, and what has not."""
    there = sorted(name for name, one in labels.items() if one is not None)
    return {
        "dataset": "", "version": "", "records": len(there), "quarantine": 0, "accepted": there,
        "refused": {}, "failed": [], "seconds": sum(labels[name] for name in there), "cpu_seconds": 0.0,
        "pending": {} if last else {name: waiting[name] for name in labels if name not in there},
    }  # fmt: skip


@job
def judge_nothing(*, done: dict[str, Any]) -> dict[str, Any]:
    """A round's document."""
    return round_document(Round(**done), {})


@job
def choose_names(
    *, after: list[Any], waiting: list[Any], batch: int, number: int, asked: int
) -> dict[str, Any]:
    """A batch of names."""
    del after, waiting
    return {"chosen": _named(f"batch {number}", batch), "asked": asked + batch, "summary": {}}
