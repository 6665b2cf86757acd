"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from zonemelt.tasks.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, and the directories above it, whole or not at all.

    Raises:
        StoreError: it cannot be written.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        settle(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(
            f"it cannot be written: {error.strerror}",
            where=str(path),
            remedy="is there space, and may you write there?",
        ) from error


def settle(temporary: Path, target: Path) -> None:
    """Give a finished file its name, on disk before this returns.

    Raises:
        OSError: it cannot be done.
    """
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
