"""The jobs of a study of transfer: who is trained and tested on what, and what came of it."""

# N samples

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jobflow import job

from zonemelt.tasks.errors import InputError, UnknownKeyError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zonemelt.tasks.train.apart import Groups
    from zonemelt.tasks.train.labelled import Labelled

SCRATCH: Final = "scratch"
_DRAW: Final = {"sizes": None, "trials": 5, "test": 0.1, "validation": 0.1, "seed": 0}


def draw_trials(labelled: Labelled, draw: Mapping[str, Any]) -> dict[str, Any]:
    """One test part for all, and for each size some trials of so many other samples.

    Args:
        labelled: of one property; samples without it are left out.
        draw: ``sizes``; ``trials`` of each; ``test``, the fraction of all samples, and ``validation``, that
            of a trial; and ``seed``.

    Returns:
        ``test``: rows; ``trials``: size (as text) → splits with ``train``, ``validation`` and ``test``.

    Raises:
        UnknownKeyError: ``draw`` has another key.
        InputError: it has no sizes, or one is larger than what is left, or leaves nothing to validate on.
    """
    given = drawing_of(draw)
    known = np.flatnonzero(np.isfinite(labelled.values_NP[:, 0]))
    rows = np.random.default_rng(given["seed"]).permutation(known)
    count = round(given["test"] * len(rows))
    test, pool = np.sort(rows[:count]), rows[count:]
    trials: dict[str, list[dict[str, list[int]]]] = {}
    for size in given["sizes"]:
        held = round(given["validation"] * size)
        if not (0 < held < size <= len(pool)) or not count:
            raise InputError(
                f"{size} of {len(pool)} samples, {held} to validate on, {count} to test on",
                where="draw",
                remedy="ask for smaller sizes, or for larger fractions",
            )
        for trial in range(given["trials"]):
            drawn = np.random.default_rng([given["seed"], size, trial]).permutation(pool)[:size]
            parts = {"train": np.sort(drawn[held:]), "validation": np.sort(drawn[:held]), "test": test}
            trials.setdefault(str(size), []).append({name: own.tolist() for name, own in parts.items()})
    return {"test": test.tolist(), "trials": trials}


def drawing_of(draw: Mapping[str, Any]) -> dict[str, Any]:
    """How trials are drawn, see :func:`draw_trials`, with what was not said.

    Raises:
        UnknownKeyError: there is no such key.
        InputError: there are no sizes.
    """
    for key in draw:
        if key not in _DRAW:
            raise UnknownKeyError.of(key, _DRAW, where="draw")
    given = {**_DRAW, **draw}
    if not given["sizes"]:
        raise InputError("it has no sizes", where="draw", remedy="such as {sizes: [100, 800], trials: 5}")
    return given


@job
def dataset_version_job(*, dataset: str, version: str | None) -> str:
    """The version of a dataset that a study uses throughout: the newest, where none is named.

    Raises:
        InputError: there is no such dataset or version.
    """
    from zonemelt.tasks.datasets import open_dataset

    return open_dataset(dataset, version).version


@job
def draw_trials_job(*, collection: dict[str, Any], draw: dict[str, Any]) -> dict[str, Any]:
    """Draw the trials of a target; see :func:`draw_trials`."""
    from zonemelt.tasks.train.collection import read_collection

    return draw_trials(read_collection(collection), draw)


