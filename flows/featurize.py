"""Turn structures or a dataset into shards of graphs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import Flow, Job, Maker, Response, job

from zonemelt.flows.makers import decoded
from zonemelt.tasks.directories import check_directory
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.graphs import Edges
from zonemelt.tasks.shards.jobs import chunks, index_job, shard_job, shards_of_ranks_job

if TYPE_CHECKING:
    from jobflow import OutputReference


@dataclass
class ShardsMaker(Maker):
    """Wire the writing of shards: a job each and one for the index, or one job of many MPI ranks.

    Args:
        name: of the flow.
        directory: of the shards; absolute, on a file system that all workers see.
        cutoff: longest edge, Å.
        k: edges an atom at most; None for all within the cutoff.
        graphs: in a shard.
        ranks_per_node: of one job that writes all shards; None for a job a shard.
        nodes: of that job.
    """

    name: str = "shards"
    directory: str = ""
    cutoff: float = 8.0
    k: int | None = 12
    graphs: int = 50_000
    ranks_per_node: int | None = None
    nodes: int = 1

    def make(
        self,
        geometries: list[dict[str, Any]] | None = None,
        *,
        dataset: str | None = None,
        version: str | OutputReference | None = None,
    ) -> Flow:
        """Build the graph.

        Args:
            geometries: :class:`zonemelt.tasks.records.Geometry` as dictionaries; or
            dataset: the directory of a dataset,
            version: and which version of it; the newest when the flow runs, where it is not said.

        Returns:
            A flow whose output is what :func:`zonemelt.tasks.shards.jobs.index_job` returns.

        Raises:
            InputError: neither or both are given, the directory is not absolute, or a number is too small.
        """
        if (geometries is None) == (dataset is None):
            raise InputError("give geometries or a dataset", where=self.name, remedy="one of the two")
        check_directory(self.directory)
        if self.graphs < 1:
            raise InputError(f"{self.graphs} graphs in a shard", where=self.name, remedy="give at least one")
        if self.cutoff <= 0 or (self.k is not None and self.k < 1):
            raise InputError(
                f"cutoff {self.cutoff}, k {self.k}",
                where=self.name,
                remedy="give a cutoff above 0 Å, and at least one edge an atom, or null for all",
            )
        if dataset is not None:
            plan = plan_shards_job(maker=self.as_dict(), dataset=dataset, version=version)
            plan.name = "plan shards"
            plan.config.manager_config = {"cache": False}  # the newest version may be another one now
            return Flow([plan], output=plan.output, name=self.name)
        assert geometries is not None
        return self.make_shards([
            {"geometries": geometries[start : start + self.graphs]}
            for start in range(0, len(geometries), self.graphs)
        ])  # fmt: skip

    def make_shards(self, sources: list[dict[str, Any]]) -> Flow:
        """The jobs that write the shards of these sources and their index."""
        edges = asdict(Edges(cutoff=self.cutoff, k=self.k))
        if self.ranks_per_node is not None:
            together = shards_of_ranks_job(sources=sources, edges=edges, directory=self.directory)
            together.name = "write shards"
            resources = {"nodes": self.nodes, "ranks_per_node": self.ranks_per_node}
            together.update_config({"manager_config": resources})
            return Flow([together], output=together.output, name=self.name)
        writing: list[Job] = []
        for number, source in enumerate(sources):
            one = shard_job(source=source, edges=edges, directory=self.directory)
            one.name = f"shard {number}"
            writing.append(one)
        index = index_job(entries=[one.output for one in writing], directory=self.directory)
        index.name = "index shards"
        return Flow([*writing, index], output=index.output, name=self.name)


@job
def plan_shards_job(*, maker: dict[str, Any], dataset: str, version: str | None) -> Response[Any]:
    """Replace this job by those that write the shards: how many is known when the dataset is there."""
    from zonemelt.tasks.datasets import open_dataset

    found = open_dataset(dataset, version)
    made: ShardsMaker = decoded(maker)
    sources = chunks(str(Path(dataset).absolute()), found.version, records=len(found), graphs=made.graphs)
    return Response(replace=made.make_shards(sources))
