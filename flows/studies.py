"""Study a table of materials with classical models: whole compounds left out, settings chosen inside."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jobflow import Flow, Maker, Response, job

from zonemelt.flows.benchmark import BenchmarkMaker, check_seeds
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.learn.shallow import ModelSpec
from zonemelt.tasks.learn.studies import check_models, linear_law_job, rows_of_csv, table_of_rows


@dataclass
class StudyMaker(Maker):
    """Compare models on a CSV; where ``linear`` is one of them, its law in the units of the columns is given.

    Args:
        name: of the study.
        table: path of the CSV, or of a gzipped one.
        target: column of the property.
        unit: of the property.
        group: column that says which rows belong together: those of one compound are never parted.
        columns: of the features; all others where there are none.
        folds: outer ones, of whole groups.
        models: see :class:`.BenchmarkMaker`, as the rest.
        seeds: of folds and models; the folds are those of the first.
        inner: folds within the training rows.
        importance: how often each column is permuted; 0 for not at all.
        published: rows with ``algorithm``, ``mae``, ``source``, and ``std`` where it is known.
    """

    name: str = "study"
    table: str = ""
    target: str = ""
    unit: str = ""
    group: str = ""
    columns: list[str] = field(default_factory=list)
    folds: int = 5
    models: list[Any] = field(default_factory=lambda: ["linear", "extra_trees"])
    seeds: list[int] = field(default_factory=lambda: [0])
    inner: int = 5
    importance: int = 0
    published: list[dict[str, Any]] = field(default_factory=list)

    def make(self) -> Flow:
        """Build the graph: a job that reads the table and becomes the comparison.

        Raises:
            UnknownKeyError: a model is not known.
            InputError: the path, the target or the group is not said, there is no such file, or no seed.
        """
        for key in ("table", "target", "group"):
            if not getattr(self, key):
                raise InputError(f"'{key}' is not said", where=self.name, remedy=f"give {key}")
        check_seeds(self.seeds)
        if not Path(self.table).is_file():
            raise InputError(
                "there is no such file",
                where=f"{self.name}: {self.table}",
                remedy="give a table that is there",
            )
        check_models(self.models)
        first = study_job(
            study={
                **{key: value for key, value in self.as_dict().items() if not key.startswith("@")},
                "table": str(Path(self.table).absolute()),
            }
        )
        first.name = "read the table"
        first.metadata.update({"campaign": self.name, "step": "read"})
        return Flow([first], output=first.output, name=self.name)


@job
def study_job(*, study: dict[str, Any]) -> Response[Any]:
    """Read a table and become the jobs that compare models on it.

    Rows that lack a number are left out; ``refused`` in the metadata of the table says which, and why.

    Args:
        study: the fields of a :class:`StudyMaker`.

    Raises:
        InputError: the table cannot be read, or lacks a column.
    """
    document, refused = table_of_rows(
        rows_of_csv(Path(study["table"])), target=study["target"], unit=study["unit"], group=study["group"],
        columns=study["columns"], folds=study["folds"], seed=study["seeds"][0],
    )  # fmt: skip
    document["folds"] = [int(fold) for fold in document["folds"]]
    shared = ("name", "models", "seeds", "inner", "importance", "published")
    flow = BenchmarkMaker(**{key: study[key] for key in shared}).make(document)
    if any(one.family == "linear" for one in map(ModelSpec.of, study["models"])):
        law = linear_law_job(table=flow.jobs[0].output)
        law.name = "linear law"
        law.metadata.update({"campaign": study["name"], "step": "law"})
        flow.add_jobs(law)
    flow.jobs[0].metadata["refused"] = [asdict(one) for one in refused]
    return Response(replace=flow)
