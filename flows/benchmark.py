"""The protocol of Matbench as a graph: every fold, model and seed is a job of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from jobflow import Flow, Job, Maker

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.judge.leaderboard import STACKED, summarize_benchmark_job
from zonemelt.tasks.learn.nested import evaluate_job
from zonemelt.tasks.learn.property_table import composition_table_job, property_table_job
from zonemelt.tasks.learn.stacking import stack_job

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


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
        recalibration: of standard deviations, ``scale`` or ``isotonic``; see :func:`.recalibrate`.
        importance: how often each column is permuted; 0 for not at all.
        stack: whether to add the weighted mean of all models.
        published: rows with ``algorithm``, ``mae``, ``source``, and ``std`` where it is known.
    """

    name: str = "benchmark"
    models: list[Any] = field(default_factory=lambda: ["ridge", "svr", "extra_trees"])
    seeds: list[int] = field(default_factory=lambda: [0])
    inner: int = 5
    coverage: float = 0.9
    recalibration: Literal["scale", "isotonic"] = "scale"
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
        names = [spec.get("name", spec.get("family")) for spec in specs]
        if not specs or len({*names, STACKED}) <= len(names):
            raise InputError(
                f"models are called {names}", where="models",
                remedy=f"give one or more, each with a name of its own that is not '{STACKED}'",
            )  # fmt: skip
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
        """Say in the metadata of a job what it belongs to."""
        one.metadata.update({"campaign": self.name, "step": step})
        return one
