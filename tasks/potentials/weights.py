"""Reads files of weights without ever running what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zonemelt.tasks.errors import InputError


def packaged(package: str, inside: str) -> Path:
    """Where a file of an installed package lies.

    Raises:
        InputError: the package is not installed, or this version has no such file.
    """
    from importlib.util import find_spec

    found = find_spec(package)
    if found is None or found.origin is None:
        raise InputError(
            f"{package} is not installed", where=package, remedy="pip install 'zonemelt[potentials]'"
        )
    path = Path(found.origin).parent / inside
    if not path.is_file():
        raise InputError(
            "this version of the package does not have it",
            where=str(path),
            remedy=f"install another {package}",
        )
    return path


def read_weights(path: Path) -> dict[str, Any]:
    """Read tensors, arrays, numbers, words, lists and dictionaries from a file of PyTorch; nothing else.

    A file of PyTorch is a pickle: read in the usual way it may run anything. Here only what weights are made
    of is admitted: ``weights_only=True``, and what NumPy rebuilds arrays with.

    Raises:
        InputError: there is no such file, or something else is in it.
    """
    import pickle  # nosec B403 (the name of its error)

    import numpy as np
    import torch

    rebuilt: Any = np.empty(0).__reduce__()[0]
    admitted = [
        (rebuilt, "numpy.core.multiarray._reconstruct"),  # of NumPy 1
        rebuilt,
        np.ndarray,
        np.dtype,
        type(np.dtype(np.float64)),
        type(np.dtype(np.float32)),
        type(np.dtype(np.int64)),
    ]
    try:
        with torch.serialization.safe_globals(admitted):
            read = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InputError("there is no such file", where=str(path), remedy="give another") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise InputError(
            f"it holds more than weights, or is damaged ({type(error).__name__})",
            where=str(path),
            remedy="such a file could run anything on this machine: save the weights alone",
        ) from error
    if not isinstance(read, dict):
        raise InputError("it holds no dictionary of weights", where=str(path), remedy="give a checkpoint")
    return read
