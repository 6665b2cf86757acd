"""The protocol of Matbench as a graph: every fold, model and seed is a job of its own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from jobflow import Flow, Job, Maker

from zonemelt.flows.train import TrainMaker
from zonemelt.tasks.directories import check_directory
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.learn.nested import evaluate_job
from zonemelt.tasks.learn.property_table import composition_table_job, property_table_job
from zonemelt.tasks.learn.stacking import stack_job
from zonemelt.tasks.learn.studies import check_models
from zonemelt.tasks.metrics.leaderboard import STACKED, summarize_benchmark_job
from zonemelt.tasks.train.fold_result import (
    fold_result_job,
    mean_of_seeds_job,
    rows_tested,
    split_of_fold,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass
class BenchmarkMaker(Maker):
    """Compare classical models on one property, over given outer folds.

    Settings are chosen inside the training rows of each fold (see :mod:`.nested`); the weights of the
    stacked model come from there too.

    Args:
        name: of the task; in the metadata of every job, next to its ``step``.
        models: each the name of a family, or a document as :meth:`.ModelSpec.of` reads it.
        seeds: the whole is repeated with each.
        inner: folds within the training rows.
        coverage: that the conformal intervals promise.
        recalibration: of deviations, ``scale``, ``affine`` or ``isotonic``; see :func:`.recalibrate`.
        importance: how often each column is permuted; 0 for not at all.
        stack: whether to add the weighted mean of all models.
        published: rows with ``algorithm``, ``mae``, ``source``, and ``std`` where it is known.
    """

    name: str = "benchmark"
    models: list[Any] = field(default_factory=lambda: ["ridge", "svr", "extra_trees"])
    seeds: list[int] = field(default_factory=lambda: [0])
    inner: int = 5
    coverage: float = 0.9
    recalibration: Literal["scale", "affine", "isotonic"] = "scale"
    importance: int = 0
    stack: bool = True
    published: list[dict[str, Any]] = field(default_factory=list)

    def make(self, table: Mapping[str, Any]) -> Flow:
        """Build the graph for a table of features, as :meth:`.PropertyTable.of` reads it."""
        first = self._step(property_table_job(table=dict(table)), "table")
        return self._flow(first, folds=table["folds"], unit=table["unit"])

    def make_of_formulas(
        self,
        formulas: Sequence[str],
        target: Sequence[float],
        folds: Sequence[int],
        *,
        unit: str,
        blocks: Sequence[str] = ("fractions", "magpie"),
        bounds: Sequence[float | None] = (None, None),
    ) -> Flow:
        """Build the graph for formulas; their features are the first job.

        Args:
            formulas: N of them.
            target: the property of each, in ``unit``.
            folds: the outer fold of each.
            unit: of the property.
            blocks: of features, from ``composition_blocks``.
            bounds: the least and the greatest value that the property can have; None for no bound.
        """
        first = self._step(
            composition_table_job(
                formulas=list(formulas), target=list(target), folds=list(folds), unit=unit,
                blocks=list(blocks), bounds=list(bounds),
            ),
            "featurize",
        )  # fmt: skip
        return self._flow(first, folds=folds, unit=unit)

    def _flow(self, first: Job, *, folds: Sequence[int], unit: str) -> Flow:
        """The graph after the job whose output is the table."""
        specs = [{"family": model} if isinstance(model, str) else dict(model) for model in self.models]
        names = check_models(self.models)
        check_seeds(self.seeds)
        jobs: list[Job] = []
        for seed in self.seeds:
            protocol = {
                "inner": self.inner, "seed": seed, "coverage": self.coverage,
                "recalibration": self.recalibration, "importance": self.importance,
            }  # fmt: skip
            for fold in sorted(set(folds)):
                found = []
                for name, spec in zip(names, specs, strict=True):
                    one = evaluate_job(table=first.output, model=spec, fold=int(fold), protocol=protocol)
                    one.name = f"{name} fold {fold} seed {seed}"
                    found.append(self._step(one, "evaluate"))
                jobs += found
                if self.stack and len(found) > 1:
                    results = [one.output for one in found]
                    stacked = stack_job(
                        table=first.output, results=results, coverage=self.coverage,
                        recalibration=self.recalibration,
                    )  # fmt: skip
                    stacked.name = f"{STACKED} fold {fold} seed {seed}"
                    jobs.append(self._step(stacked, "stack"))
        summary = self._step(
            summarize_benchmark_job(
                results=[one.output for one in jobs], task=self.name, unit=unit, published=self.published
            ),
            "summary",
        )
        return Flow([first, *jobs, summary], output=summary.output, name=self.name)

    def _step(self, one: Job, step: str) -> Job:
        return _step(one, step, campaign=self.name)


def check_seeds(seeds: Sequence[int]) -> None:
    """Refuse none, and one that comes twice.

    Raises:
        InputError: naming them.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise InputError(f"seeds {list(seeds)}", where="seeds", remedy="give one or more, each once")


def _step(one: Job, step: str, *, campaign: str) -> Job:
    """Say in the metadata of a job what it belongs to."""
    one.metadata.update({"campaign": campaign, "step": step})
    return one


