"""Active learning to find the best of a pool with few labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jobflow import Flow, OutputReference

from zonemelt.flows.relabel import COMMITTEES, DATASET, RelabelMaker
from zonemelt.tasks.datasets import open_dataset
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.learn.shallow import ModelSpec
from zonemelt.tasks.rounds.screening import (
    candidates_of,
    choose_of_pool_job,
    covering,
    fit_job,
    judge_screening_job,
    reveal_job,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jobflow import Job

    from zonemelt.tasks.datasets import Dataset

ENERGIES = ("energy_per_atom", "energy_free_per_atom")
POOL = "pool"
"""The oracle that looks labels up in the pool: for tables, and to see what a search would have cost."""


@dataclass
class RelabelScreeningMaker(RelabelMaker):
    """Wire a search.

    Args:
        pool: ``dataset`` and ``version`` of the candidates.
        target: a property of records; ``energy_per_atom`` too.
        model: of the property, from compositions; see :class:`.ModelSpec`.
        initial: labels to begin with, drawn at random.
        heldout: labels drawn at random that errors are measured on; may be none.
        acquire: see :class:`.Acquiring`: ``wanted``, ``fraction``, ``score``.
    """

    name: str = "relabel-screening"
    oracle: str = POOL
    pool: dict[str, str] = field(default_factory=dict)
    target: str = ""
    model: dict[str, Any] = field(default_factory=lambda: {"family": "extra_trees", "grid": {}})
    initial: int = 20
    heldout: int = 0
    acquire: dict[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Refuse what can be refused before anything is labelled.

        Raises:
            UnknownKeyError: the pool has no such property.
            InputError: there is no such pool, it is smaller than what is asked for first, or a setting
                cannot be used.
        """
        ModelSpec.of(self.model)
        pool = open_dataset(self.pool["dataset"], self.pool["version"])
        size = len(pool)
        if size <= self.initial + self.heldout:
            raise InputError(
                f"{size} structures, of which {self.initial + self.heldout} are asked for first",
                where=f"pool {self.pool['dataset']}",
                remedy="ask for fewer in initial and heldout",
            )
        if self.oracle == POOL:
            self._check_target(pool)

    def _check_target(self, pool: Dataset) -> None:
        """Refuse a property that no record has: names only are looked at, most often of one record."""
        known = set(ENERGIES)
        records = pool.records()
        while self.target not in known:
            if (record := next(records, None)) is None:
                raise UnknownKeyError.of(self.target, known, where="target")
            known |= set(record.properties)

    @property
    def need(self) -> list[str]:
        """A converged energy, where an oracle computes it."""
        return [] if self.oracle == POOL else ["energy_sigma0", "electronic", "complete"]

    def begin(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Drawn at random, but structures first that cover the elements of the pool."""
        every = candidates_of(open_dataset(self.pool["dataset"], self.pool["version"]))
        every.sort(key=lambda one: str(one["identifier"]))
        every = [every[row] for row in np.random.default_rng(self.seed).permutation(len(every)).tolist()]
        first = covering(every, (), self.initial)
        names = {one["identifier"] for one in first}
        some = [*first, *(one for one in every if one["identifier"] not in names)]
        return some[: self.initial], some[self.initial : self.initial + self.heldout]

    def label(self, candidate: Mapping[str, Any]) -> Job:
        """Look it up, or ask the oracle."""
        if self.oracle == POOL:
            return reveal_job(identifier=candidate["identifier"], **self.pool)
        return super().label(candidate)

    def learn(self, number: int, gathered: OutputReference, history: Sequence[Any], place: Path) -> Flow:
        """Fit the model anew."""
        del history
        fitted = self._step(
            fit_job(
                dataset=str(place / DATASET), version=gathered["version"], target=self.target,
                model=self.model, seed=self.seed, directory=str(place / COMMITTEES / f"round-{number}"),
            ),
            "train", kind="train", round=number,
        )  # fmt: skip
        return Flow([fitted], output=fitted.output, name=f"train {number}")

    def judge(self, done: dict[str, Any]) -> Job:
        """See :func:`.judge_screening_job`."""
        return judge_screening_job(done=done, target=self.target, wanted=self.acquire.get("wanted", "lowest"))

    def choose(
        self, number: int, now: Mapping[str, Any], *, waiting: list[Any], asked: Any, without: list[str]
    ) -> Flow:
        """Choose among all that was not asked for."""
        choice = self._step(
            choose_of_pool_job(
                pool=self.pool, model=now["committee"], dataset=now["dataset"], version=now["version"],
                target=self.target, waiting=waiting, without=without, asked=asked,
                most=self.stop.get("labels"), batch=self.batch, acquire=self.acquire, seed=self.seed + number,
            ),
            "choose", round=number,
        )  # fmt: skip
        return Flow([choice], output=choice.output, name=f"choice {number}")
