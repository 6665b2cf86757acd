"""The functions of jobs by their names, and the digests of their sources."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import inspect
from functools import cache
from typing import Any


def function_named(kind: str) -> Any:
    """The function of a kind of job, as it was written; None where there is none to be imported.

    Args:
        kind: module and qualified name.
    """
    parts = kind.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        for part in parts[cut:]:
            if (found := getattr(found, part, None)) is None:
                return None
        return inspect.unwrap(getattr(found, "original", found))
    return None


@cache
def source_digest(kind: str) -> str | None:
    """The digest of a function's source and of its package's version; None where it has no source.

    Args:
        kind: module and qualified name.
    """
    try:
        source = inspect.getsource(function_named(kind))
    except (OSError, TypeError):
        return None
    text = f"{kind}\0{_version(kind.partition('.')[0])}\0{source}"
    return hashlib.sha256(text.encode()).hexdigest()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
