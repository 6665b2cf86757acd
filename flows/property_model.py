"""From a dataset to a judged model: graphs, training, evaluation on the test part."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import Flow

from zonemelt.flows.ensemble import EnsembleMaker
from zonemelt.flows.featurize import ShardsMaker
from zonemelt.flows.train import RanksMaker, TrainMaker
from zonemelt.tasks.directories import check_directory
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.learn.fit_property import fit_property_job
from zonemelt.tasks.learn.nested import Protocol
from zonemelt.tasks.learn.shallow import ModelSpec
from zonemelt.tasks.models.registry import OwnArchitecture
from zonemelt.tasks.train.collection import split_of
from zonemelt.tasks.train.documents import architecture_of, settings_of
from zonemelt.tasks.train.evaluate import judge_job
from zonemelt.tasks.train.heads import head_of
from zonemelt.tasks.train.property_values import read_properties

if TYPE_CHECKING:
    from jobflow import Job

    from zonemelt.tasks.train.property_values import PropertyValues

GRAPHS = "graphs"  # within the directory of the model


@dataclass
class PropertyModelMaker(RanksMaker):
    """Wire what makes one model of properties.

    The job of a classical model takes the pool, the threads and the memory; the rest is of networks.

    Args:
        name: of the campaign.
        dataset: its directory.
        version: of the dataset; a whole hash.
        properties: names, as records have them; see :data:`.property_values.ENERGIES` for energies.
        model: an architecture with its settings (``{"architecture": "cogn", "width": 64}``), or a classical
            model of compositions (``{"family": "extra_trees"}``), which learns one property.
        settings: of the training of a network, see :class:`.TrainSettings`; of a classical model, see
            :class:`.Protocol`.
        split: see :func:`.split_of`.
        directory: of the model; absolute.
        graphs: directory of the shards, to be shared among models; within that of the model by default.
        ignoring: fields of the level of theory that may differ among the records with one property.
        loss: of a network, see :func:`.head_of`.
        members: networks that differ by their seed and are one model; see :class:`.EnsembleMaker`.
    """

    name: str = "train"
    dataset: str = ""
    version: str = ""
    properties: list[str] = field(default_factory=list)
    model: dict[str, Any] = field(default_factory=lambda: {"architecture": "cogn"})
    split: dict[str, Any] = field(default_factory=dict)
    graphs: str = ""
    ignoring: list[str] = field(default_factory=list)
    loss: str | dict[str, Any] = "mae"
    members: int = 1

    def make(self) -> Flow:
        """Build the graph; what is wrong with the dataset, the split or the model is said here.

        Raises:
            InputError: a path is not absolute, a property is absent or cannot be learnt, a part of the split
                is empty, or the model or a setting is not known.
        """
        values = self._values()
        split_of(self.split, values)
        made = self._classical() if "family" in self.model else self._network()
        last = judge_job(
            model=self.directory,
            dataset=self.dataset,
            version=self.version,
            properties=self.properties,
            split=self.split,
            ignoring=self.ignoring,
            trained=made[-1].output,
        )
        last.name = "judge"
        last.update_config({"manager_config": {"cache": False}})  # it writes into the directory of the model
        return Flow([*made, last], output=last.output, name=self.name)

    def _values(self) -> PropertyValues:
        from zonemelt.tasks.datasets import open_dataset

        check_directory(self.dataset, where="dataset")
        check_directory(self.directory)
        return read_properties(
            open_dataset(self.dataset, self.version), self.properties, ignoring=self.ignoring
        )

    def _network(self) -> list[Job | Flow]:
        architecture, settings = architecture_of(self.model), settings_of(self.settings)
        if isinstance(architecture, OwnArchitecture):
            self._try(architecture)
        shards = ShardsMaker(
            directory=self.graphs or str(Path(self.directory, GRAPHS)),
            cutoff=architecture.cutoff,
            k=architecture.k,
        ).make(dataset=self.dataset, version=self.version)
        collection = {
            "shards": shards.output["directory"],
            "dataset": self.dataset,
            "version": self.version,
            "properties": self.properties,
            "ignoring": self.ignoring,
        }
        alone = TrainMaker(
            architecture=architecture.model_dump(mode="json"),
            loss=self.loss,
            **self.shared(name="train", directory="", settings=settings.model_dump(mode="json")),
        )
        trained: TrainMaker | EnsembleMaker = replace(alone, directory=self.directory)
        if self.members > 1:
            trained = EnsembleMaker(train=alone, members=self.members, directory=self.directory)
        made = trained.make(collection, self.split)
        return [shards, made]

    def _try(self, architecture: OwnArchitecture) -> None:
        """Ask a network of one's own about the first crystals."""
        from zonemelt.tasks.crystals import Crystals
        from zonemelt.tasks.datasets import open_dataset
        from zonemelt.tasks.models.own import try_on

        records = islice(open_dataset(self.dataset, self.version).records(), 2)
        crystals = Crystals.of_atoms([record.geometry.atoms() for record in records])
        try_on(architecture, crystals, outputs=len(self.properties) * head_of(self.loss).outputs)

    def _classical(self) -> list[Job | Flow]:
        ModelSpec.of(self.model)
        for key in self.settings:
            if key not in Protocol.__dataclass_fields__:
                raise UnknownKeyError.of(key, Protocol.__dataclass_fields__, where="settings")
        for many, what in ((len(self.properties), "properties"), (self.members, "members")):
            if many > 1:
                raise InputError(
                    f"{many} {what}",
                    where=f"model {self.model['family']}",
                    remedy="a classical model learns one property, and has deviations without others",
                )
        fitted = fit_property_job(
            dataset=self.dataset,
            version=self.version,
            name=self.properties[0],
            model=self.model,
            split=self.split,
            protocol=self.settings,
            ignoring=self.ignoring,
            directory=self.directory,
        )
        fitted.name = "fit"
        resources = {name: getattr(self, name) for name in ("pool", "threads", "memory")}
        resources["cache"] = False  # a result without its directory would be of no use
        fitted.update_config({"manager_config": resources})
        return [fitted]
