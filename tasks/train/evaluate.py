"""Judge a trained model on records of a dataset, and say whether it has seen them before."""

# N records of the dataset, M of them judged, P properties

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jobflow import job

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.metrics.evaluation import evaluate
from zonemelt.tasks.quality.splits import SHOWN
from zonemelt.tasks.train.ask import ask_each, intervals, joined
from zonemelt.tasks.train.collection import split_of
from zonemelt.tasks.train.predictor import open_model
from zonemelt.tasks.train.property_values import read_properties
from zonemelt.tasks.train.seen import Seen, digests_of, read_seen, write_seen
from zonemelt.tasks.whole_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.datasets import Dataset
    from zonemelt.tasks.train.predictor import Predicted, Predictor
    from zonemelt.tasks.train.property_values import PropertyValues

EVALUATION: Final = "evaluation.json"
COVERAGE: Final = 0.9  # of the intervals that are judged
HOW: Final = "elements, cell and positions are those of a record that it was trained or validated on"


def evaluate_model(
    folder: Path | str,
    dataset: Dataset,
    *,
    properties: Sequence[str] = (),
    split: Mapping[str, Any] | None = None,
    part: str = "test",
    ignoring: Collection[str] = (),
    seen_too: bool = False,
    device: str = "cpu",
) -> dict[str, Any]:
    """Judge a model on the records with a label.

    Args:
        folder: of the model.
        dataset: with the records.
        properties: which of those that the model predicts; all of them by default.
        split: see :func:`.split_of`, of which only ``part`` is judged; all records where there is none.
        part: of the split.
        ignoring: fields of the level of theory that may differ among the records with one property.
        seen_too: judge records that the model has seen as well, and say how many these are.
        device: where networks compute.

    Returns:
        ``model``, ``dataset``, ``version``, ``part``; ``properties``: by name ``unit`` and what
        :func:`.evaluation.evaluate` returns; ``not_judged``: properties of which no record with a label could
        be predicted; ``refused``: records that the model refuses, with the reason;
        ``seen``: ``known`` (whether it is known what the model has seen), ``how`` it is known,
        ``same_structure`` and ``same_name`` (numbers of records) and the first ``records``.

    Raises:
        InputError: the model or a property is not there, units differ, no record has a label, or the model
            has seen some.
    """
    predictor = open_model(folder, device=device)
    units = dict(predictor.properties)
    for name in properties:
        if name not in units:
            raise UnknownKeyError.of(name, units, where=f"properties of the model {folder}")
    names = list(properties) or list(units)
    values = read_properties(dataset, names, ignoring=tuple(ignoring))
    _same_units(values, units)
    rows_N = _rows(values, split, part)
    seen = _seen(folder, dataset, values, rows_N, refuse=not seen_too)
    predicted, rows_M, refused = _asked(predictor, dataset, rows_N)
    judged = {name: _judged(name, values, rows_M, predicted) for name in names}
    return {
        "model": str(folder),
        "dataset": str(dataset.directory),
        "version": dataset.version,
        "part": part if split is not None else "",
        "properties": {name: {"unit": units[name], **found} for name, found in judged.items() if found},
        "not_judged": [name for name, found in judged.items() if not found],
        "refused": [{"record": values.names_N[row], "reason": reason} for row, reason in refused.items()],
        "seen": seen,
    }


def _same_units(values: PropertyValues, units: Mapping[str, str]) -> None:
    for name, unit in values.properties:
        if unit != units[name]:
            raise InputError(
                f"the records have it in '{unit}', the model in '{units[name]}'",
                where=f"property '{name}'",
                remedy="ingest the records with the unit of the model",
            )


def _rows(values: PropertyValues, split: Mapping[str, Any] | None, part: str) -> NDArray[np.int64]:
    """The records to be judged: those with a label, of the part."""
    labelled_N: NDArray[np.bool_] = np.asarray(np.isfinite(values.values_NP).any(axis=1))
    if split is None:
        rows_N = np.arange(len(labelled_N))
    else:
        parts = split_of(split, values)
        if part not in parts:
            raise UnknownKeyError.of(part, parts, where="parts of the split")
        rows_N = np.sort(parts[part])
    rows_N = rows_N[labelled_N[rows_N]]
    if not len(rows_N):
        raise InputError(
            "no record has a label",
            where=f"properties {', '.join(name for name, _ in values.properties)}",
            remedy="give records with one of them",
        )
    return rows_N


