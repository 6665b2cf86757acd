"""The processes that train together: who this one is, and sums over all of them."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import SiteError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import torch

BACKEND_VARIABLE = "ZONEMELT_BACKEND"  # set by the launcher of multi-rank jobs, as the site says


_GLOO = "gloo/transport"  # where its plain RuntimeErrors say that they come from


class LostRankError(SiteError):
    """Another rank is gone; what became of it, this one does not know."""


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """This process among those that train together.

    Attributes:
        rank: its number among all, from 0; rank 0 writes.
        world_size: how many there are.
        local_rank: its number on its node, from 0; never to be taken for ``rank``.
        device: where it computes.
    """

    rank: int
    world_size: int
    local_rank: int
    device: torch.device

    @property
    def writes(self) -> bool:
        """Whether this is the one that writes files."""
        return self.rank == 0

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """The sum of a tensor over all ranks; in place."""
        import torch.distributed as dist

        if self.world_size > 1:
            dist.all_reduce(values)
        return values

    def share(self, values: torch.Tensor) -> None:
        """Put what rank 0 has into the tensor of every rank."""
        import torch.distributed as dist

        if self.world_size > 1:
            dist.broadcast(values, 0)

    def gather(self, thing: Any) -> list[Any]:
        """What each rank has, in order of rank; on every rank. Plain data only: it travels pickled."""
        import torch.distributed as dist

        if self.world_size == 1:
            return [thing]
        found: list[Any] = [None] * self.world_size
        dist.all_gather_object(found, thing)
        return found

    def barrier(self) -> None:
        """Wait for all ranks."""
        import torch.distributed as dist

        if self.world_size > 1:
            dist.barrier()


@contextmanager
def joined(*, device: str = "auto", environment: Mapping[str, str] = os.environ) -> Iterator[Ranks]:
    """Join the other processes for the duration of the block; alone where nothing says that there are any.

    RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT say who there is, as torchrun sets them and the
    launcher of multi-rank jobs does under srun, PALS and MPI. The backend is the site's; without one it is
    nccl (which is RCCL on AMD) for CUDA devices, xccl for Intel's and gloo for the processor.

    Args:
        device: ``cpu``, ``cuda``, ``xpu``, or ``auto`` for the best that is there; with several on a node,
            each rank takes the one of its local rank.
        environment: what the launcher has set.

    Raises:
        SiteError: the device is not there.
        LostRankError: the connection to another rank broke.
    """
    import torch
    import torch.distributed as dist

    world_size = int(environment.get("WORLD_SIZE", "1"))
    rank, local_rank = int(environment.get("RANK", "0")), int(environment.get("LOCAL_RANK", "0"))
    kind = _device_kind(device)
    place = torch.device(kind) if kind == "cpu" else torch.device(kind, local_rank % _count(kind))
    if kind == "cuda":
        os.environ.setdefault(
            "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
        )  # without it, products differ from run to run
        torch.cuda.set_device(place)
    started = world_size > 1 and not dist.is_initialized()
    try:
        if started:
            backend = environment.get(BACKEND_VARIABLE) or {"cuda": "nccl", "xpu": "xccl"}.get(kind, "gloo")
            dist.init_process_group(
                "nccl" if backend == "rccl" else backend,
                store=_loopback_store(environment), rank=rank, world_size=world_size,
            )  # fmt: skip
        yield Ranks(rank=rank, world_size=world_size, local_rank=local_rank, device=place)
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or _GLOO in str(error):
            raise LostRankError(
                f"rank {rank} of {world_size} lost another: {str(error).splitlines()[0]}",
                where="torch.distributed",
                remedy="the output of the job says which rank ended first, and of what",
            ) from error
        raise
    finally:
        if started and dist.is_initialized():
            dist.destroy_process_group()


def _loopback_store(environment: Mapping[str, str]) -> Any:
    """Where ranks of one node meet, heard on the loopback interface alone; None: torch makes it.

    What torch makes listens on every interface, to whoever on the network asks.
    """
    import torch.distributed as dist

    host = environment.get("MASTER_ADDR", "")
    if host != "127.0.0.1" or environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        return None
    port, first = int(environment["MASTER_PORT"]), environment.get("RANK", "0") == "0"
    listening = socket.create_server((host, port)).detach() if first else None
    return dist.TCPStore(  # type: ignore[attr-defined]
        host, port, int(environment["WORLD_SIZE"]), is_master=first, master_listen_fd=listening
    )


def _device_kind(device: str) -> str:
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "xpu": torch.xpu.is_available()}
    if device == "auto":
        return next(kind for kind in ("cuda", "xpu", "cpu") if there[kind])
    if not there.get(device):
        raise SiteError(
            f"there is no device '{device}'",
            where="train.device",
            remedy=f"here are {', '.join(kind for kind, is_there in there.items() if is_there)}",
        )
    return device


def _count(kind: str) -> int:
    import torch

    return torch.cuda.device_count() if kind == "cuda" else torch.xpu.device_count()
