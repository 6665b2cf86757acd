"""Whether records share one level of theory, found from a few columns of a stream."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.theory import OneTheory

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from zonemelt.tasks.theory import Theory

LEVEL_COLUMNS: Final = ("identifier", "theory", "hubbard_u", "setups", "elements")
"""Of a dataset: what is looked at."""


def one_level(
    batches: Iterable[Any], theories: Mapping[str, Theory], *, ignoring: Collection[str] = ()
) -> str:
    """The key of the one level of theory that all rows share, as ``records.one_theory`` finds it.

    Only what differs is looked at: the distinct combinations of level, setups, U and elements.

    Args:
        batches: with :data:`LEVEL_COLUMNS`.
        theories: key → level of theory.
        ignoring: fields of the theory that may differ, because somebody who knows said so.

    Raises:
        InputError: there is no row, the levels differ, or an element has two setups or two values of U.
    """
    one = OneTheory(ignoring)
    add_levels(one, batches, theories)
    return one.key(where="dataset")


def add_levels(one: OneTheory, batches: Iterable[Any], theories: Mapping[str, Theory]) -> None:
    """Look at the levels of theory of rows; see :func:`one_level`.

    Raises:
        InputError: an element has two setups or two values of U.
    """
    known: set[tuple[str, ...]] = set()
    for batch in batches:
        rows = zip(*(batch.column(name).to_pylist() for name in LEVEL_COLUMNS), strict=True)
        for identifier, theory, hubbard_u, setups, elements in rows:
            combination = (theory, hubbard_u, setups, elements)
            if combination in known:
                continue
            known.add(combination)
            per_element = {"setups": json.loads(setups), "hubbard_u": json.loads(hubbard_u)}
            level = theories[theory].model_copy(update=per_element)
            one.add(level, elements.split("-"), identifier=identifier)
