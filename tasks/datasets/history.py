"""The versions of a dataset, one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zonemelt.tasks.datasets.dataset import open_dataset
from zonemelt.tasks.datasets.versions import VERSIONS, entries, read_version


def history(directory: Path | str) -> list[dict[str, Any]]:
    """Every version: what it holds, why it was made, on which it builds.

    Args:
        directory: of the dataset.

    Returns:
        A dictionary each: those that were the newest once in the order in which they were, then those that
        were made aside; ``newest`` and ``aside`` say which are which.

    Raises:
        InputError: there is no dataset.
        StoreError: a version is damaged.
    """
    directory = Path(directory)
    newest = open_dataset(directory).version
    log = entries(directory)
    entered = {entry["version"] for entry in log}
    found = [_line(directory, entry["version"], entry["message"], entry["created"]) for entry in log]
    found[-1]["newest"] = found[-1]["version"] == newest
    for path in sorted((directory / VERSIONS).glob("*.json")):
        if path.stem not in entered and not path.name.startswith("."):
            version = read_version(directory, path.stem)
            aside = _line(directory, path.stem, version.message, version.created.isoformat())
            found.append(aside | {"aside": True})
    return found


def _line(directory: Path, name: str, message: str, created: str) -> dict[str, Any]:
    version = read_version(directory, name)
    return {
        "version": name,
        "created": created,
        "message": message,
        "records": version.records,
        "quarantined": version.quarantined,
        "repeated": version.repeated,
        "parts": len(version.parts),
        "parents": list(version.parents),
        "newest": False,
        "aside": False,
    }
