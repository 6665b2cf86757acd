"""What the command train works with: labels, splits that are drawn, how far a training is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from zonemelt.tasks.datasets import Dataset
    from zonemelt.tasks.quality.splits import Split
    from zonemelt.tasks.train.property_values import PropertyValues

GROUPS: Final = ("composition", "elements", "prototype", "calculation")
PARTS: Final = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class Data:
    """A dataset with the properties that are to be learnt of it.

    Attributes:
        dataset: at one version.
        values: of all its records.
    """

    dataset: Dataset
    values: PropertyValues

    @classmethod
    def read(cls, dataset: Dataset, properties: Sequence[str], ignoring: Sequence[str]) -> Data:
        """Read the properties.

        Raises:
            InputError: see :func:`zonemelt.tasks.train.property_values.read_properties`.
        """
        from zonemelt.tasks.train.property_values import read_properties

        return cls(dataset=dataset, values=read_properties(dataset, properties, ignoring=ignoring))

    @property
    def labelled(self) -> list[str]:
        """Identifiers of the records with a label.

        Raises:
            InputError: there are none.
        """
        values_NP = self.values.values_NP
        found = [self.values.names_N[row] for row in np.flatnonzero(np.isfinite(values_NP).any(axis=1))]
        if not found:
            raise InputError(
                "no record has a label",
                where=", ".join(name for name, _ in self.values.properties),
                remedy="give a dataset whose records have one of these properties",
            )
        return found


def draw(method: str, fractions: str, data: Data, *, seed: int) -> Split:
    """Draw a split among the records with a label.

    Args:
        method: random, or what keeps groups whole: one of :data:`GROUPS`.
        fractions: of train, validation and test, as a person writes them.
        data: what is split.
        seed: of the order.

    Raises:
        InputError: the fractions are wrong, or a part is empty.
    """
    from zonemelt.tasks.quality import groups
    from zonemelt.tasks.quality.splits import split_groups

    shares = _fractions(fractions)
    labelled = data.labelled
    by: dict[str, str] | None = None
    if method != "random":
        wanted = set(labelled)
        records: Any = (record for record in data.dataset.records() if record.identifier in wanted)
        if method != "calculation":
            records = ((record.identifier, record.geometry) for record in records)
        by = getattr(groups, f"by_{method}")(records)
    found = split_groups(
        labelled,
        shares,
        seed=seed,
        groups=by,
        by="" if by is None else method,
        dataset=data.dataset.version,
    )
    if empty := [part for part, members in found.parts.items() if not members]:
        raise InputError(
            f"part '{empty[0]}' is empty: {len(labelled)} records with a label"
            + ("" if by is None else f" in {len(set(by.values()))} groups"),
            where=f"--split {method}",
            remedy="give more records, or other --fractions",
        )
    return found


def _fractions(said: str) -> dict[str, float]:
    try:
        numbers = [float(one) for one in said.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != len(PARTS):
        raise InputError(
            f"'{said}' is not three numbers", where="--fractions", remedy="write such as 0.8,0.1,0.1"
        )
    return {part: number for part, number in zip(PARTS, numbers, strict=True) if number}


def progress(folder: Path, epochs: int) -> Callable[[], list[str]]:
    """Lines about the trainings in the folder of a model: epochs, the metric of record, errors in units.

    Args:
        folder: of the model; members of an ensemble have folders in it.
        epochs: how many there are to be at most.
    """
    from zonemelt.tasks.train.metrics_log import METRICS, read_metrics

    def look() -> list[str]:
        places = [path.parent for path in (folder / METRICS, *sorted(folder.glob(f"*/{METRICS}")))]
        return [
            progress_line("" if place == folder else f"{place.name}: ", lines, epochs)
            for place in places
            if (lines := read_metrics(place))
        ]

    return look


def progress_line(name: str, lines: Sequence[dict[str, float]], epochs: int) -> str:
    """How far a training is, from the lines of its ``metrics.jsonl``."""
    last = lines[-1]
    metric = "scaled mae" if "scaled mae" in last else next(key for key in last if key != "epoch")
    best = min(line[metric] for line in lines if metric in line)
    own = "".join(f", {key} {value:.4g}" for key, value in last.items() if key.startswith("mae "))
    epoch = int(last["epoch"]) + 1
    return f"{name}epoch {epoch:,} of {epochs:,}: {metric} {last[metric]:.4g} (best {best:.4g}){own}"
