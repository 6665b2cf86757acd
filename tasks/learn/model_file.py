"""Write a Gaussian process as safetensors with a JSON card, and read it back; never pickle."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.learn.gaussian_process import GaussianProcess, Hyperparameters

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ARCHITECTURE = "gaussian-process-1"


def to_document(model: GaussianProcess) -> dict[str, Any]:
    """The model as arrays and numbers, for a store."""
    return {
        "architecture": ARCHITECTURE,
        "hyperparameters": asdict(model.hyper),
        "x": model.x_NF,
        "y": model.y_N,
        "centre": model.centre_F,
        "weight": model.weight_F,
    }


def from_document(document: Mapping[str, Any]) -> GaussianProcess:
    """Read what :func:`to_document` wrote.

    Raises:
        InputError: it is another kind of model.
    """
    if document.get("architecture") != ARCHITECTURE:
        raise InputError(
            f"architecture {document.get('architecture')!r} is not {ARCHITECTURE!r}",
            where="model",
            remedy="read the model with the version of zonemelt that wrote it",
        )
    return GaussianProcess(
        x_NF=np.asarray(document["x"], dtype=np.float64),
        y_N=np.asarray(document["y"], dtype=np.float64),
        centre_F=np.asarray(document["centre"], dtype=np.float64),
        weight_F=np.asarray(document["weight"], dtype=np.float64),
        hyper=Hyperparameters(**document["hyperparameters"]),
    )


def training_hash(identifiers: list[str], energies_N: Any) -> str:
    """SHA-256 (16 digits) of the training set: names and energies to 1e-9 eV/atom."""
    rows = sorted(zip(identifiers, np.round(energies_N, 9).tolist(), strict=True))
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def save(model: GaussianProcess, folder: Path, *, card: Mapping[str, Any]) -> Path:
    """Write ``model.safetensors`` and ``model.json`` (the card, with ``card`` added to it).

    Returns:
        The path of the safetensors file.
    """
    from safetensors.numpy import save_file

    document = to_document(model)
    arrays = {name: np.ascontiguousarray(document.pop(name)) for name in ("x", "y", "centre", "weight")}
    path = folder / "model.safetensors"
    save_file(arrays, path)
    text = json.dumps(document | dict(card), indent=2, sort_keys=True)
    path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    return path


def load(path: Path) -> GaussianProcess:
    """Read a model written by :func:`save`."""
    from safetensors.numpy import load_file

    card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return from_document(card | load_file(path))