def _seen(
    folder: Path | str, dataset: Dataset, values: PropertyValues, rows_N: NDArray[np.int64], *, refuse: bool
) -> dict[str, Any]:
    """Which of the records the model has seen; see :func:`evaluate_model`."""
    known = read_seen(folder)
    if known is None:
        return {"known": False, "how": "", "same_structure": 0, "same_name": 0, "records": []}
    digests_N = digests_of(dataset)
    chosen = rows_N.tolist()
    found = known.among([values.names_N[row] for row in chosen], [digests_N[row] for row in chosen])
    same = found["same_structure"]
    if same and refuse:
        raise InputError(
            f"the model has seen {len(same)} of {len(rows_N)} records: {', '.join(same[:SHOWN])}; "
            f"their {HOW}",
            where=str(folder),
            remedy="judge it on others (--split FILE --part test), or say that you want to (--seen-too)",
        )
    return {
        "known": True,
        "how": HOW,
        "same_structure": len(same),
        "same_name": len(found["same_name"]),
        "records": (same or found["same_name"])[:SHOWN],
    }


def _asked(
    predictor: Predictor, dataset: Dataset, rows_N: NDArray[np.int64]
) -> tuple[Predicted | None, NDArray[np.int64], dict[int, str]]:
    """What the model says of some rows of a dataset, which are read in batches."""
    parts, rows, refused, start = [], [], {}, 0
    for crystals in dataset.crystals():
        chosen = rows_N[(rows_N >= start) & (rows_N < start + len(crystals))]
        if len(chosen):
            answers = ask_each(predictor, crystals.take(chosen - start))
            refused.update({int(chosen[place]): why for place, why in answers.refused.items()})
            if answers.predicted is not None:
                parts.append(answers.predicted)
                rows.append(chosen[answers.rows_M])
        start += len(crystals)
    if not parts:
        return None, np.empty(0, np.int64), refused
    return joined(parts), np.concatenate(rows), refused


def _judged(
    name: str, values: PropertyValues, rows_M: NDArray[np.int64], predicted: Predicted | None
) -> dict[str, Any]:
    """One property, on the rows that have it and were predicted; empty where there are none."""
    labels_M = values.values_NP[rows_M, [one for one, _ in values.properties].index(name)]
    has = np.flatnonzero(np.isfinite(labels_M))
    if predicted is None or not len(has):
        return {}
    column = [one for one, _ in predicted.properties].index(name)
    low_M, high_M = intervals(predicted, COVERAGE).get(name, (None, None))
    deviation_NP = predicted.deviation_NP
    chosen = rows_M[has].tolist()
    found = evaluate(
        labels_M[has],
        predicted.mean_NP[has, column],
        names_N=[values.names_N[row] for row in chosen],
        elements_N=[values.elements_N[row] for row in chosen],
        deviations_N=None if deviation_NP is None else deviation_NP[has, column],
        low_N=None if low_M is None else low_M[has],
        high_N=None if high_M is None else high_M[has],
    )
    if found["intervals"] is not None:
        found["intervals"]["promised"] = COVERAGE
    return found


@job
def judge_job(
    *,
    model: str,
    dataset: str,
    version: str,
    properties: list[str],
    split: dict[str, Any],
    ignoring: list[str],
    trained: Any,  # noqa: ARG001 (the model is there when this is)
) -> dict[str, Any]:
    """Note what a new model has seen, and judge it on the test part; see :func:`evaluate_model`.

    Both are kept beside the model, as ``seen.json`` and ``evaluation.json``.

    Returns:
        The evaluation; without a test part ``properties`` is empty. ``parts`` says how many records each has.
    """
    from zonemelt.tasks.datasets import open_dataset

    opened, folder = open_dataset(dataset, version), Path(model)
    values = read_properties(opened, properties, ignoring=ignoring)
    parts = split_of(split, values)
    digests_N = digests_of(opened)
    rows = [row for part in parts if part != "test" for row in parts[part].tolist()]
    write_seen(
        folder,
        Seen(
            dataset=opened.version,
            identifiers=tuple(values.names_N[row] for row in rows),
            geometries=tuple(digests_N[row] for row in rows),
        ),
    )
    found: dict[str, Any] = {"model": model, "dataset": dataset, "version": version}
    found |= {"properties": {}, "not_judged": []}
    if "test" in parts:
        found = evaluate_model(
            folder, opened, properties=properties, split=split, ignoring=ignoring, seen_too=True
        )
    found["parts"] = {part: len(members) for part, members in parts.items()}
    write_whole(folder / EVALUATION, f"{json.dumps(found, indent=1)}\n".encode())
    return found
