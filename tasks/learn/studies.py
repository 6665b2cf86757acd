"""Classical studies of a table that a person has: folds of whole compounds, models compared, a linear law."""

# N rows, F columns

from __future__ import annotations

import csv
import gzip
import io
import math
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from jobflow import job

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.featurize.table import Refused
from zonemelt.tasks.learn.nested import Protocol, evaluate_fold
from zonemelt.tasks.learn.property_table import PropertyTable, grouped_folds
from zonemelt.tasks.learn.shallow import ModelSpec
from zonemelt.tasks.learn.stacking import stack_fold
from zonemelt.tasks.metrics.leaderboard import STACKED, summarize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def compare(
    table: PropertyTable,
    models: Sequence[Mapping[str, Any] | str],
    *,
    task: str,
    protocols: Sequence[Protocol],
    published: Sequence[Mapping[str, Any]] = (),
    stack: bool = False,
) -> tuple[dict[str, Any], tuple[dict[str, Any], ...]]:
    """Evaluate models on all outer folds, one after the other in this process.

    Args:
        table: features, labels and folds.
        models: names of families or documents of :class:`.ModelSpec`.
        task: name of the benchmark.
        protocols: one for each seed.
        published: see :func:`.leaderboard.summarize`.
        stack: whether to add the weighted mean of the models.

    Returns:
        The summary, and the results it was made of.

    Raises:
        InputError: see :func:`check_models` and :func:`.evaluate_fold`.
    """
    check_models(models)
    specs = [ModelSpec.of(model) for model in models]
    results: list[dict[str, Any]] = []
    for protocol in protocols:
        for fold in np.unique(table.folds_N).tolist():
            found = [evaluate_fold(table, spec, fold=fold, protocol=protocol) for spec in specs]
            results += found
            if stack:
                stacked = stack_fold(
                    table, found, coverage=protocol.coverage, recalibration=protocol.recalibration
                )
                results.append(stacked)
    return summarize(results, task=task, unit=table.unit, published=published), tuple(results)


def check_models(models: Sequence[Mapping[str, Any] | str]) -> list[str]:
    """The names of classical models that are compared.

    Raises:
        UnknownKeyError: a family or a setting is not known.
        InputError: there are none, or two have one name.
    """
    names = [ModelSpec.of(model).name for model in models]
    if not names or len({*names, STACKED}) <= len(names):
        raise InputError(
            f"models are called {names}", where="models",
            remedy=f"give one or more, each with a name of its own that is not '{STACKED}'",
        )  # fmt: skip
    return names


def rows_of_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV with a line of names; it may be gzipped.

    Raises:
        InputError: it cannot be read, or holds no rows.
    """
    try:
        content = path.read_bytes()
        # spreadsheets begin a file with a mark of its encoding
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text)))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"it cannot be read: {error}", where=str(path), remedy="give a CSV, or a gzipped one"
        ) from None
    if not rows:
        raise InputError("it holds no rows", where=str(path), remedy="give a CSV with a line of names")
    return rows


def table_of_rows(
    rows: Sequence[Mapping[str, Any]],
    *,
    target: str,
    unit: str,
    group: str,
    columns: Sequence[str] = (),
    folds: int = 5,
    seed: int = 0,
) -> tuple[dict[str, Any], tuple[Refused, ...]]:
    """A table from rows of a CSV; rows that lack a number are left out, with reasons.

    Args:
        rows: texts or numbers by column.
        columns: of the features; all others where there are none.
        target: column of the property.
        unit: of the property.
        group: column that says which rows belong together.
        folds: outer folds, of whole groups.
        seed: of the folds.

    Returns:
        A document of :meth:`.PropertyTable.of`, and the rows that were left out.

    Raises:
        InputError: a column is missing from a row, or no complete rows are left.
    """
    columns = columns or [name for name in rows[0] if name not in {target, group}]
    kept: list[list[float]] = []
    groups: list[str] = []
    refused: list[Refused] = []
    for number, row in enumerate(rows):
        for name in (*columns, target, group):
            if name not in row:
                raise UnknownKeyError.of(name, row, where=f"columns of row {number}")
        values = [_number(row[name]) for name in (*columns, target)]
        if all(map(math.isfinite, values)):
            kept.append(values)
            groups.append(str(row[group]))
            continue
        gap = next(
            name for name, value in zip((*columns, target), values, strict=True) if not math.isfinite(value)
        )
        refused.append(Refused(row=number, value=str(row[group]), reason=f"'{gap}' is no finite number"))
    if not kept:
        raise InputError(
            f"none of {len(rows)} rows is complete", where="table", remedy="choose other columns"
        )
    document = {
        "values": [values[:-1] for values in kept],
        "labels": list(columns),
        "target": [values[-1] for values in kept],
        "folds": grouped_folds(groups, folds=folds, seed=seed),
        "unit": unit,
        "groups": groups,
    }
    return document, tuple(refused)


def linear_law(table: PropertyTable) -> dict[str, Any]:
    """The linear law in the units of its columns, fitted to all rows; for reading, not for judging.

    Returns:
        ``coefficients`` by column with the ``std`` over fits that leave one outer fold out, ``intercept``,
        and ``mae`` on the rows it was fitted to (too good by construction).
    """
    from sklearn.linear_model import LinearRegression

    whole = LinearRegression().fit(table.values_NF, table.target_N)
    parts = [table.parts(fold)[0] for fold in np.unique(table.folds_N).tolist()]
    spread_F = np.std(
        [LinearRegression().fit(table.values_NF[part], table.target_N[part]).coef_ for part in parts], axis=0
    )
    return {
        "coefficients": {
            label: {"value": float(value), "std": float(std)}
            for label, value, std in zip(table.labels, whole.coef_, spread_F, strict=True)
        },
        "intercept": float(whole.intercept_),
        "mae": float(np.abs(whole.predict(table.values_NF) - table.target_N).mean()),
    }


def _number(value: Any) -> float:
    """A number; NaN for an empty cell or another word."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


@job
def linear_law_job(*, table: dict[str, Any]) -> dict[str, Any]:
    """The linear law of a table; see :func:`linear_law`."""
    return linear_law(PropertyTable.of(table))
