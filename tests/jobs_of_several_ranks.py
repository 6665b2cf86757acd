"""Jobs that run as several processes."""

from __future__ import annotations

import os
from typing import Any

from jobflow import job


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
