"""Train one arm of a campaign and measure it on the held-out labels."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jobflow import job

from zonemelt.tasks.judge.metrics import errors
from zonemelt.tasks.learn.gaussian_process import GaussianProcess, fit, scaling
from zonemelt.tasks.learn.model_file import save, to_document, training_hash

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


def rows(features: Mapping[str, Any], identifiers: Sequence[str]) -> NDArray[np.float64]:
    """Feature rows (N, F) of the named crystals."""
    where = {name: row for row, name in enumerate(features["identifiers"])}
    values: NDArray[np.float64] = np.asarray(features["values"], dtype=np.float64)
    return values[[where[name] for name in identifiers]]


def train(
    features: Mapping[str, Any], energies: Mapping[str, float], identifiers: Sequence[str], *, seed: int
) -> GaussianProcess:
    """Fit a model to the named crystals."""
    centre_F, weight_F = scaling(np.asarray(features["values"], dtype=np.float64))
    return fit(
        rows(features, identifiers),
        np.array([energies[name] for name in identifiers]),
        centre_F=centre_F,
        weight_F=weight_F,
        seed=seed,
    )


@job
def train_job(
    *,
    arm: dict[str, Any],
    labels: dict[str, Any],
    features: dict[str, Any],
    base: list[str],
    heldout: list[str],
    seed: int,
) -> dict[str, Any]:
    """Train an arm on the labels it has chosen, and test it on the held-out ones.

    The model is also written to ``model.safetensors`` and ``model.json`` in the working directory.

    Args:
        arm: ``strategy``, ``seed``, ``chosen`` (identifiers) and ``history`` so far.
        labels: what ``ingest_job`` returned.
        features: what ``featurize_job`` returned.
        base: identifiers every arm trains on: the pure elements.
        heldout: identifiers that are only tested on.
        seed: of the optimiser.

    Returns:
        The arm with one more entry in its ``history``, its ``model``, its
        ``heldout_predictions`` and, carried along, those of its first training.
    """
    started = time.perf_counter()
    energies = labels["energies"]
    training = [name for name in [*base, *arm["chosen"]] if name in energies]
    tested = [name for name in heldout if name in energies]
    model = train(features, energies, training, seed=seed)
    mean_M, deviation_M = model.predict(rows(features, tested))
    true_M = np.array([energies[name] for name in tested])
    measured = errors(mean_M, true_M, deviation_M)
    card = {
        "training_set": training_hash(training, model.y_N),
        "training_size": len(training),
        "theory": labels["theory"],
        "target": "formation energy, eV/atom",
        "features": features["kind"],
        "heldout": {**measured, "unit": "eV/atom", "size": len(tested)},
        "seed": seed,
        "seconds": time.perf_counter() - started,
    }
    save(model, Path.cwd(), card=card)
    entry = {"labels": len(arm["chosen"]), "training_size": len(training), **measured}
    predictions = {
        name: [float(mean), float(deviation)]
        for name, mean, deviation in zip(tested, mean_M, deviation_M, strict=True)
    }
    return {
        **{key: arm[key] for key in ("strategy", "seed", "chosen")},
        "history": [*arm["history"], entry],
        "model": to_document(model),
        "card": card,
        "heldout_predictions": predictions,
        "first_predictions": arm.get("first_predictions", predictions),
    }
