"""Running out of memory: what says so, and giving back what a failed attempt held."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from zonemelt.tasks.errors import JobError

if TYPE_CHECKING:
    import torch

_OF_THE_PROCESSOR = "DefaultCPUAllocator: can't allocate memory"  # torch raises a plain RuntimeError there


class TooLargeError(JobError):
    """A step does not fit into memory, in smaller parts neither."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is used up: that of an accelerator, or of the processor."""
    import torch

    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and _OF_THE_PROCESSOR in str(error)


def give_back(device: torch.device) -> None:
    """Free what is not used any more, so that a smaller attempt finds memory in one piece.

    To be called outside of ``except``: an error that is being handled holds the tensors of its frames.
    """
    import torch

    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "xpu":
        torch.xpu.empty_cache()
