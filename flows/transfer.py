"""Pre-train, then fine-tune: a matrix of sources, targets, strategies, sizes and trials, each cell a job.

Every source is pre-trained once and used for all targets. What any target is tested on is left out of it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jobflow import Flow, Job, Maker, OnMissing

from zonemelt.flows.featurize import ShardsMaker
from zonemelt.flows.train import TrainMaker
from zonemelt.tasks.directories import check_directory
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.learn.shallow import ModelSpec
from zonemelt.tasks.learn.trunk_table import learn_from_trunk_job
from zonemelt.tasks.settings import read_settings
from zonemelt.tasks.train.documents import architecture_of, settings_of
from zonemelt.tasks.train.transfer import Transfer
from zonemelt.tasks.train.transfer_jobs import (
    SCRATCH,
    dataset_version_job,
    draw_trials_job,
    drawing_of,
    given_trials_job,
    pretraining_rows_job,
    summarize_transfer_job,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

Made = TypeVar("Made", Job, Flow, Job | Flow)
OTHERS = "others"  # a source: all collections but the target's
_CLASSICAL = ("classical", "compositions")
STRATEGIES: dict[str, dict[str, Any]] = {
    "all": {"strategy": "all"},
    "frozen": {"strategy": "frozen"},
    "new head": {"strategy": "new head"},
    "frozen, new head": {"strategy": "new head", "freeze": True},
    "features": {"classical": {"family": "ridge"}, "compositions": True},
}


@dataclass
class TransferMaker(Maker):
    """Wire a study of transfer.

    Args:
        name: of the study; in the metadata of every job, next to its ``step``.
        train: how networks are trained, on which resources; settings are those of the three below.
        pretrain: settings of the pre-training; the seed must be given.
        scratch: settings of a training from random weights.
        finetune: settings of a training from a pre-trained model.
        strategies: names of :data:`STRATEGIES`; or names of your own with a document each: fields of
            :class:`.Transfer` without the model, and ``settings`` that replace some of ``finetune``; or
            ``classical`` (see :meth:`.ModelSpec.of`) and ``compositions``, to learn from features of the
            trunk.
        by: what a pre-training must not share with a test part, ``composition`` or ``structure``.
        pretrain_size: samples of each collection in a pre-training; None for all.
        pretrain_validation: fraction of them that the best epoch is chosen by.
        each: what weighs the same in a pre-training, every ``label`` (as published) or ``property``.
        weights: of properties in a pre-training.
        own_heads: collections whose properties are not shared with others of the same name.
        directory: of everything; absolute.
    """

    name: str = "transfer"
    train: TrainMaker = field(default_factory=TrainMaker)
    pretrain: dict[str, Any] = field(default_factory=dict)
    scratch: dict[str, Any] = field(default_factory=dict)
    finetune: dict[str, Any] = field(default_factory=dict)
    strategies: list[str] | dict[str, dict[str, Any]] = field(default_factory=lambda: ["all", "features"])
    by: str = "composition"
    pretrain_size: int | None = None
    pretrain_validation: float = 0.05
    each: str = "label"
    weights: dict[str, float] | None = None
    own_heads: list[str] = field(default_factory=list)
    directory: str = ""

    def make(
        self,
        collections: Mapping[str, Mapping[str, Any]],
        sources: Mapping[str, list[str] | str],
        targets: Mapping[str, Mapping[str, Any]],
        *,
        before: list[Job | Flow] | None = None,
    ) -> Flow:
        """Build the graph.

        Args:
            collections: by name; see :func:`.read_collection`, values may be outputs of jobs.
            sources: what is pre-trained on, by name: collections, or ``others`` for all but the target's.
            targets: collection → ``{"draw": …}`` (see :func:`.draw_trials`) or ``{"splits": {size: [split of
                each trial]}}``.
            before: jobs that make the collections.

        Returns:
            A flow whose output is what :func:`.summarize_transfer_job` returns. A pair whose source holds the
            target is left out: a property is not transferred to itself.

        Raises:
            InputError: something given cannot be used, or no pair is left.
            UnknownKeyError: there is no such collection or strategy.
        """
        self._check(collections, sources, targets)
        jobs: list[Job | Flow] = list(before or [])
        for one in jobs:
            self._told(one, "graphs")
        trials = {}
        for target, how in targets.items():
            one = self._trials(collections[target], how)
            jobs.append(self._step(one, f"trials of {target}", "trials"))
            trials[target] = one.output
        models: dict[tuple[str, str], Any] = {}  # source, and the target or none → its model
        rows = []
        cells: list[dict[str, Any]] = []
        results = []
        for target, how in targets.items():
            for source, names in {**sources, "": []}.items():
                if _holds(names, target):
                    continue
                if source and (key := self._key(source, names, target)) not in models:
                    used = (
                        [name for name in collections if name != target] if names == OTHERS else list(names)
                    )
                    tested = [target] if names == OTHERS else list(targets)
                    drawn, made = self._pretrain(
                        " for ".join(filter(None, key)),
                        {name: dict(collections[name]) for name in used},
                        [{"collection": dict(collections[n]), "rows": trials[n]["test"]} for n in tested],
                    )
                    jobs += [drawn, made]
                    rows.append({"source": source, "target": key[1], "samples": drawn.output})
                    models[key] = made.output["folder"]
                model = models[self._key(source, names, target)] if source else None
                for cell, split in self._cells(target, source, how, trials[target]):
                    fitted = self._cell(cell, dict(collections[target]), split, model)
                    jobs.append(fitted)
                    cells.append(cell)
                    results.append(fitted.output)
        self._check_folders(cells, models)
        summary = self._step(
            summarize_transfer_job(cells=cells, results=results, pretrained=rows), "summary", "summary"
        )
        summary.update_config(
            {"on_missing_references": OnMissing.NONE}
        )  # a cell that failed for good is None
        return Flow([*jobs, summary], output=summary.output, name=self.name)

    def _check(
        self,
        collections: Mapping[str, Any],
        sources: Mapping[str, list[str] | str],
        targets: Mapping[str, Any],
    ) -> None:
        check_directory(self.directory)
        architecture_of(self.train.architecture)
        for settings in (self.pretrain, self.scratch, self.finetune):
            settings_of(settings)
        for name in self.strategies:
            self._check_strategy(name)
        for source, names in sources.items():
            if isinstance(names, str) and names != OTHERS:
                raise InputError(
                    f"'{names}'",
                    where=f"source {source}",
                    remedy=f"give a list of collections, or '{OTHERS}'",
                )
        used = [name for names in sources.values() if names != OTHERS for name in names]
        for name in [*targets, *used, *self.own_heads]:
            if name not in collections:
                raise UnknownKeyError.of(name, collections, where="collections of sources and targets")
        if not any(not _holds(names, target) for names in sources.values() for target in targets):
            raise InputError(
                f"sources {', '.join(sources) or 'none'}, targets {', '.join(targets) or 'none'}",
                where=self.name,
                remedy="give a target, and a source that does not hold it",
            )

    def _check_strategy(self, name: str) -> None:
        """Refuse a strategy that would fail when everything is pre-trained."""
        if not isinstance(self.strategies, dict):
            if name not in STRATEGIES:
                raise UnknownKeyError.of(name, STRATEGIES, where="strategies")
            return
        how, where = dict(self.strategies[name]), f"strategy {name}"
        if "classical" not in how:
            settings_of({**self.finetune, **how.pop("settings", {})})
            read_settings(Transfer, {**how, "model": Path(self.directory)}, where=where)
            return
        for key in how:
            if key not in _CLASSICAL:
                raise UnknownKeyError.of(key, _CLASSICAL, where=where)
        ModelSpec.of(how["classical"])

    def _check_folders(self, cells: list[dict[str, Any]], models: Mapping[tuple[str, str], Any]) -> None:
        """Refuse names that differ by signs which no folder has: trainings would go on from one another."""
        places = [_place(cell) for cell in cells] + [_folder(" for ".join(key)) for key in models]
        if twice := [one for one, times in Counter(places).items() if times > 1]:
            raise InputError(
                f"two trainings would lie in '{twice[0] if isinstance(twice[0], str) else twice[0][-1]}'",
                where=f"names in {self.name}",
                remedy="choose names of targets, sources and strategies that differ by letters or digits",
            )

    def _trials(self, collection: Mapping[str, Any], how: Mapping[str, Any]) -> Job:
        if set(how) == {"draw"}:
            return draw_trials_job(collection=dict(collection), draw=drawing_of(how["draw"]))
        if set(how) == {"splits"}:
            return given_trials_job(collection=dict(collection), splits=_texts(how["splits"]))
        raise InputError(f"it has {', '.join(how)}", where="targets", remedy="give either 'draw' or 'splits'")

    def _key(self, source: str, names: list[str] | str, target: str) -> tuple[str, str]:
        return source, target if names == OTHERS else ""

    def _pretrain(
        self, name: str, collections: dict[str, Any], tested: list[dict[str, Any]]
    ) -> tuple[Job, Flow]:
        """The rows, and the model."""
        drawn = pretraining_rows_job(
            collections=collections, tested=tested, by=self.by, size=self.pretrain_size,
            validation=self.pretrain_validation, seed=self.pretrain["seed"],
        )  # fmt: skip
        self._step(drawn, f"samples of {name}", "pre-train")
        own = [one for one in self.own_heads if one in collections]
        made = replace(
            self.train, name=f"pre-train {name}", settings=self.pretrain, each=self.each,
            weights=self.weights, directory=str(Path(self.directory, "pretrained", _folder(name))),
        ).make({"joined": collections, "own_heads": own}, drawn.output["split"])  # fmt: skip
        return drawn, self._told(made, "pre-train")

    def _cells(
        self, target: str, source: str, how: Mapping[str, Any], trials: Any
    ) -> list[tuple[dict[str, Any], Any]]:
        sizes = (
            {str(size): drawing_of(how["draw"])["trials"] for size in how["draw"]["sizes"]}
            if "draw" in how
            else {str(size): len(found) for size, found in how["splits"].items()}
        )
        strategies = list(self.strategies) if source else [SCRATCH]
        return [
            (
                {"target": target, "size": int(size), "source": source, "strategy": strategy, "trial": trial},
                trials["trials"][size][trial],
            )
            for size, count in sizes.items()
            for strategy in strategies
            for trial in range(count)
        ]  # fmt: skip

    def _cell(self, cell: dict[str, Any], collection: dict[str, Any], split: Any, model: Any) -> Job | Flow:
        """One training, or one classical model of the features of a trunk."""
        name = _name(cell)
        folder = str(Path(self.directory, *_place(cell)))
        if cell["strategy"] == SCRATCH:
            settings = self._seeded(self.scratch, cell["trial"])
            made = replace(self.train, name=name, settings=settings, directory=folder)
            return self._told(made.make(collection, split), SCRATCH)
        how = dict(
            self.strategies[cell["strategy"]]
            if isinstance(self.strategies, dict)
            else STRATEGIES[cell["strategy"]]
        )
        if "classical" in how:
            learned = learn_from_trunk_job(
                model=model, collection=collection, split=split, classical=how["classical"],
                compositions=how.get("compositions", False), seed=cell["trial"],
            )  # fmt: skip
            return self._step(learned, name, "features")
        settings = self._seeded({**self.finetune, **how.pop("settings", {})}, cell["trial"])
        made = replace(
            self.train, name=name, settings=settings, directory=folder, transfer={"model": model, **how}
        )
        return self._told(made.make(collection, split), "fine-tune")

    def _seeded(self, settings: dict[str, Any], trial: int) -> dict[str, Any]:
        return {**settings, "seed": settings["seed"] + trial}

    def _step(self, one: Job, name: str, step: str) -> Job:
        one.name = name
        self._told(one, step)
        return one

    def _told(self, made: Made, step: str) -> Made:
        """Say in the metadata of each job what it belongs to."""
        metadata = {"campaign": self.name, "step": step}
        made.update_metadata(metadata, dynamic=True)
        return made


def _holds(names: list[str] | str, target: str) -> bool:
    """Whether a source is trained on the labels of a target."""
    return names != OTHERS and target in names


def _name(cell: Mapping[str, Any]) -> str:
    """What the job of a cell is called."""
    keys = ("target", "size", "source", "strategy", "trial")
    return " ".join(str(cell[key]) for key in keys if cell[key] != "")


def _place(cell: Mapping[str, Any]) -> tuple[str, ...]:
    """Where a cell lies in the directory of the study."""
    return "cells", _folder(cell["target"]), str(cell["size"]), _folder(_name(cell))


def _folder(name: str) -> str:
    """A name that can be a folder."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)


