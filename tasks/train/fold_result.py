"""What a network says of the test rows of an outer fold, in the form that results are compared in."""

# N rows of a collection, M test rows

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jobflow import job

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.metrics.calibration import judge_deviations
from zonemelt.tasks.metrics.deviations import scores
from zonemelt.tasks.metrics.leaderboard import METRICS
from zonemelt.tasks.train.collection import read_collection
from zonemelt.tasks.train.model_folder import load_model
from zonemelt.tasks.train.predict import said_of_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.train.labelled import Labelled
    from zonemelt.tasks.train.model_folder import ModelCard
    from zonemelt.tasks.train.said import Said

    Floats = NDArray[np.float64]


def split_of_fold(
    folds: Sequence[int], fold: int, *, validation: float = 0.0, seed: int = 0
) -> dict[str, list[int]]:
    """The rows that a network of one outer fold may see; its test rows are in none of the parts.

    Args:
        folds: the test fold of each of N rows; a row below zero takes no part.
        fold: which is tested.
        validation: fraction of the training rows by which the best epoch is chosen and deviations are
            calibrated; 0 trains on all of them and keeps the last epoch.
        seed: of which rows are drawn for that.

    Raises:
        InputError: there is no such fold, the fraction cannot be used, or nothing is left to train on.
    """
    folds_N = np.asarray(folds)
    rows_tested(folds, fold)
    train_N = np.flatnonzero((folds_N >= 0) & (folds_N != fold))
    held = round(validation * len(train_N))
    if not 0 <= validation < 1 or (validation and not held) or not len(train_N) - held:
        raise InputError(
            f"{validation:g} of {len(train_N)} training rows", where="validation",
            remedy="give a fraction below 1 that leaves rows on both sides, or 0 for none",
        )  # fmt: skip
    drawn_N = np.random.default_rng([seed, fold]).permutation(train_N)
    parts = {"train": np.sort(drawn_N[held:]).tolist()}
    return parts | {"validation": np.sort(drawn_N[:held]).tolist()} if held else parts


def rows_tested(folds: Sequence[int], fold: int) -> list[int]:
    """The rows (M) that are tested.

    Raises:
        InputError: there are none.
    """
    rows = [row for row, one in enumerate(folds) if one == fold]
    if not rows or fold < 0:
        raise InputError(f"fold {fold} has no rows", where="folds", remedy="count folds from 0")
    return rows


def result_of_fold(
    folder: Path,
    labelled: Labelled,
    rows_M: NDArray[np.int64],
    *,
    name: str,
    fold: int,
    seed: int,
    coverage: float = 0.9,
) -> dict[str, Any]:
    """Ask a trained network for the test rows, once.

    Args:
        folder: of the model, which has one property.
        labelled: the collection.
        rows_M: of the fold, none of which it was trained on.
        name: of the model in the results.
        fold: and
        seed: that it was trained with.
        coverage: that intervals promise, where the network was calibrated.

    Returns:
        A document of the form of :func:`.evaluate_fold`, with the ``true`` labels and the ``folder``. Where
        nothing was calibrated ``deviation`` is raw, or None, and ``width`` None.

    Raises:
        InputError: a test row has no label, or the model is of several properties.
    """
    model, card = load_model(folder)
    if len(card.targets) != 1 or len(labelled.properties) != 1:
        raise InputError(
            f"{len(card.targets)} properties", where=str(folder), remedy="a benchmark is of one property"
        )
    true_M = labelled.values_NP[rows_M, 0]
    if not np.isfinite(true_M).all():
        row = labelled.names_N[rows_M[np.argmin(np.isfinite(true_M))]]
        raise InputError(f"'{row}' has no label", where=f"fold {fold}", remedy="give all test rows a label")
    said = said_of_rows(model, card, labelled.source, rows_M)
    target = card.targets[0]
    known = set(card.elements)
    return {
        "model": name,
        "family": card.network.architecture,
        "fold": fold,
        "seed": seed,
        "settings": card.training,
        "folder": str(folder),
        "inner_mae": card.metrics.get(f"mae {target.name} ({target.unit or '1'})"),
        **scores(true_M, said.mean_NP[:, 0]),
        **_doubt(card, said, rows_M, true_M, coverage=coverage),
        "strange_rows": [row for row in rows_M.tolist() if not labelled.elements_N[row] <= known],
        "warnings": {},
    }


