"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from typing import TYPE_CHECKING

from zonemelt.tasks.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def whole_file(path: Path, *, private: bool = False) -> Iterator[Path]:
    """A temporary path to write to, which becomes ``path`` when the block ends well, and else is removed.

    Args:
        path: the file.
        private: nobody but its owner may read it, from its first byte on.

    Raises:
        StoreError: the file, or a directory above it, cannot be written.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if private:
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield temporary
        settle(temporary, path)
    except OSError as error:
        raise StoreError(
            f"it cannot be written: {error.strerror or error}",
            where=str(path),
            remedy="is there space, and may you write there?",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def make_private(folder: Path) -> None:
    """Make a folder and those above it that are not there, for their owner only; others stay as they are.

    Raises:
        OSError: it cannot be made.
    """
    if not folder.is_dir():
        make_private(folder.parent)
        with contextlib.suppress(FileExistsError):  # another process was faster
            folder.mkdir(mode=0o700)


def write_whole(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file, and the directories above it, whole or not at all; ``private`` as for :func:`whole_file`.

    Raises:
        StoreError: it cannot be written.
    """
    with whole_file(path, private=private) as temporary:
        temporary.write_bytes(content)


def settle(temporary: Path, target: Path) -> None:
    """Give a finished file its name, on disk before this returns.

    Raises:
        OSError: it cannot be done.
    """
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(target)
    settle_names(target.parent)


def settle_names(folder: Path) -> None:
    """Have the names of the files in a folder on disk before this returns.

    Raises:
        OSError: it cannot be done.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """The digest of a file as it lies there, in hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
