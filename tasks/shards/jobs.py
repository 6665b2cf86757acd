"""Write shards as jobs: one a shard, or one of many ranks that share the shards."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import job

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.graphs import Edges
from zonemelt.tasks.shards.files import Entry, write_shard
from zonemelt.tasks.shards.shard_set import ShardSet, write_index
from zonemelt.tasks.shards.sources import of_dataset, of_geometries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zonemelt.tasks.shards.sources import Source


def chunks(dataset: str, version: str, *, records: int, graphs: int) -> list[dict[str, Any]]:
    """Cut a dataset into sources of as many ``graphs`` each."""
    return [
        {"dataset": dataset, "version": version, "start": start, "stop": min(start + graphs, records)}
        for start in range(0, records, graphs)
    ]


def _read(source: Mapping[str, Any]) -> Source:
    if "geometries" in source:
        return of_geometries(source["geometries"])
    return of_dataset(source["dataset"], source["version"], source["start"], source["stop"])


def shard_of(source: Mapping[str, Any], *, edges: Edges, directory: Path) -> Entry:
    """Write the shard of a source.

    Args:
        source: ``geometries``, or ``dataset`` with ``version``, ``start`` and ``stop``.
        edges: which edges the graphs have.
        directory: of the shards.

    Raises:
        InputError: a structure cannot be searched; the error says which.
        StoreError: the dataset is damaged, or the shard cannot be written.
    """
    found = _read(source)
    try:
        return write_shard(directory, found.crystals, edges, labels_G=found.labels_G, labels_A=found.labels_A)
    except InputError as error:
        about = f"{source['dataset']} from row {source['start']}" if "dataset" in source else "geometries"
        raise InputError(error.what, where=f"{about}: {error.where}", remedy=error.remedy) from error


def _summary(directory: Path, name: str) -> dict[str, Any]:
    found = ShardSet(directory)
    return {
        "directory": str(directory),
        "name": name,
        "shards": len(found.entries),
        "graphs": len(found),
        "atoms": int(found.atoms_G.sum()),
        "edges": int(found.edges_G.sum()),
        "nbytes": sum({entry.name: entry.nbytes for entry in found.entries}.values()),
    }


@job
def shard_job(*, source: dict[str, Any], edges: dict[str, Any], directory: str) -> dict[str, Any]:
    """Write one shard; done again, it finds the shard there.

    Args:
        source: see :func:`shard_of`.
        edges: an :class:`Edges` as a dictionary.
        directory: of the shards, on a file system that all workers see.

    Returns:
        The :class:`Entry` as a dictionary.
    """
    return asdict(shard_of(source, edges=Edges(**edges), directory=Path(directory)))


@job
def index_job(*, entries: list[dict[str, Any]], directory: str) -> dict[str, Any]:
    """Make the shards one set, in the order of the entries.

    Returns:
        ``directory``, ``name`` (the hash of the set), and how many ``shards``, ``graphs``, ``atoms``,
        ``edges`` and ``nbytes`` there are.
    """
    name = write_index(Path(directory), [Entry(**entry) for entry in entries])
    return _summary(Path(directory), name)


@job
def shards_of_ranks_job(
    *, sources: list[dict[str, Any]], edges: dict[str, Any], directory: str
) -> dict[str, Any]:
    """Write all shards and their index as one job of many MPI ranks, each with shards of its own.

    Returns:
        What :func:`index_job` returns, to every rank.

    Raises:
        ZonemeltError: what went wrong on one of the ranks, raised on all.
    """
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    rank, ranks = world.Get_rank(), world.Get_size()
    outcome: list[Entry] | Exception
    try:
        outcome = [
            shard_of(source, edges=Edges(**edges), directory=Path(directory))
            for source in sources[rank::ranks]
        ]
    except Exception as error:  # noqa: BLE001 (the others wait for this rank, whatever happened to it)
        outcome = error
    found = world.allgather(outcome)
    for one in found:
        if isinstance(one, Exception):
            raise one
    failure: Exception | None = None
    if rank == 0:
        try:
            write_index(
                Path(directory), [found[number % ranks][number // ranks] for number in range(len(sources))]
            )
        except Exception as error:  # noqa: BLE001 (as above)
            failure = error
    if (failure := world.bcast(failure)) is not None:
        raise failure
    path = Path(directory)
    return _summary(path, ShardSet(path).name)
