"""Learn a property from what the trunk of a pre-trained network makes of crystals, by a classical model.

The cheapest transfer: no weight of the network moves. With a hundred labels it is often the best there is.
"""

# N samples, F features of the trunk

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jobflow import job

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.learn.nested import Protocol, evaluate_fold
from zonemelt.tasks.learn.property_table import PropertyTable
from zonemelt.tasks.learn.shallow import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from numpy.typing import NDArray

    from zonemelt.tasks.train.labelled import Labelled
    from zonemelt.tasks.train.model_folder import ModelCard

TESTED, LEARNED = 0, 1  # the folds of the table
_TOGETHER: Final = 256


def trunk_table(
    model: torch.nn.Module,
    card: ModelCard,
    labelled: Labelled,
    split: Mapping[str, NDArray[np.int64]],
    *,
    compositions: bool = False,
) -> PropertyTable:
    """Features and labels of one property; the test part is fold 0, all else is learned from.

    Args:
        model: pre-trained.
        card: of it.
        labelled: of one property, with graphs as the model reads them.
        split: ``train``, ``test`` and, where wanted, ``validation``: which is learned from, too, because
            settings are chosen on folds within.
        compositions: add the blocks ``magpie`` and ``ward`` to the block ``trunk``.

    Raises:
        InputError: there is more than one property, or no test part.
    """
    from zonemelt.tasks.featurize.compositions import Compositions
    from zonemelt.tasks.featurize.magpie import labels, magpie, ward, ward_labels
    from zonemelt.tasks.train.transfer import features_of_graphs

    if len(labelled.properties) != 1 or "test" not in split:
        raise InputError(
            f"{len(labelled.properties)} properties, parts {', '.join(split)}",
            where="features of a trunk",
            remedy="give one property, and a split with a test part",
        )
    rows = np.concatenate([split["train"], split.get("validation", split["train"][:0]), split["test"]])
    trunk, rest = [], []
    for start in range(0, len(rows), _TOGETHER):
        graphs = labelled.source.read(rows[start : start + _TOGETHER])
        trunk.append(features_of_graphs(model, card, graphs))
        if compositions:
            found = Compositions.of_crystals(graphs.crystals)
            rest.append(np.hstack([magpie(found, missing="mean"), ward(found, missing="mean")]))
    names = [f"trunk {number}" for number in range(trunk[0].shape[1])]
    blocks = {"trunk": (0, len(names))}
    values_NF = np.concatenate(trunk)
    if compositions:
        values_NF = np.hstack([values_NF, np.concatenate(rest)])
        for block, columns in (("magpie", labels()), ("ward", ward_labels())):
            blocks[block] = (len(names), len(names) + len(columns))
            names += columns
    return PropertyTable.of(
        {
            "values": values_NF,
            "labels": names,
            "blocks": blocks,
            "target": labelled.values_NP[rows, 0],
            "folds": [LEARNED] * (len(rows) - len(split["test"])) + [TESTED] * len(split["test"]),
            "unit": labelled.properties[0][1],
        }
    )


@job
def learn_from_trunk_job(
    *,
    model: str,
    collection: dict[str, Any],
    split: dict[str, Any],
    classical: dict[str, Any],
    compositions: bool,
    seed: int,
) -> dict[str, Any]:
    """Learn from a trunk and test it.

    Args:
        model: folder of the pre-trained model.
        collection: see :func:`.read_collection`.
        split: see :func:`.split_of`; with a part ``test``.
        classical: see :meth:`.ModelSpec.of`.
        compositions: see :func:`trunk_table`.
        seed: of the inner folds and of the model.

    Returns:
        ``metrics`` with ``test mae PROPERTY (UNIT)``, the ``settings`` chosen, and the calibration.
    """
    from zonemelt.tasks.train.collection import read_collection, split_of
    from zonemelt.tasks.train.model_folder import load_model

    labelled = read_collection(collection)
    network, card = load_model(Path(model))
    table = trunk_table(network, card, labelled, split_of(split, labelled), compositions=compositions)
    result = evaluate_fold(table, ModelSpec.of(classical), fold=TESTED, protocol=Protocol(seed=seed))
    name, unit = labelled.properties[0]
    return {
        "metrics": {f"test mae {name} ({unit or '1'})": result["mae"]},
        "settings": result["settings"],
        "uncertainty": result["uncertainty"],
        "model": model,
    }
