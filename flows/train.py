"""Train a network as a job of one or many ranks that goes on, job after job, until the model is there."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import Flow, Maker

from zonemelt.tasks.directories import check_directory
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.settings import read_settings
from zonemelt.tasks.train.documents import architecture_of, settings_of
from zonemelt.tasks.train.heads import head_of
from zonemelt.tasks.train.jobs import check_world_size, train_job
from zonemelt.tasks.train.properties import OBJECTIVES
from zonemelt.tasks.train.transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobflow import Job, OutputReference

    from zonemelt.tasks.train.settings import TrainSettings


@dataclass
class RanksMaker(Maker):
    """What all trainings have in common: how, where, and with how many ranks.

    Args:
        name: of the flow and its job.
        settings: see :class:`.TrainSettings`; the seed must be given.
        directory: of checkpoints, metrics and the model; absolute, on a file system that all nodes see.
        device: ``cpu``, ``cuda``, ``xpu``, or ``auto`` for the best that is there.
        nodes: that the job spans.
        ranks_per_node: processes on each.
        gpus_per_rank: accelerators of each rank.
        threads: of each rank.
        pool: of the site; empty for its default.
        walltime: of each job, seconds or ``HH:MM:SS``: before it ends, the training goes on as another job; 0
            for as long as the block lasts.
        memory: that one rank may allocate, bytes or such as ``4GB``; 0 for no limit.
    """

    name: str = "train"
    settings: dict[str, Any] = field(default_factory=dict)
    directory: str = ""
    device: str = "auto"
    nodes: int = 1
    ranks_per_node: int = 1
    gpus_per_rank: int = 0
    threads: int = 1
    pool: str = ""
    walltime: float | str = 0
    memory: float | str = 0

    def shared(self, **changes: Any) -> dict[str, Any]:
        """The values of all these fields, for another maker of trainings; with changes."""
        return {one.name: getattr(self, one.name) for one in fields(RanksMaker)} | changes

    def checked(self, split: Any) -> TrainSettings:
        """The settings; refuses what can be refused without the data.

        Args:
            split: rows of its parts, a document that draws them, or the output of a job.

        Raises:
            UnknownKeyError: there is no such setting.
            InputError: a value cannot be used, the directory is not absolute, or there are more ranks than
                samples in a step.
        """
        settings = settings_of(self.settings)
        check_directory(self.directory)
        for key, least in (("nodes", 1), ("ranks_per_node", 1), ("threads", 1), ("gpus_per_rank", 0)):
            if getattr(self, key) < least:
                raise InputError(
                    f"{key} is {getattr(self, key)}", where=self.name, remedy=f"give at least {least}"
                )
        check_world_size(self.nodes * self.ranks_per_node, settings, samples=_training_samples(split))
        return settings

    def flow_of(self, one: Job) -> Flow:
        """A flow of the job that trains, with what it asks of the site."""
        one.name = self.name
        resources = {
            "pool": self.pool, "nodes": self.nodes, "ranks_per_node": self.ranks_per_node,
            "gpus_per_rank": self.gpus_per_rank, "threads": self.threads, "walltime": self.walltime,
            "memory": self.memory, "launcher": "torch",
            "cache": False,  # its directory remembers what is done; a result without it would be of no use
        }  # fmt: skip
        one.update_config({"manager_config": resources})
        return Flow([one], output=one.output, name=self.name)


@dataclass
class TrainMaker(RanksMaker):
    """Wire one training. Each has a directory of its own; in one that has checkpoints it goes on from them.

    Args:
        architecture: such as ``{"architecture": "cogn", "width": 64}``; see :func:`.architecture_of`.
        loss: see :func:`.head_of`.
        transfer: a :class:`.Transfer`, to begin from a trained model.
        weights: of properties in the loss, by name.
        each: what weighs the same in a step, every ``property`` or every ``label``.
    """

    architecture: dict[str, Any] = field(default_factory=lambda: {"architecture": "cogn"})
    loss: str | dict[str, Any] = "mae"
    transfer: dict[str, Any] | None = None
    weights: dict[str, float] | None = None
    each: str = "property"

    def make(
        self, collection: Mapping[str, Any] | OutputReference, split: Mapping[str, Any] | OutputReference
    ) -> Flow:
        """Build the graph; all that can be checked without the data is checked here.

        Args:
            collection: see :func:`zonemelt.tasks.train.collection.read_collection`; or the output of a job.
            split: see :func:`zonemelt.tasks.train.collection.split_of`; or the output of a job.

        Returns:
            A flow whose output is the model, as :func:`zonemelt.tasks.train.jobs.train_job` returns it.

        Raises:
            UnknownKeyError: there is no such architecture, setting, loss or way to transfer.
            InputError: a value cannot be used, the directory is not absolute, or there are more ranks than
                samples in a step.
        """
        architecture = architecture_of(self.architecture)
        head_of(self.loss)
        if self.each not in OBJECTIVES:
            raise UnknownKeyError.of(self.each, OBJECTIVES, where="what weighs the same")
        settings = self.checked(split)
        if self.transfer is not None:
            model = self.transfer.get("model")
            known = model if isinstance(model, str | Path) else self.directory  # else the output of a job
            read_settings(Transfer, {**self.transfer, "model": known}, where="transfer")
        one = train_job(
            collection=collection,
            split=split,
            architecture=architecture.model_dump(mode="json"),
            settings=settings.model_dump(mode="json"),
            directory=self.directory,
            loss=self.loss,
            transfer=self.transfer,
            weights=self.weights,
            each=self.each,
            device=self.device,
            threads=self.threads,
        )
        return self.flow_of(one)


def _training_samples(split: Any) -> int | None:
    """How many samples are trained on, where the split says so by itself."""
    rows = split.get("train") if isinstance(split, dict) else None
    return len(rows) if isinstance(rows, list) and rows else None