@job
def given_trials_job(
    *, collection: dict[str, Any], splits: dict[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    """Published trials, checked; returns what :func:`draw_trials` does.

    Args:
        collection: the target.
        splits: size → one document a trial, see :func:`.split_of`; each with a part ``test``.

    Raises:
        InputError: a split has no test part, or cannot be used.
    """
    from zonemelt.tasks.train.collection import read_collection, split_of

    labelled = read_collection(collection)
    test: set[int] = set()
    trials: dict[str, list[dict[str, list[int]]]] = {}
    for size, documents in splits.items():
        for number, document in enumerate(documents):
            parts = split_of(document, labelled)
            if "test" not in parts:
                raise InputError(
                    f"it has {', '.join(parts)}",
                    where=f"split {number} of size {size}",
                    remedy="give a part 'test'",
                )
            test |= set(parts["test"].tolist())
            trials.setdefault(str(size), []).append({name: rows.tolist() for name, rows in parts.items()})
    return {"test": sorted(test), "trials": trials}


@job
def pretraining_rows_job(
    *,
    collections: dict[str, dict[str, Any]],
    tested: list[dict[str, Any]],
    by: Groups,
    size: int | None,
    validation: float,
    seed: int,
) -> dict[str, Any]:
    """What a model is pre-trained on: all samples but those akin to what some target is tested on.

    Args:
        collections: by name, as they are joined.
        tested: ``collection`` and ``rows`` of the test part of each target.
        by: what makes samples akin, ``composition`` or ``structure``; see :func:`.check_apart`.
        size: draw so many of each collection; None for all.
        validation: fraction of what is drawn that the best epoch is chosen by; 0 for none.
        seed: of the drawing.

    Returns:
        ``split`` of the joined collection; and how many samples of each were ``left_out`` and ``learned``.
    """
    from zonemelt.tasks.train.apart import check_apart, rows_apart
    from zonemelt.tasks.train.collection import read_collection
    from zonemelt.tasks.train.joined import join_splits

    labelled = {name: read_collection(one) for name, one in collections.items()}
    rows = {
        name: np.flatnonzero(np.isfinite(one.values_NP).any(axis=1)).astype(np.int64)
        for name, one in labelled.items()
    }
    before = {name: len(own) for name, own in rows.items()}
    for one in tested:
        target = (read_collection(one["collection"]), np.array(one["rows"], np.int64))
        rows = rows_apart({name: (labelled[name], own) for name, own in rows.items()}, target, by=by)
        check_apart({name: (labelled[name], own) for name, own in rows.items()}, target, by=by)
    left_out = {name: before[name] - len(own) for name, own in rows.items()}
    splits = {}
    for number, (name, own) in enumerate(rows.items()):
        drawn = np.random.default_rng([seed, number]).permutation(own)[:size]
        held = round(validation * len(drawn))
        splits[name] = {"train": np.sort(drawn[held:])}
        if held:
            splits[name]["validation"] = np.sort(drawn[:held])
    joined = join_splits(labelled, splits)
    return {
        "split": {part: own.tolist() for part, own in joined.items()},
        "left_out": left_out,
        "learned": {name: len(split["train"]) for name, split in splits.items()},
    }


def summarize_transfer(
    cells: Sequence[Mapping[str, Any]], results: Sequence[Mapping[str, Any] | None]
) -> dict[str, Any]:
    """Mean and spread over trials of each target, size, source and strategy, and the gain over scratch.

    Args:
        cells: ``target``, ``size``, ``source``, ``strategy`` and ``trial`` of each.
        results: with ``metrics``, of each; None where a job failed.

    Returns:
        ``rows``, the best of each target and size first, with ``mae`` (mean), ``std`` (over the trials, None
        for one), ``trials``, ``values``, ``gain`` over scratch (a fraction of its error, of the trials that
        both have) and ``wins``, in how many of these it is better; ``missing``, the cells that failed.
    """
    values: dict[tuple[Any, ...], dict[int, float]] = {}
    missing = []
    for cell, result in zip(cells, results, strict=True):
        if result is None:
            missing.append(dict(cell))
            continue
        key = (cell["target"], cell["size"], cell["source"], cell["strategy"])
        values.setdefault(key, {})[cell["trial"]] = test_error(result["metrics"])
    rows = []
    for (target, size, source, strategy), own in values.items():
        scratch = values.get((target, size, "", SCRATCH), {})
        both = sorted(set(own) & set(scratch)) if strategy != SCRATCH else []
        errors = np.array([own[trial] for trial in sorted(own)])
        old, new = ([found[trial] for trial in both] for found in (scratch, own))
        rows.append(
            {
                "target": target, "size": size, "source": source, "strategy": strategy,
                "mae": float(errors.mean()), "std": float(errors.std(ddof=1)) if len(errors) > 1 else None,
                "trials": len(errors), "values": errors.tolist(),
                "gain": 1 - float(np.mean(new) / np.mean(old)) if both else None,
                "wins": sum(b < a for a, b in zip(old, new, strict=True)) if both else None,
            }
        )  # fmt: skip
    return {
        "rows": sorted(rows, key=lambda row: (row["target"], row["size"], row["mae"])),
        "missing": missing,
    }


def test_error(metrics: Mapping[str, float]) -> float:
    """The mean absolute error on the test part, in the unit of the property.

    Raises:
        InputError: there is none, or not just one.
    """
    found = [value for name, value in metrics.items() if name.startswith("test mae ")]
    if len(found) != 1:
        raise InputError(
            f"{len(found)} errors on a test part among {', '.join(metrics)}",
            where="result of a cell",
            remedy="a target has one property, and a split with a part 'test'",
        )
    return found[0]


@job
def summarize_transfer_job(
    *,
    cells: list[dict[str, Any]],
    results: list[dict[str, Any] | None],
    pretrained: list[dict[str, Any] | None],
) -> dict[str, Any]:
    """Gather a study; see :func:`summarize_transfer`. ``pretrained`` says what each source left out."""
    return {**summarize_transfer(cells, results), "pretrained": pretrained}
