"""One rank of a multi-rank job: ``python -m zonemelt.workflows.engine.rank ranks.json``."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from zonemelt.tasks.blobs import BlobDirectory
from zonemelt.tasks.train.ranks import LostRankError
from zonemelt.workflows.engine.closure import closure_job_store
from zonemelt.workflows.engine.execute import execute
from zonemelt.workflows.engine.launch import FAILURE_FILE, LOST_FILE, RESULT_FILE
from zonemelt.workflows.engine.results import Chunk
from zonemelt.workflows.engine.retry import failure_of

# What launchers call a rank and its place on its node: ours, srun, MPICH and PALS, Open MPI, Fujitsu's.
_RANK = ("RANK", "SLURM_PROCID", "PMI_RANK", "PALS_RANKID", "OMPI_COMM_WORLD_RANK", "PMIX_RANK")
_LOCAL_RANK = (
    "LOCAL_RANK", "SLURM_LOCALID", "PMI_LOCAL_RANK", "PALS_LOCAL_RANKID", "MPI_LOCALRANKID",
    "OMPI_COMM_WORLD_LOCAL_RANK", "PLE_RANK_ON_NODE",
)  # fmt: skip


def main(path: str) -> None:
    """Run the job; rank 0 writes what it returns.

    Raises:
        RuntimeError: the world is not of the size that was asked for.
    """
    given: dict[str, Any] = json.loads(Path(path).read_text())
    rank, world_size = _position(given["launcher"])
    if world_size != given["world_size"]:
        raise RuntimeError(
            f"this is rank {rank} of {world_size}, the job asked for {given['world_size']}: the MPI "
            "launcher and mpi4py belong to different MPI installations"
        )
    chunk = Chunk.decode(given["chunk"].encode())
    chunk.open_path()
    store = closure_job_store(chunk.outputs, chunk.blobs, known=chunk.additional)
    try:
        result = execute(chunk.tasks[0], BlobDirectory(Path(chunk.directory, "blobs")), store)
    except Exception as error:
        _report(error, given["token"])
        raise
    if rank == 0:
        temporary = Path(f"{RESULT_FILE}.part")
        temporary.write_text(json.dumps({"token": given["token"], "result": result}))
        temporary.replace(RESULT_FILE)


def _report(error: Exception, token: str) -> None:
    """Say of what this rank ends, unless another has done so; that others are gone is said apart."""
    path = Path(LOST_FILE if isinstance(error, LostRankError) else FAILURE_FILE)
    with suppress(FileExistsError), path.open("x") as file:
        json.dump({"token": token, "result": failure_of(error)}, file)


def _position(launcher: str) -> tuple[int, int]:
    """This process's rank and the world size."""
    if launcher == "torch":
        for name, sources in (("RANK", _RANK), ("LOCAL_RANK", _LOCAL_RANK)):
            os.environ[name] = next(os.environ[source] for source in sources if source in os.environ)
        return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    from mpi4py import MPI

    return MPI.COMM_WORLD.Get_rank(), MPI.COMM_WORLD.Get_size()


if __name__ == "__main__":
    main(sys.argv[1])
