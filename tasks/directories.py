"""Directories that jobs share: on a machine they run in directories of their own, on other nodes."""

from __future__ import annotations

from pathlib import Path

from zonemelt.tasks.errors import InputError


def check_directory(directory: str | Path, *, where: str = "directory") -> Path:
    """A directory that jobs share, as a path.

    Args:
        directory: of a training, of a calculation, of a dataset.
        where: what it is called, for the message.

    Raises:
        InputError: it is not absolute.
    """
    if not Path(directory).is_absolute():
        raise InputError(
            f"'{directory}' is not absolute",
            where=where,
            remedy="give an absolute path that all nodes see: jobs run in directories of their own",
        )
    return Path(directory)
