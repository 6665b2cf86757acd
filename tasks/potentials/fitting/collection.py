"""Collections of energies and forces: what a potential is trained on, of one level of theory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.train.collection import read_collection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zonemelt.tasks.datasets import Dataset
    from zonemelt.tasks.theory import Theory
    from zonemelt.tasks.train.labelled import Labelled

ENERGY = "energy_free_per_atom"


def read_structures(document: Mapping[str, Any]) -> tuple[Labelled, Theory]:
    """Open a collection, and say with which level of theory its energies were computed.

    Args:
        document: a :class:`.Collection` as JSON; its properties are not read, and may be left out.

    Raises:
        InputError: see :func:`.read_collection`; in particular where levels of theory are mixed.
    """
    from zonemelt.tasks.datasets import open_dataset

    if "joined" in document:
        raise InputError(
            "several collections", where="collection", remedy="commit their records to one dataset"
        )
    labelled = read_collection({**document, "properties": [ENERGY]})
    known = np.isfinite(labelled.values_NP[:, 0])
    if not known.any():
        raise InputError(
            "no record has an energy_free", where="collection", remedy="give energies that go with the forces"
        )
    return labelled, theory_of(open_dataset(document["dataset"], document["version"]), known)


def theory_of(dataset: Dataset, rows: Any) -> Theory:
    """The one level of theory of some records, with the setups and U of all elements among them."""
    frame = dataset.frame(["theory", "setups", "hubbard_u"])[rows]
    per_element: dict[str, dict[str, Any]] = {"setups": {}, "hubbard_u": {}}
    for name, known in per_element.items():
        for text in frame[name].unique():
            known.update(json.loads(text))
    return dataset.theories[frame["theory"].iloc[0]].model_copy(update=per_element)