def _doubt(
    card: ModelCard, said: Said, rows_M: NDArray[np.int64], true_M: Floats, *, coverage: float
) -> dict[str, Any]:
    """Predictions with deviations and intervals, as far as the network has them, and how good these are."""
    mean_M, errors_M = said.mean_NP[:, 0], true_M - said.mean_NP[:, 0]
    raw_M = None if said.deviation_NP is None else said.deviation_NP[:, 0]
    lean_M = None if said.lean_NP is None else said.lean_NP[:, 0]
    found: dict[str, Any] = dict.fromkeys(METRICS)
    deviation_M, width_M = raw_M, None
    if (known := card.uncertainty.get(card.targets[0].name)) is not None:
        floored_M = known.calibration.floored(raw_M, size=len(mean_M))
        deviation_M = known.calibration.deviation(floored_M)
        below_M, above_M = known.calibration.sides(floored_M, lean_M, coverage=coverage)
        width_M = (below_M + above_M) / 2
        inside_M = (-below_M <= errors_M) & (errors_M <= above_M)
        found |= {"coverage": float(inside_M.mean()), "mean_width": float(width_M.mean())}
    if deviation_M is not None:
        found |= judge_deviations(errors_M, deviation_M)
    return {
        "predictions": {
            "rows": rows_M.tolist(),
            "true": true_M.tolist(),
            "mean": mean_M.tolist(),
            "deviation": None if deviation_M is None else deviation_M.tolist(),
            "width": None if width_M is None else width_M.tolist(),
        },
        "uncertainty": {**found, "promised": coverage},
    }


def mean_of_seeds(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean over models of one fold that differ by their seed, as a result of its own.

    Its variance is that of the mixture: the mean of their variances plus the variance of their means. It is
    not calibrated: no row is left that none of them has seen.

    Args:
        results: two or more of :func:`result_of_fold`, of one model and fold.

    Raises:
        InputError: there are fewer, or they are not of the same rows.
    """
    first = results[0]
    if len(results) < 2 or any(  # noqa: PLR2004 (a mean of one is that one)
        (one["model"], one["fold"], one["predictions"]["rows"])
        != (first["model"], first["fold"], first["predictions"]["rows"])
        for one in results
    ):
        raise InputError(
            f"{len(results)} results, or of several models or folds", where="mean over seeds",
            remedy="give two or more of one model and one fold",
        )  # fmt: skip
    predictions = [one["predictions"] for one in results]
    true_M, means_SM = np.array(predictions[0]["true"]), np.array([one["mean"] for one in predictions])
    variance_M = means_SM.var(axis=0)
    own = [one["deviation"] for one in predictions if one["deviation"] is not None]
    if own:
        variance_M = variance_M + (np.array(own) ** 2).mean(axis=0)
    mean_M, deviation_M = means_SM.mean(axis=0), np.sqrt(variance_M)
    inner = [one["inner_mae"] for one in results]
    return {
        "model": f"{first['model']}, mean of {len(results)} seeds",
        "family": first["family"],
        "fold": first["fold"],
        "seed": None,
        "settings": {"seeds": [one["seed"] for one in results]},
        "folder": [one["folder"] for one in results],
        "inner_mae": None if None in inner else float(np.mean(inner)),
        **scores(true_M, mean_M),
        "predictions": {
            **predictions[0], "mean": mean_M.tolist(), "deviation": deviation_M.tolist(), "width": None,
        },
        "uncertainty": {
            **dict.fromkeys(METRICS),
            **(judge_deviations(true_M - mean_M, deviation_M) if deviation_M.all() else {}),
        },
        "strange_rows": first["strange_rows"],
        "warnings": {},
        "cpu_seconds": sum(one["cpu_seconds"] for one in results),
    }  # fmt: skip


@job
def fold_result_job(
    *,
    trained: dict[str, Any],
    collection: dict[str, Any],
    rows: list[int],
    name: str,
    fold: int,
    seed: int,
    coverage: float,
) -> dict[str, Any]:
    """What a trained network says of the test rows; see :func:`result_of_fold`.

    Args:
        trained: the output of :func:`.train_job`.
        collection: see :func:`.read_collection`.
        rows: of the fold.
        name: of the model.
        fold: and
        seed: that it was trained with.
        coverage: that intervals promise.
    """
    found = result_of_fold(
        Path(trained["folder"]), read_collection(collection), np.array(rows), name=name, fold=fold, seed=seed,
        coverage=coverage,
    )  # fmt: skip
    return found | {"cpu_seconds": trained["seconds"] * trained["world_size"], "weights": trained["weights"]}


@job
def mean_of_seeds_job(*, results: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean over seeds; see :func:`mean_of_seeds`."""
    return mean_of_seeds(results)
