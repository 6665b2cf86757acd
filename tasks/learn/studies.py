"""Two classical studies: oxygen vacancies by a linear law of descriptors, hardness by support vectors.

Vacancies: R. B. Wexler, G. S. Gautam, E. B. Stechel, E. A. Carter, J. Am. Chem. Soc. 143, 13212 (2021), a
linear model of the energy to break the crystal's bonds, the reduction potential, the band gap and the
energy above the hull. Hardness and elastic moduli: A. Mansouri Tehrani et al., J. Am. Chem. Soc. 140, 9844
(2018), support vectors on statistics of elements.
"""

# N rows, F columns

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.table import Refused
from zonemelt.tasks.judge.leaderboard import summarize
from zonemelt.tasks.learn.nested import Protocol, evaluate_fold
from zonemelt.tasks.learn.property_table import PropertyTable, grouped_folds
from zonemelt.tasks.learn.shallow import ModelSpec
from zonemelt.tasks.learn.stacking import stack_fold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VACANCY_COLUMNS: Final = ("Eb_sum", "Vr_max", "Eg", "Ehull")  # eV, V, eV, eV/atom


@dataclass(frozen=True, kw_only=True)
class Study:
    """What a study found.

    Attributes:
        table: what was learned from.
        refused: rows that were left out, with reasons.
        summary: as :func:`.leaderboard.summarize` gives it.
        results: of every model, fold and seed.
    """

    table: PropertyTable
    refused: tuple[Refused, ...]
    summary: dict[str, Any]
    results: tuple[dict[str, Any], ...]


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
    """
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


def table_of_rows(
    rows: Sequence[Mapping[str, Any]],
    *,
    columns: Sequence[str],
    target: str,
    unit: str,
    group: str,
    folds: int = 5,
    seed: int = 0,
) -> tuple[PropertyTable, tuple[Refused, ...]]:
    """A table from rows of a CSV; rows that lack a number are left out, with reasons.

    Args:
        rows: texts or numbers by column.
        columns: of the features.
        target: column of the property.
        unit: of the property.
        group: column that says which rows belong together.
        folds: outer folds, of whole groups.
        seed: of the folds.

    Raises:
        InputError: a column is missing from a row, or no complete rows are left.
    """
    kept: list[list[float]] = []
    groups: list[str] = []
    refused: list[Refused] = []
    for number, row in enumerate(rows):
        for name in (*columns, target, group):
            if name not in row:
                raise InputError(
                    f"there is no column '{name}'", where=f"row {number}", remedy="name its column"
                )
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
    return PropertyTable.of(document), tuple(refused)


def vacancy_study(
    rows: Sequence[Mapping[str, Any]],
    *,
    models: Sequence[Mapping[str, Any] | str] = ("linear", "extra_trees"),
    seed: int = 0,
    published: Sequence[Mapping[str, Any]] = (),
) -> Study:
    """Formation energies of neutral oxygen vacancies (eV), folds of whole compounds.

    Args:
        rows: with the columns of ``VACANCY_COLUMNS``, ``Ev`` (eV) and ``formula``.
        models: to compare.
        seed: of folds and models.
        published: numbers to put beside.
    """
    table, refused = table_of_rows(
        rows, columns=VACANCY_COLUMNS, target="Ev", unit="eV", group="formula", seed=seed
    )
    protocol = Protocol(seed=seed)
    summary, results = compare(
        table, models, task="oxygen vacancies", protocols=[protocol], published=published
    )
    return Study(table=table, refused=refused, summary=summary, results=results)


def hardness_study(
    rows: Sequence[Mapping[str, Any]],
    *,
    models: Sequence[Mapping[str, Any] | str] = ("svr",),
    seed: int = 0,
    published: Sequence[Mapping[str, Any]] = (),
) -> Study:
    """Vickers hardness (GPa) under a load, folds of whole compounds.

    Args:
        rows: with ``name``, ``Hardness`` (GPa), ``Load`` (N), and descriptors in all other columns.
        models: to compare.
        seed: of folds and models.
        published: numbers to put beside.

    Raises:
        InputError: there are no rows, or no complete ones.
    """
    if not rows:
        raise InputError("there are no rows", where="hardness", remedy="give the table")
    columns = [name for name in rows[0] if name not in {"name", "Hardness"}]
    table, refused = table_of_rows(
        rows, columns=columns, target="Hardness", unit="GPa", group="name", seed=seed
    )
    summary, results = compare(
        table, models, task="Vickers hardness", protocols=[Protocol(seed=seed)], published=published
    )
    return Study(table=table, refused=refused, summary=summary, results=results)


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
