"""The outer folds of a published benchmark, as those who made it drew them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from zonemelt.tasks.errors import InputError, UnknownKeyError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def matbench_folds(path: Path, task: str) -> list[int]:
    """The test fold of each row of a task, from the file of splits in the package ``matbench``.

    Args:
        path: of ``matbench_v0.1_validation.json``: ``splits``, task, ``fold_0`` …, ``test``, identifiers that
            end in the number of the row, counted from 1.
        task: such as ``matbench_phonons``.

    Raises:
        UnknownKeyError: there is no such task.
        InputError: it is no such file, or a row is not in exactly one fold.
    """
    remedy = "give matbench_v0.1_validation.json as the package matbench has it"
    try:
        splits = json.loads(path.read_text(encoding="utf-8"))["splits"]
        if task not in splits:
            raise UnknownKeyError.of(task, splits, where=str(path))
        tested = [
            (int(name.rpartition("-")[2]) - 1, int(fold.rpartition("_")[2]))
            for fold, parts in splits[task].items()
            for name in parts["test"]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"it is no file of splits: {type(error).__name__}: {error}", where=str(path), remedy=remedy
        ) from None
    if sorted(row for row, _ in tested) != list(range(len(tested))):
        raise InputError(
            "some row is in no fold, or in two of them", where=f"{task} in {path}", remedy=remedy
        )
    return [fold for _, fold in sorted(tested)]


def folds_of_records(folds: Sequence[int], identifiers: Sequence[str]) -> list[int]:
    """The fold of each record of a dataset that was ingested from the table of a benchmark.

    Args:
        folds: of the rows of the table.
        identifiers: of the records, which end in the number of the row, counted from 0.

    Raises:
        InputError: a record is no row of the table, or a row has no record: a mean over some of them cannot
            be compared.
    """
    rows = []
    for identifier in identifiers:
        number = identifier.rpartition("-")[2]
        if not number.isdecimal() or int(number) >= len(folds):
            raise InputError(
                f"'{identifier}' is none of {len(folds)} rows", where="records",
                remedy="give the dataset that was ingested from the table of the benchmark",
            )  # fmt: skip
        rows.append(int(number))
    if missing := set(range(len(folds))) - set(rows):
        raise InputError(
            f"{len(missing)} rows have no record, the first is row {min(missing)}", where="records",
            remedy="ingest all rows: the official folds are about all of them",
        )  # fmt: skip
    return [folds[row] for row in rows]
