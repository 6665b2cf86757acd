"""Jobs that run as several processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from jobflow import job

from zonemelt.tasks.errors import InputError


@job
def sum_of_ranks() -> dict[str, int]:
    """Sum the ranks over MPI's world."""
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    return {"sum": world.allreduce(world.Get_rank() + 1), "size": world.Get_size(), "rank": world.Get_rank()}


@job
def reduced_by_torch(values: list[float]) -> dict[str, Any]:
    """Each rank contributes its value to a sum over torch.distributed."""
    import torch
    import torch.distributed as dist

    dist.init_process_group("gloo")
    mine = torch.tensor(values[dist.get_rank()], dtype=torch.float64)
    dist.all_reduce(mine)
    size = dist.get_world_size()
    dist.destroy_process_group()
    return {
        "sum": float(mine),
        "size": size,
        "threads": os.environ["OMP_NUM_THREADS"],
        "backend": os.environ["ZONEMELT_BACKEND"],
    }


@job
def a_rank_is_lost(folder: str) -> str:
    """The first time it runs, rank 1 is killed, and rank 0 notices as a rank of torch does."""
    from zonemelt.tasks.train.ranks import LostRankError

    rank, first = os.environ["RANK"], not Path(folder, f"rank {os.environ['RANK']}").exists()
    Path(folder, f"rank {rank}").touch()
    if first and rank == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    if first:
        raise LostRankError("connection closed by peer")
    return "came through"


@job
def one_rank_complains() -> None:
    """Rank 1 says what is wrong; rank 0 only waits."""
    if os.environ["RANK"] == "1":
        raise InputError("the label is infinite", where="m7", remedy="leave it out")
    time.sleep(60)


@job
def what_ranks_are_told() -> str:
    """When the job must have ended."""
    return os.environ["ZONEMELT_DEADLINE"]


@job
def one_rank_dies(launcher: str) -> str:
    """Rank 1 ends without a word."""
    rank = os.environ.get("RANK") or os.environ.get("OMPI_COMM_WORLD_RANK") or os.environ.get("PMI_RANK")
    if rank == "1":
        print(f"rank 1 of {launcher} is about to die", flush=True)
        os._exit(7)
    if launcher == "mpi":
        from mpi4py import MPI

        MPI.COMM_WORLD.Barrier()
    return "rank 0 came through"
