"""What commands that train work with: records with labels, and splits of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonemelt.tasks.datasets import Dataset
    from zonemelt.tasks.quality.splits import Split
    from zonemelt.tasks.train.property_values import PropertyValues
    from zonemelt.workflows.cli.training_options import Drawn

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


def opened_data(dataset: str, properties: Sequence[str], drawn: Drawn) -> Data:
    """A version of a dataset, with the properties that are to be learnt of it."""
    from zonemelt.tasks.datasets import open_dataset

    opened = open_dataset(Path(dataset).absolute(), drawn.version or None)
    return Data.read(opened, properties, drawn.ignoring or [])


def split_of(data: Data, drawn: Drawn, *, seed: int) -> Split:
    """The split that a person means: drawn, or of a file.

    Raises:
        InputError: there is no such way and no such file, or a part is empty.
    """
    from zonemelt.tasks.quality.split_file import read_split

    said = drawn.split
    if said in {"random", *GROUPS}:
        return draw(said, drawn.fractions, data, seed=seed)
    if Path(said).suffix != ".json" and not Path(said).exists():
        raise InputError(
            f"there is no way to split called '{said}', and no such file",
            where="--split",
            remedy=f"say random, {', '.join(GROUPS)}, or name a split file (docs/training.md)",
        )
    return read_split(said)
