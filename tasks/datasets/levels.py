"""Whether records share one level of theory, found from a few columns of a stream."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from zonemelt.tasks.theory import Theory


def one_level(
    batches: Iterable[Any], theories: Mapping[str, Theory], *, ignoring: Collection[str] = ()
) -> str:
    """The key of the one level of theory that all rows share, as ``records.one_theory`` finds it.

    Only what differs is looked at: the distinct combinations of level, setups, U and elements of each batch.

    Args:
        batches: with the columns identifier, theory, hubbard_u, setups and elements.
        theories: key → level of theory.
        ignoring: fields of the theory that may differ, because somebody who knows said so.

    Raises:
        InputError: there is no row, the levels differ, or an element has two setups or two values of U.
    """
    found: dict[str, tuple[str, str]] = {}
    seen: dict[tuple[str, str], Any] = {}
    known: set[tuple[str, ...]] = set()
    for batch in batches:
        columns = ["theory", "hubbard_u", "setups", "elements"]
        rows = zip(*(batch.column(name).to_pylist() for name in (*columns, "identifier")), strict=True)
        for theory, hubbard_u, setups, elements, identifier in rows:
            combination = (theory, hubbard_u, setups, elements)
            if combination in known:
                continue
            known.add(combination)
            level = theories[theory]
            found.setdefault(level.key_without(ignoring), (identifier, level.described))
            per_element = {"setups": json.loads(setups), "hubbard_u": json.loads(hubbard_u)}
            for element in elements.split("-"):
                _same(per_element, element, seen, ignoring, identifier)
    if len(found) != 1:
        levels = "; ".join(f"{key} ({identifier}: {said})" for key, (identifier, said) in found.items())
        raise InputError(
            f"levels of theory are mixed: {levels}" if found else "there are no records",
            where="dataset",
            remedy="compare and train only on labels of one level of theory",
        )
    return next(iter(found))


def _same(
    per_element: Mapping[str, Mapping[str, Any]],
    element: str,
    seen: dict[tuple[str, str], Any],
    ignoring: Collection[str],
    identifier: str,
) -> None:
    own = {
        "setups": per_element["setups"].get(element),
        "hubbard_u": per_element["hubbard_u"].get(element, 0.0),
    }
    for field, value in own.items():
        if field in ignoring or value is None:
            continue
        if (other := seen.setdefault((field, element), value)) != value:
            raise InputError(
                f"two {field} for {element}: {other} and {value}",
                where=f"record {identifier}",
                remedy="use together only what was computed with one set of potentials and of U",
            )