def _texts(splits: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(size): list(found) for size, found in splits.items()}


def transfer_campaign(
    *,
    directory: str,
    datasets: dict[str, dict[str, Any]],
    sources: dict[str, list[str] | str] | None = None,
    targets: dict[str, dict[str, Any]] | None = None,
    draw: dict[str, Any] | None = None,
    architecture: dict[str, Any] | None = None,
    resources: dict[str, Any] | None = None,
    **study: Any,
) -> Flow:
    """A study from datasets: their graphs, the pre-trainings, the matrix, the summary.

    Args:
        directory: of graphs and models; absolute, on a file system that all nodes see.
        datasets: name → ``path`` (absolute), ``property``, and where wanted ``version`` (the newest
            otherwise) and ``ignoring`` (see :class:`.Collection`).
        sources: see :meth:`TransferMaker.make`; each dataset alone where nothing is said.
        targets: see there; all datasets where nothing is said, with
        draw: the trials of each target for which nothing else is said; see :func:`.draw_trials`.
        architecture: of all networks.
        resources: of every training: fields of :class:`.TrainMaker` such as ``nodes`` and ``pool``.
        study: fields of :class:`TransferMaker`.

    Raises:
        InputError: something given cannot be used.
        UnknownKeyError: there is no such field.
    """
    network = architecture_of(architecture or {"architecture": "cogn"})
    for given, kind, where in (
        (resources or {}, TrainMaker, "resources"),
        (study, TransferMaker, "arguments"),
    ):
        for key in given:
            if key not in kind.__dataclass_fields__:
                raise UnknownKeyError.of(key, kind.__dataclass_fields__, where=where)
    before: list[Job | Flow] = []
    collections: dict[str, dict[str, Any]] = {}
    for name, one in datasets.items():
        for key in one:
            if key not in {"path", "property", "version", "ignoring"}:
                raise UnknownKeyError.of(
                    key, ("path", "property", "version", "ignoring"), where=f"dataset {name}"
                )
        pinned = dataset_version_job(dataset=one["path"], version=one.get("version"))
        pinned.name = f"version of {name}"
        version = pinned.output
        shards = ShardsMaker(
            name=f"graphs of {name}", directory=str(Path(directory, "graphs", _folder(name))),
            cutoff=network.cutoff, k=network.k,
        ).make(dataset=one["path"], version=version)  # fmt: skip
        before += [pinned, shards]
        collections[name] = {
            "shards": shards.output["directory"], "dataset": one["path"], "version": version,
            "properties": [one["property"]], "ignoring": one.get("ignoring", []),
        }  # fmt: skip
    chosen: dict[str, dict[str, Any]] = targets or {name: {} for name in datasets}
    maker = TransferMaker(
        directory=directory,
        train=TrainMaker(architecture=network.model_dump(mode="json"), **(resources or {})),
        **study,
    )
    return maker.make(
        collections,
        sources or {name: [name] for name in datasets},
        {name: dict(how) or {"draw": dict(draw or {})} for name, how in chosen.items()},
        before=before,
    )
