"""Keep what a target is tested on out of what is learned before: by composition, or by structure."""

# N samples

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from zonemelt.tasks.errors import UnknownKeyError
from zonemelt.tasks.quality.splits import check_leaks, find_leaks, split_given

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.quality.splits import Split
    from zonemelt.tasks.train.labelled import Labelled

Groups = Literal["composition", "structure"]
_TOGETHER: Final = 1024  # structures read at a time


def check_apart(
    learned: Mapping[str, tuple[Labelled, NDArray[np.int64]]],
    tested: tuple[Labelled, NDArray[np.int64]],
    *,
    by: Groups,
) -> None:
    """Refuse a pre-training that has seen what the target is tested on.

    Args:
        learned: collections of the pre-training with the rows that take part.
        tested: the target with the rows of its test part.
        by: ``composition``: no reduced formula is in both, which no structure can then be; ``structure``: no
            crystal is in both, however its cell was chosen (see :func:`.exact_key`).

    Raises:
        InputError: with the groups and their members.
    """
    check_leaks(*_as_split(learned, tested, by))


def rows_apart(
    learned: Mapping[str, tuple[Labelled, NDArray[np.int64]]],
    tested: tuple[Labelled, NDArray[np.int64]],
    *,
    by: Groups,
) -> dict[str, NDArray[np.int64]]:
    """The rows of each pre-training collection that share no group with the test part of the target."""
    split, groups = _as_split(learned, tested, by)
    seen = {leak.group for leak in find_leaks(split, groups)}
    return {
        name: np.array([row for row in rows.tolist() if groups[f"{name}/{row}"] not in seen], np.int64)
        for name, (_, rows) in learned.items()
    }


def groups_of(labelled: Labelled, rows: NDArray[np.int64], *, by: Groups) -> list[str]:
    """The group of each row; see :func:`check_apart`."""
    keys = {"composition": _compositions, "structure": _structures}
    if by not in keys:
        raise UnknownKeyError.of(by, keys, where="leaks by")
    found: list[str] = []
    for start in range(0, len(rows), _TOGETHER):
        found += keys[by](labelled.source.read(rows[start : start + _TOGETHER]).crystals)
    return found


def _compositions(crystals: Crystals) -> list[str]:
    """Their reduced formulas."""
    from ase.data import chemical_symbols

    from zonemelt.tasks.featurize.compositions import Compositions

    all_of_them = Compositions.of_crystals(crystals)
    symbols = [chemical_symbols[number] for number in all_of_them.numbers_E.tolist()]
    amounts = all_of_them.amounts_E.astype(np.int64)
    return [
        "".join(
            f"{symbol}{amount}"
            for symbol, amount in sorted(
                zip(
                    symbols[start:stop],
                    amounts[start:stop] // np.gcd.reduce(amounts[start:stop]),
                    strict=True,
                )
            )
        )
        for start, stop in pairwise(all_of_them.first_N.tolist())
    ]


def _structures(crystals: Crystals) -> list[str]:
    from zonemelt.tasks.quality.canonical import exact_key
    from zonemelt.tasks.records import Geometry

    return [exact_key(Geometry.of(crystals.atoms(one))) for one in range(len(crystals))]


def _as_split(
    learned: Mapping[str, tuple[Labelled, NDArray[np.int64]]],
    tested: tuple[Labelled, NDArray[np.int64]],
    by: Groups,
) -> tuple[Split, dict[str, str]]:
    """Pre-training and test as the parts of one split, and the group of each of their samples."""
    groups: dict[str, str] = {}
    for name, (labelled, rows) in learned.items():
        names = [f"{name}/{row}" for row in rows.tolist()]
        groups |= dict(zip(names, groups_of(labelled, rows, by=by), strict=True))
    labelled, rows = tested
    judged = [f"test: {labelled.names_N[row]}" for row in rows.tolist()]
    parts = {"pre-training": list(groups), "test": judged}
    groups |= dict(zip(judged, groups_of(labelled, rows, by=by), strict=True))
    return split_given(parts, groups), groups
