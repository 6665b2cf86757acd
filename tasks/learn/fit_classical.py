"""Fit a classical model: settings are chosen by inner folds, deviations calibrated on what these left out."""

# N training rows

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.learn.classical_model import ClassicalCard, ClassicalModel, versions
from zonemelt.tasks.learn.nested import choose_and_fit, told
from zonemelt.tasks.train.said import Said
from zonemelt.tasks.train.uncertainty import uncertainty_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonemelt.tasks.learn.nested import Protocol
    from zonemelt.tasks.learn.property_table import PropertyTable
    from zonemelt.tasks.learn.shallow import ModelSpec


def fit_classical(
    table: PropertyTable,
    spec: ModelSpec,
    *,
    protocol: Protocol,
    name: str,
    formulas: Sequence[str] = (),
) -> ClassicalModel:
    """Choose settings by inner folds of all rows of a table, and fit them.

    Args:
        table: features and labels; its outer folds are not looked at.
        spec: the model and what to try.
        protocol: how to choose.
        name: of the property.
        formulas: blocks of :func:`.composition_blocks` that the features are, so that the model reads
            formulas; none for other features.

    Raises:
        InputError: a feature is NaN and the model refuses that, no column or label varies, there are too few
            rows, or a column is none that formulas give.
    """
    rows_N = np.arange(len(table))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = choose_and_fit(table, spec, rows_N, protocol=protocol)
    columns = tuple(table.labels[column] for column in found.columns_F)
    if formulas:
        _check_columns(columns, formulas)
    left, y_N = found.left_out, found.left_out.true_N
    said = Said(
        mean_NP=left.mean_N[:, None], deviation_NP=None if left.raw_N is None else left.raw_N[:, None]
    )
    uncertainty = uncertainty_of(
        {"validation": said}, {"validation": y_N[:, None]}, [name], recalibration=protocol.recalibration
    )
    errors_N = y_N - left.mean_N
    card = ClassicalCard(
        property=name,
        unit=table.unit,
        model={
            "name": spec.name, "family": spec.family, "missing": spec.missing,
            "settings": {**(spec.settings or {}), **found.choice["settings"]},
        },
        columns=columns,
        formulas=tuple(formulas),
        bounds=table.bounds,
        seed=protocol.seed,
        uncertainty=uncertainty.get(name),
        training={
            "samples": len(table), "table": table.digest(), "inner": protocol.inner,
            "tried": found.choice["tried"],
            "warnings": told(caught),
        },
        metrics={
            f"mae {name} ({table.unit or '1'})": float(np.abs(errors_N).mean()),
            f"rmse {name} ({table.unit or '1'})": float(np.sqrt((errors_N**2).mean())),
        },
        versions=versions(),
    )  # fmt: skip
    return ClassicalModel(card=card, pipeline=found.model, x_NF=found.x_NF, y_N=y_N)


@cache
def _labels_of_formulas(blocks: tuple[str, ...]) -> frozenset[str]:
    """All columns that formulas can have."""
    from zonemelt.tasks.featurize.fractions import fraction_labels
    from zonemelt.tasks.featurize.magpie import labels, ward_labels

    of = {"fractions": fraction_labels, "magpie": labels, "ward": ward_labels}
    return frozenset(label for block in blocks if block in of for label in of[block]())


def _check_columns(columns: Sequence[str], blocks: Sequence[str]) -> None:
    if strange := [column for column in columns if column not in _labels_of_formulas(tuple(blocks))]:
        raise InputError(
            f"formulas have no '{strange[0]}'", where=f"blocks {', '.join(blocks)}",
            remedy="name the blocks that the table was made of, or none",
        )  # fmt: skip
