"""Fit a classical model to a property of a dataset's records, from their compositions alone."""

# N records

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jobflow import job

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.learn.fit_classical import fit_classical
from zonemelt.tasks.learn.nested import Protocol
from zonemelt.tasks.learn.property_table import PropertyTable
from zonemelt.tasks.learn.shallow import ModelSpec
from zonemelt.tasks.train.collection import split_of
from zonemelt.tasks.train.property_values import read_properties

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zonemelt.tasks.datasets import Dataset
    from zonemelt.tasks.learn.classical_model import ClassicalModel

BLOCKS: Final = ("fractions", "magpie")  # of features that formulas give


def fit_property(
    dataset: Dataset,
    name: str,
    model: Mapping[str, Any],
    split: Mapping[str, Any],
    *,
    protocol: Protocol,
    ignoring: Sequence[str] = (),
) -> ClassicalModel:
    """Fit a model to the training and validation records together: it chooses by inner folds of its own.

    Args:
        dataset: to be learnt from.
        name: of the property.
        model: see :class:`.ModelSpec`.
        split: a document of :func:`zonemelt.tasks.train.collection.split_of`.
        protocol: how settings are chosen.
        ignoring: fields of the level of theory that may differ.

    Raises:
        InputError: a record has no label, or see :func:`.read_properties` and :func:`.fit_classical`.
    """
    from zonemelt.tasks.featurize.fractions import composition_blocks

    values = read_properties(dataset, [name], ignoring=ignoring)
    parts = split_of(split, values)
    rows_N = np.sort(np.concatenate([parts[part] for part in parts if part != "test"]))
    labels_N = values.values_NP[rows_N, 0]
    if (bare := np.flatnonzero(~np.isfinite(labels_N))).size:
        raise InputError(
            f"{bare.size} records without it, first {values.names_N[rows_N[bare[0]]]}",
            where=f"property '{name}'",
            remedy="leave them out of the split",
        )
    formulas = dataset.frame(["formula"])["formula"].to_numpy()[rows_N].tolist()
    table = PropertyTable.of(
        {
            **composition_blocks(formulas, blocks=list(BLOCKS)),
            "target": labels_N.tolist(),
            "folds": (np.arange(len(rows_N)) % 2).tolist(),  # a table has some; they are not looked at
            "unit": values.properties[0][1],
            "bounds": [None, None],
        }
    )
    return fit_classical(table, ModelSpec.of(model), protocol=protocol, name=name, formulas=BLOCKS)


@job
def fit_property_job(
    *,
    dataset: str,
    version: str,
    name: str,
    model: dict[str, Any],
    split: dict[str, Any],
    protocol: dict[str, Any],
    ignoring: list[str],
    directory: str,
) -> dict[str, Any]:
    """Fit a model and write it into a directory; see :func:`fit_property`.

    Returns:
        ``directory`` and ``card``.
    """
    from zonemelt.tasks.datasets import open_dataset

    fitted = fit_property(
        open_dataset(dataset, version), name, model, split, protocol=Protocol(**protocol), ignoring=ignoring
    )
    fitted.save(Path(directory))
    return {"directory": directory, "card": fitted.card.model_dump(mode="json")}
