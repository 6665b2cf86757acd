"""Train interatomic potentials, networks or linear ones: one, or a committee that differ by their seed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jobflow import Flow, Maker, OnMissing

from zonemelt.flows.train import RanksMaker
from zonemelt.tasks.directories import check_directory
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.potentials.committee import committee_job
from zonemelt.tasks.potentials.fitting.jobs import (
    basis_of,
    linear_job,
    potential_job,
    potential_of,
    terms_of,
)
from zonemelt.tasks.train.documents import settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobflow import OutputReference


@dataclass
class PotentialMaker(RanksMaker):
    """Wire the training of a potential, from random weights or from those of another.

    Args:
        architecture: see :class:`.PotentialArchitecture`, such as ``{"cutoff": 5.0, "channels": [32, 16]}``.
        loss: see :class:`.Terms`, such as ``{"weights": {"energy": 1, "forces": 1, "stress": 0.1}}``.
        start: of a fine-tuning: ``sevennet-0``, or the folder of a potential trained here.
        double: whether to validate in double precision.
    """

    name: str = "potential"
    architecture: dict[str, Any] = field(default_factory=dict)
    loss: dict[str, Any] = field(default_factory=dict)
    start: str = ""
    double: bool = False

    def make(
        self, collection: Mapping[str, Any] | OutputReference, split: Mapping[str, Any] | OutputReference
    ) -> Flow:
        """Build the graph; all that can be checked without the data is checked here.

        Args:
            collection: see :func:`.read_structures`; its shards have all edges within the cutoff
                (``k`` null). Or the output of a job.
            split: see :func:`zonemelt.tasks.train.collection.split_of`; or the output of a job.

        Returns:
            A flow whose output is the potential, as :func:`.potential_job` returns it; ``load_potential``
            opens its ``folder``.

        Raises:
            UnknownKeyError: there is no such setting.
            InputError: a value cannot be used, the directory is not absolute, or there are more ranks than
                samples in a step.
        """
        architecture, loss = potential_of(self.architecture), terms_of(self.loss)
        settings = self.checked(split)
        return self.flow_of(
            potential_job(
                collection=collection,
                split=split,
                architecture=architecture.model_dump(mode="json"),
                settings=settings.model_dump(mode="json"),
                directory=self.directory,
                loss=loss.model_dump(mode="json"),
                start=self.start,
                double=self.double,
                device=self.device,
                threads=self.threads,
            )
        )

    def member(self, number: int, directory: str) -> PotentialMaker:
        """One of a committee: they differ by the seed of the first weights and of the order."""
        settings = {**self.settings, "seed": settings_of(self.settings).seed + number}
        return replace(self, name=f"{self.name} {number}", directory=directory, settings=settings)


@dataclass
class LinearPotentialMaker(Maker):
    """Wire the fit of a linear potential: one job of one process, seconds to minutes.

    Args:
        name: of the flow and its job.
        basis: see :class:`.Basis`, such as ``{"cutoff": 5.0, "radial": 6, "degree": 4}``.
        energy_weight: of energies beside forces, see :func:`.fit_linear`.
        seed: of a bootstrap of the training structures; None to count each once.
        directory: of the potential; absolute, on a file system that all workers see.
        threads: of the job.
        pool: of the site; empty for its default.
        walltime: of the job, seconds or ``HH:MM:SS``; 0 for as long as the block lasts.
        memory: that the job may allocate, bytes or such as ``4GB``; 0 for no limit.
    """

    name: str = "linear potential"
    basis: dict[str, Any] = field(default_factory=dict)
    energy_weight: float = 10.0
    seed: int | None = None
    directory: str = ""
    threads: int = 1
    pool: str = ""
    walltime: float | str = 0
    memory: float | str = 0

    def make(
        self, collection: Mapping[str, Any] | OutputReference, split: Mapping[str, Any] | OutputReference
    ) -> Flow:
        """Build the graph; all that can be checked without the data is checked here.

        Args:
            collection: see :func:`.read_structures`; its shards have all edges within the cutoff of the basis
                (``k`` null). Or the output of a job.
            split: see :func:`zonemelt.tasks.train.collection.split_of`, with a part ``validation``, on which
                the ridge is chosen; or the output of a job.

        Returns:
            A flow whose output is what :func:`.linear_job` returns; ``load_potential`` opens its ``folder``.

        Raises:
            UnknownKeyError: there is no such setting.
            InputError: a value cannot be used, or the directory is not absolute.
        """
        basis = basis_of(self.basis)
        check_directory(self.directory)
        if self.energy_weight < 0 or self.threads < 1 or (self.seed is not None and self.seed < 0):
            raise InputError(
                f"energy_weight {self.energy_weight}, threads {self.threads}, seed {self.seed}",
                where=self.name,
                remedy="give a weight and a seed of 0 or more, and at least one thread",
            )
        one = linear_job(
            collection=collection,
            split=split,
            basis=basis.model_dump(mode="json"),
            directory=self.directory,
            energy_weight=self.energy_weight,
            seed=self.seed,
            threads=self.threads,
        )
        one.name = self.name
        resources = {
            "pool": self.pool, "threads": self.threads, "walltime": self.walltime, "memory": self.memory,
            "cache": False,  # a result without its directory would be of no use
        }  # fmt: skip
        one.update_config({"manager_config": resources})
        return Flow([one], output=one.output, name=self.name)

    def member(self, number: int, directory: str) -> LinearPotentialMaker:
        """One of a committee: each is fitted to a bootstrap of the training structures of its own.

        The fit has one solution, so only the data can make members differ; and a bootstrap makes them differ
        by as much as the data leaves the weights open, which other bases would not.
        """
        seed = (self.seed or 0) + number
        return replace(self, name=f"{self.name} {number}", directory=directory, seed=seed)


@dataclass
class CommitteeMaker(Maker):
    """Wire trainings of potentials that differ by their seed, and the job that puts them together.

    Args:
        name: of the flow.
        train: how a member is trained; its seed is that of the first, the next ones follow.
        members: how many are asked for.
        least: how many must be there in the end; None for more than half, and two at least.
        directory: of the committee, absolute; each member has a folder in it.
        starts: of networks, the potential whose weights each member begins with; empty: as ``train`` says.
    """

    name: str = "committee"
    train: PotentialMaker | LinearPotentialMaker = field(default_factory=PotentialMaker)
    members: int = 4
    least: int | None = None
    directory: str = ""
    starts: list[str] = field(default_factory=list)

    def make(
        self, collection: Mapping[str, Any] | OutputReference, split: Mapping[str, Any] | OutputReference
    ) -> Flow:
        """Build the graph.

        Args:
            collection: see :meth:`PotentialMaker.make` and :meth:`LinearPotentialMaker.make`.
            split: the same for all members.

        Returns:
            A flow whose output is what :func:`.committee_job` returns.

        Raises:
            InputError: there are too few members, the trainings have a directory already, or something of
                theirs cannot be used.
        """
        folder = check_directory(self.directory)
        least = max(2, self.members // 2 + 1) if self.least is None else self.least
        if not 2 <= least <= self.members:  # noqa: PLR2004  one has no spread
            raise InputError(
                f"{self.members} members, of which {least} must be there",
                where=self.name,
                remedy="ask for two or more members, and for no more to be there than that",
            )
        if self.train.directory:
            raise InputError(
                f"the trainings have the directory '{self.train.directory}'",
                where=self.name,
                remedy="leave it out: each member has a folder in that of the committee",
            )
        if self.starts and len(self.starts) != self.members:
            raise InputError(
                f"{len(self.starts)} starts for {self.members} members",
                where=self.name,
                remedy="give one for each, or none",
            )
        names = [f"member-{number}" for number in range(self.members)]
        flows = [
            self._member(number, str(folder / name)).make(collection, split)
            for number, name in enumerate(names)
        ]
        together = committee_job(
            members=[flow.output for flow in flows], names=names, directory=str(folder), least=least
        )
        together.name = "committee"
        together.update_config({
            "on_missing_references": OnMissing.NONE,  # a member that failed for good is None
            "manager_config": {"pool": self.train.pool, "cache": False},
        })  # fmt: skip
        return Flow([*flows, together], output=together.output, name=self.name)

    def _member(self, number: int, directory: str) -> PotentialMaker | LinearPotentialMaker:
        member = self.train.member(number, directory)
        if self.starts and isinstance(member, PotentialMaker):
            return replace(member, start=self.starts[number])
        return member
