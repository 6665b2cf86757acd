"""Safetensors files of ours, mapped into memory: their arrays are views that all readers of a node share."""

from __future__ import annotations

import json
import mmap
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

DTYPES: Final = {
    "BOOL": np.bool_, "U8": np.uint8, "I8": np.int8, "I16": np.int16, "I32": np.int32, "I64": np.int64,
    "F32": np.float32, "F64": np.float64,
}  # fmt: skip


def mapped(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Map a safetensors file of ours into memory.

    Returns:
        What its writer noted, and its arrays.

    Raises:
        StoreError: it is missing, short or damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        # the library knows what a sound file is: an honest header, and every byte accounted for
        with safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {})["zonemelt"])
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError as error:
        raise damaged(path, "is missing") from error
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise damaged(path, f"cannot be read: {error}") from error
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    arrays = {}
    for name, entry in header.items():
        if name != "__metadata__":
            if entry["dtype"] not in DTYPES:
                raise damaged(path, f"holds {name} as {entry['dtype']}, which no writer of ours does")
            shape = tuple(entry["shape"])
            start = 8 + length + entry["data_offsets"][0]
            flat: NDArray[Any] = np.frombuffer(
                content, DTYPES[entry["dtype"]], count=int(np.prod(shape)), offset=start
            )
            arrays[name] = flat.reshape(shape)
    return about, arrays


def damaged(path: Path, what: str) -> StoreError:
    """The one error for a shard or an index that cannot be used."""
    return StoreError(
        what, where=str(path), remedy="delete it and write the shards again: what is sound is kept"
    )