@dataclass
class NetworkBenchmarkMaker(Maker):
    """Compare graph networks on one property, over given outer folds.

    Each network is trained on the training rows of a fold and then asked for its test rows, once; the means
    over seeds are compared too.

    Args:
        name: of the task; in the metadata of every job, next to its ``step``.
        models: each with ``name`` and what differs from ``train``: ``architecture``, ``settings``, ``loss``.
        train: how and where they are trained; its directory is left out.
        seeds: each network is trained with each.
        directory: absolute; every training has a folder ``MODEL/fold-F-seed-S`` in it, with its card.
        validation: fraction of the training rows of a fold that choose the best epoch and calibrate
            deviations and intervals; 0 trains on all of them.
        coverage: that the conformal intervals promise.
        published: rows with ``algorithm``, ``mae``, ``source``, and ``std`` where it is known.
    """

    name: str = "benchmark"
    models: list[dict[str, Any]] = field(
        default_factory=lambda: [{"name": "cgcnn", "architecture": {"architecture": "cgcnn"}}]
    )
    train: TrainMaker = field(default_factory=TrainMaker)
    seeds: list[int] = field(default_factory=lambda: [0])
    directory: str = ""
    validation: float = 0.0
    coverage: float = 0.9
    published: list[dict[str, Any]] = field(default_factory=list)

    def make(self, collection: Mapping[str, Any], folds: Sequence[int], *, unit: str) -> Flow:
        """Build the graph.

        Args:
            collection: see :func:`zonemelt.tasks.train.collection.read_collection`, with one property; its
                shards have the edges that all models read.
            folds: the test fold of each row; a row below zero takes no part. The official ones come from
                :mod:`zonemelt.tasks.quality.official_folds`.
            unit: of the property.

        Returns:
            A flow whose output is what :func:`.summarize` returns.

        Raises:
            UnknownKeyError: a model has a key that is not known.
            InputError: names, folds, seeds, the directory or something of the trainings cannot be used.
        """
        folder = check_directory(self.directory)
        self._check(collection)
        trainings: list[Flow] = []
        jobs: list[Job] = []
        for model in self.models:
            for fold in sorted({fold for fold in folds if fold >= 0}):
                tested: list[Job] = []
                for seed in self.seeds:
                    split = split_of_fold(folds, fold, validation=self.validation, seed=seed)
                    trained = self._maker(model, folder, fold, seed).make(collection, split)
                    trained.update_metadata({"campaign": self.name, "step": "train"})
                    one = fold_result_job(
                        trained=trained.output, collection=dict(collection), name=model["name"], fold=fold,
                        rows=rows_tested(folds, fold), seed=seed, coverage=self.coverage,
                    )  # fmt: skip
                    one.name = f"test {model['name']} fold {fold} seed {seed}"
                    resources = {"pool": self.train.pool, "threads": self.train.threads}
                    one.update_config({"manager_config": resources})
                    trainings.append(trained)
                    tested.append(_step(one, "test", campaign=self.name))
                jobs += tested
                if len(tested) > 1:
                    mean = mean_of_seeds_job(results=[one.output for one in tested])
                    mean.name = f"mean {model['name']} fold {fold}"
                    jobs.append(_step(mean, "mean", campaign=self.name))
        summary = summarize_benchmark_job(
            results=[one.output for one in jobs], task=self.name, unit=unit, published=self.published
        )
        _step(summary, "summary", campaign=self.name)
        return Flow([*trainings, *jobs, summary], output=summary.output, name=self.name)

    def _maker(self, model: Mapping[str, Any], folder: Path, fold: int, seed: int) -> TrainMaker:
        """The training of a model on a fold with a seed."""
        name = model["name"]
        return replace(
            self.train,
            name=f"train {name} fold {fold} seed {seed}",
            architecture=model.get("architecture", self.train.architecture),
            settings={**self.train.settings, **model.get("settings", {}), "seed": seed},
            loss=model.get("loss", self.train.loss),
            directory=str(folder / name / f"fold-{fold}-seed-{seed}"),
        )

    def _check(self, collection: Mapping[str, Any]) -> None:
        for model in self.models:
            for key in model:
                if key not in _OF_A_NETWORK:
                    raise UnknownKeyError.of(key, _OF_A_NETWORK, where="models")
        names = [model.get("name", "") for model in self.models]
        if not names or len(set(names)) < len(names) or not all(map(_can_be_a_folder, names)):
            raise InputError(
                f"models are called {names}", where="models",
                remedy="give one or more, each with a name of its own that can be that of a folder",
            )  # fmt: skip
        check_seeds(self.seeds)
        if self.train.directory:
            raise InputError(
                f"the trainings have the directory '{self.train.directory}'", where="train",
                remedy="leave it out: each has a folder in that of the benchmark",
            )  # fmt: skip
        if len(collection["properties"]) != 1:
            raise InputError(
                f"properties {list(collection['properties'])}", where="collection",
                remedy="a benchmark is of one property",
            )  # fmt: skip


_OF_A_NETWORK = ("name", "architecture", "settings", "loss")


def _can_be_a_folder(name: str) -> bool:
    return bool(name) and not name.startswith(".") and not set(name) & set("/\\\0")
