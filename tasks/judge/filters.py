"""Pick verdicts by conditions in words, such as ``above_hull<0.05, novel, no Pb``; none is run as code."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.judge.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from zonemelt.tasks.judge.verdict import Verdict

_COMPARED: Final = re.compile(r"^(?P<field>[A-Za-z][\w.]*)\s*(?P<sign><=|>=|!=|==|=|<|>)\s*(?P<value>.+)$")
_FLAG: Final = re.compile(r"^(?P<no>not\s+)?(?P<field>[A-Za-z][\w.]*)$")
_OF_ATOMS: Final = re.compile(r"^((no|without|with|only|at most|at least)\s|[<>≤≥])")
_SIGNS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b, "==": lambda a, b: a == b, "!=": lambda a, b: a != b,
}  # fmt: skip
_REMEDY: Final = "such as 'above_hull<0.05, novel, verdict=stable, not left_basin, no Pb, with Li'"


def row_of(verdict: Verdict, **more: Any) -> dict[str, Any]:
    """The fields of a verdict that can be shown, compared and sorted by, flat.

    Args:
        verdict: of one candidate.
        more: fields that it does not have itself, such as ``round``.
    """
    symbols = verdict.geometry.symbols if verdict.geometry else ()
    label, origin = verdict.label, verdict.origin
    return {
        "identifier": verdict.identifier, "formula": verdict.formula, "verdict": str(verdict.verdict),
        "above_hull": verdict.above_hull, "deviation": verdict.deviation,
        "probability": verdict.probability, "formation_energy": verdict.formation_energy,
        "energy_per_atom": verdict.energy_per_atom, "volume_change": verdict.volume_change,
        "lowest_frequency": verdict.lowest_frequency, "space_group": verdict.space_group,
        "elements": len(set(symbols)) or None, "atoms": len(symbols) or None,
        "valid": verdict.valid, "converged": verdict.converged, "left_basin": verdict.left_basin,
        "unique": verdict.group == verdict.identifier, "group": verdict.group,
        "novel": verdict.novel, "same_as": verdict.same_as,
        "dynamically_stable": verdict.dynamically_stable, "on_target": verdict.on_target,
        "labelled": label is not None,
        "label.above_hull": label.above_hull if label else None,
        "label.energy_per_atom": label.energy_per_atom if label else None,
        "label.max_force": label.max_force if label else None,
        "origin": origin.explorer if origin else "", "parent": origin.parent if origin else "",
        **more,
        **{name: one.value for name, one in verdict.properties.items()},
    }  # fmt: skip


class Conditions:
    """Conditions, read.

    Args:
        said: each one condition or several with commas.
        fields: that rows have.
        where: for messages.

    Raises:
        UnknownKeyError: a field that no row has, with the nearest.
        InputError: a condition cannot be read.
    """

    def __init__(self, said: Iterable[str], fields: Collection[str], *, where: str = "--filter") -> None:
        self._tests: list[Callable[[Mapping[str, Any]], bool]] = []
        of_atoms: list[str] = []
        for part in (one.strip() for text in said for one in text.split(",")):
            if not part:
                continue
            if found := _COMPARED.match(part):
                self._tests.append(_comparison(found, fields, where))
            elif _OF_ATOMS.match(part):
                of_atoms.append(part)
            elif found := _FLAG.match(part):
                self._tests.append(_flag(found, fields, where))
            else:
                raise InputError(f"'{part}' cannot be read", where=where, remedy=_REMEDY)
        self._target = Target.of(", ".join(of_atoms), where=where) if of_atoms else None

    def hold(self, row: Mapping[str, Any], symbols: Sequence[str]) -> bool:
        """Whether all hold; of what is not known only ``!=`` does.

        Raises:
            InputError: words are compared with numbers.
        """
        if self._target is not None and (not symbols or any(self._target.composition_faults(symbols))):
            return False
        return all(test(row) for test in self._tests)


def sorted_rows(
    rows: Iterable[Mapping[str, Any]], field: str, fields: Collection[str], *, reverse: bool = False
) -> list[Mapping[str, Any]]:
    """Rows by a field; those in which it is not known come last.

    Args:
        rows: of :func:`row_of`.
        field: of them.
        fields: that they have.
        reverse: the largest first.

    Raises:
        UnknownKeyError: a field that no row has, with the nearest.
    """
    if field not in fields:
        raise UnknownKeyError.of(field, fields, where="--sort")
    every = list(rows)
    known = [one for one in every if one.get(field) is not None]
    known.sort(key=lambda one: (one[field], str(one["identifier"])), reverse=reverse)
    return [*known, *(one for one in every if one.get(field) is None)]


def _comparison(
    found: re.Match[str], fields: Collection[str], where: str
) -> Callable[[Mapping[str, Any]], bool]:
    name, sign = found["field"], found["sign"]
    if name not in fields:
        raise UnknownKeyError.of(name, fields, where=where)
    value = _value(found["value"].strip(), where)

    def test(row: Mapping[str, Any]) -> bool:
        there = row.get(name)
        if there is None:
            return sign == "!="
        if sign in {"=", "==", "!="}:
            return _SIGNS[sign](str(there) if isinstance(value, str) else there, value)
        if isinstance(there, bool | str) or isinstance(value, bool | str):
            raise InputError(
                f"'{found[0]}': {name} is such as {there!r}",
                where=where,
                remedy="compare words and yes or no with = or !=",
            )
        return _SIGNS[sign](there, value)

    return test


def _flag(found: re.Match[str], fields: Collection[str], where: str) -> Callable[[Mapping[str, Any]], bool]:
    name = found["field"]
    if name not in fields:
        raise UnknownKeyError.of(name, fields, where=where)
    wanted = not found["no"]
    return lambda row: row.get(name) is not None and bool(row[name]) is wanted


def _value(text: str, where: str) -> float | bool | str:
    if text.lower() in {"true", "yes", "false", "no"}:
        return text.lower() in {"true", "yes"}
    try:
        number = float(text)
    except ValueError:
        return text.strip("'\"")
    if not math.isfinite(number):
        raise InputError(f"'{text}' is no number", where=where, remedy=_REMEDY)
    return number
