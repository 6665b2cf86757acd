"""Describe compositions by the fraction of each element, and by the tables that build on it."""

# N compositions, E elements of all of them one after the other, F features

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.compositions import ELEMENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.featurize.compositions import Compositions

BLOCKS: Final = ("fractions", "magpie", "ward")


def fractions(compositions: Compositions) -> NDArray[np.float64]:
    """Atomic fractions (N, 118), by atomic number from hydrogen; each row sums to 1."""
    values_NF = np.zeros((len(compositions), ELEMENTS))
    rows_E = np.repeat(np.arange(len(compositions)), compositions.lengths_N)
    values_NF[rows_E, compositions.numbers_E.astype(np.int64) - 1] = compositions.amounts_E
    values_NF /= values_NF.sum(axis=1, keepdims=True)
    return values_NF


def fraction_labels() -> tuple[str, ...]:
    """What the columns of :func:`fractions` are called."""
    from ase.data import chemical_symbols

    return tuple(f"fraction {symbol}" for symbol in chemical_symbols[1 : ELEMENTS + 1])


def composition_blocks(formulas: Sequence[str], *, blocks: Sequence[str] = BLOCKS) -> dict[str, Any]:
    """Features of formulas, in named blocks that a model can choose from.

    Args:
        formulas: N of them; all must be readable.
        blocks: ``fractions``, ``magpie`` and ``ward``; an element without a property gets the mean of it
            over the elements that have it, which does not depend on the data.

    Returns:
        ``values`` (N, F), ``labels`` (F) and ``blocks``: for each name its first column and the one after
        its last. Elements in none of the formulas have no column.

    Raises:
        InputError: a formula cannot be read, or there is no such block.
    """
    from zonemelt.tasks.featurize.formulas import parse
    from zonemelt.tasks.featurize.magpie import labels, magpie, ward, ward_labels

    if not blocks or not set(blocks) <= set(BLOCKS):
        raise InputError(f"blocks {list(blocks)}", where="blocks", remedy=f"choose from {', '.join(BLOCKS)}")
    compositions = parse(formulas).compositions
    tables: list[NDArray[np.float64]] = []
    names: list[str] = []
    places: dict[str, tuple[int, int]] = {}
    for block in blocks:
        if block == "fractions":
            table, columns = fractions(compositions), fraction_labels()
            used_F = table.any(axis=0)
            table, columns = table[:, used_F], tuple(np.array(columns)[used_F].tolist())
        elif block == "magpie":
            table, columns = magpie(compositions, missing="mean"), labels()
        else:
            table, columns = ward(compositions, missing="mean"), ward_labels()
        places[block] = (len(names), len(names) + len(columns))
        names += columns
        tables.append(table)
    return {"values": np.hstack(tables), "labels": tuple(names), "blocks": places}
