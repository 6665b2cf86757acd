"""From a dataset to a judged potential: graphs, training or a fit, errors on the test part."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jobflow import Flow

from zonemelt.flows.featurize import ShardsMaker
from zonemelt.flows.potential import CommitteeMaker, LinearPotentialMaker, PotentialMaker
from zonemelt.flows.train import RanksMaker
from zonemelt.flows.validate import ValidateMaker
from zonemelt.tasks.directories import check_directory
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.potentials.fitting.collection import ENERGY
from zonemelt.tasks.potentials.fitting.jobs import basis_of, potential_of
from zonemelt.tasks.train.collection import split_of
from zonemelt.tasks.train.property_values import read_properties

if TYPE_CHECKING:
    from zonemelt.tasks.datasets import Dataset
    from zonemelt.tasks.featurize.graphs import Edges

GRAPHS = "graphs"  # within the directory of the potential
_OF_OTHERS = {"network": ("basis",), "linear": ("architecture", "loss", "start", "double")}
"""Kind → fields that only another kind reads."""


@dataclass
class PotentialModelMaker(RanksMaker):
    """Wire what makes one potential, or a committee, of a dataset.

    Args:
        dataset: its directory; absolute.
        version: of the dataset; a whole hash.
        settings: see :class:`.TrainSettings`; of linear ones, the ``seed`` of a committee.
        kind: ``network``, trained step by step, or ``linear``, fitted in one go.
        split: see :func:`.split_of`; linear ones need a part ``validation``.
        architecture: of a network without ``start``, see :class:`.PotentialArchitecture`.
        basis: of a linear one, see :class:`.Basis`.
        energy_weight: of a linear one, see :func:`.fit_linear`.
        loss: of a network, see :class:`.Terms`.
        start: of a fine-tuning of a network, see :func:`.start_of`.
        double: whether a network is validated in double precision.
        members: more than one make a committee.
        graphs: directory of the shards, to be shared; within that of the potential by default.
        ignoring: fields of the level of theory that may differ among the records.
    """

    name: str = "potential"
    dataset: str = ""
    version: str = ""
    kind: Literal["network", "linear"] = "network"
    split: dict[str, Any] = field(default_factory=dict)
    architecture: dict[str, Any] = field(default_factory=dict)
    basis: dict[str, Any] = field(default_factory=dict)
    energy_weight: float = 10.0
    loss: dict[str, Any] = field(default_factory=dict)
    start: str = ""
    double: bool = False
    members: int = 1
    graphs: str = ""
    ignoring: list[str] = field(default_factory=list)

    def make(self) -> Flow:
        """Build the graph; what is wrong with the dataset, the split or the potential is said here.

        Returns:
            A flow whose output is the validation on the test part, or, where there is none, the training.

        Raises:
            UnknownKeyError: there is no such kind or setting.
            InputError: a path is not absolute, a field is of the other kind, records lack energies or forces,
                levels of theory are mixed, the start does not know an element, or a part of the split is
                empty.
        """
        from zonemelt.tasks.datasets import open_dataset

        self._check_kind()
        check_directory(self.dataset, where="dataset")
        check_directory(self.directory)
        opened = open_dataset(self.dataset, self.version)
        parts = split_of(self.split, read_properties(opened, [ENERGY], ignoring=self.ignoring))
        _check_forces(opened, parts["train"])
        if self.kind == "linear" and "validation" not in parts:
            raise InputError(
                "no validation part",
                where="split",
                remedy="give one: the ridge of a linear fit is chosen on it",
            )
        edges = self._edges(opened)
        shards = ShardsMaker(
            directory=self.graphs or str(Path(self.directory, GRAPHS)), cutoff=edges.cutoff, k=None
        ).make(dataset=self.dataset, version=self.version)
        collection = {
            "shards": shards.output["directory"], "dataset": self.dataset, "version": self.version,
            "ignoring": self.ignoring,
        }  # fmt: skip
        made = self._trained().make(collection, self.split)
        if "test" not in parts:
            return Flow([shards, made], output=made.output, name=self.name)
        judged = ValidateMaker(
            potential=self.directory,
            labels={
                "source": self.dataset, "version": self.version, "split": self.split, "part": "test",
                "ignoring": self.ignoring,
            },
            directory=self.directory,
        ).make(made.output)  # fmt: skip
        return Flow([shards, made, judged], output=judged.output, name=self.name)

    def _check_kind(self) -> None:
        """Refuse what a potential of this kind would not read.

        Raises:
            UnknownKeyError: there is no such kind.
            InputError: naming the field.
        """
        if self.kind not in _OF_OTHERS:
            raise UnknownKeyError.of(self.kind, _OF_OTHERS, where=f"{self.name}: kind")
        if found := [name for name in _OF_OTHERS[self.kind] if getattr(self, name)]:
            raise InputError(
                f"{found[0]} '{getattr(self, found[0])}' is not of a {self.kind} potential",
                where=self.name,
                remedy="leave it out, or choose the other kind",
            )
        if self.kind == "linear" and (strange := sorted(set(self.settings) - {"seed"})):
            raise InputError(
                f"settings.{strange[0]} is of a network", where=self.name, remedy="a linear fit has none"
            )
        if self.start and self.architecture:
            raise InputError(
                f"an architecture beside start '{self.start}'",
                where=self.name,
                remedy="leave it out: the architecture is that of the potential it begins with",
            )

    def _edges(self, opened: Dataset) -> Edges:
        """Of the graphs that the potential reads.

        Raises:
            InputError: the potential to begin with is absent, or does not know an element.
        """
        if self.kind == "linear":
            return basis_of(self.basis).edges
        if not self.start:
            return potential_of(self.architecture).edges
        from zonemelt.tasks.potentials.fitting.start import start_of

        start = start_of(self.start)
        start.check(
            {symbol for system in opened.frame(["elements"])["elements"] for symbol in system.split("-")}
        )
        return start.architecture.edges

    def _trained(self) -> PotentialMaker | LinearPotentialMaker | CommitteeMaker:
        directory = "" if self.members > 1 else self.directory
        one: PotentialMaker | LinearPotentialMaker
        if self.kind == "linear":
            one = LinearPotentialMaker(
                basis=self.basis, energy_weight=self.energy_weight, directory=directory, threads=self.threads,
                pool=self.pool, walltime=self.walltime, memory=self.memory,
                seed=int(self.settings.get("seed", 0)) if self.members > 1 else None,
            )  # fmt: skip
        else:
            architecture = self.architecture
            if self.start:
                from zonemelt.tasks.potentials.fitting.start import start_of

                architecture = {"cutoff": start_of(self.start).architecture.cutoff}
            one = PotentialMaker(
                architecture=architecture, loss=self.loss, start=self.start, double=self.double,
                **self.shared(name="train", directory=directory),
            )  # fmt: skip
        if self.members == 1:
            return one
        return CommitteeMaker(train=one, members=self.members, directory=self.directory)


def _check_forces(opened: Dataset, rows: Any) -> None:
    """Refuse to train on what has no forces.

    Raises:
        InputError: none of the training records has any.
    """
    forces = opened.frame(["max_force"])["max_force"].to_numpy(float)[rows]
    if not np.isfinite(forces).any():
        raise InputError(
            "no training record has forces",
            where=str(opened.directory),
            remedy="a potential learns from forces: ingest calculations with theirs",
        )
