"""Read chemical formulas into compositions, and say of each bad one what is wrong with it.

What is read: ``Fe2O3``, amounts with decimals and exponents (``Li0.95CoO2``, ``C1e-3``), brackets of
all kinds and nested, spaces, hydrates after ``·`` or ``*`` (``CuSO4·5H2O``), subscripts, and a charge
at the end where it cannot be taken for an amount: ``Na+``, ``Fe[3+]``, ``SO4^2-``, ``SO4²⁻``. A charge
changes no composition and is left out of it. ``Fe3+`` is refused: it may be Fe³⁺ or three Fe of one
charge.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from zonemelt.tasks.featurize.compositions import LEAST, Compositions
from zonemelt.tasks.featurize.table import Refused, raise_refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

LARGEST: Final = 1e12  # atoms in a formula: above it, digits of the others are lost
_AMOUNT = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_PLAIN = re.compile(rf"([A-Z][a-z]?)({_AMOUNT})?|(.)", re.ASCII | re.DOTALL)
_TOKEN = re.compile(
    rf"([A-Z][a-z]?)\s*({_AMOUNT})?|([(\[{{])|([)\]}}])\s*({_AMOUNT})?|\s+|(.)", re.ASCII | re.DOTALL
)
_CHARGE = re.compile(r"(?:\^\{?\d*[+-]\}?|[\[(]\d*[+-][\])]|(?<!\d)[+-]+)\s*$", re.ASCII)
_AMBIGUOUS = re.compile(r"\d[+-]+\s*$", re.ASCII)
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉•⋅∙", "0123456789···")
_RAISED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹]*[⁺⁻]$")
_CLOSES = {"(": ")", "[": "]", "{": "}"}
_REMEDY = "write a formula such as LiFePO4 or Ca(OH)2"


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """What was read of some formulas.

    Attributes:
        compositions: of those that could be read.
        rows_N: their places in what was given.
        refused: the others.
    """

    compositions: Compositions
    rows_N: NDArray[np.int64]
    refused: tuple[Refused, ...]


class _BadFormulaError(ValueError):
    """A reason, and a remedy."""


def parse(formulas: Iterable[Any], *, errors: Literal["raise", "quarantine"] = "raise") -> Parsed:
    """Read formulas.

    Args:
        formulas: texts; whatever is none is refused.
        errors: ``raise`` stops at bad ones, ``quarantine`` lists them in ``refused``.

    Raises:
        InputError: with ``raise``, a formula cannot be read: its row, what it says, and what to do.
    """
    numbers = _numbers()
    found: list[dict[int, float]] = []
    rows: list[int] = []
    refused: list[Refused] = []
    for row, formula in enumerate(formulas):
        try:
            amounts = _plain(formula, numbers) or _full(formula, numbers)
        except _BadFormulaError as bad:
            reason, remedy = bad.args
            refused.append(Refused(row=row, value=repr(formula)[:80], reason=reason, remedy=remedy))
        else:
            found.append(amounts)
            rows.append(row)
    if errors == "raise":
        raise_refused(refused)
    return Parsed(compositions=_flat(found), rows_N=np.array(rows, np.int64), refused=tuple(refused))


def _flat(found: list[dict[int, float]]) -> Compositions:
    """Compositions that are known to be sound."""
    return Compositions(
        numbers_E=np.fromiter(chain.from_iterable(found), np.uint8),
        amounts_E=np.fromiter(chain.from_iterable(amounts.values() for amounts in found), np.float64),
        first_N=np.cumsum([0, *map(len, found)], dtype=np.int64),
    )


def _numbers() -> dict[str, int]:
    from ase.data import chemical_symbols

    return {symbol: number for number, symbol in enumerate(chemical_symbols) if number}


def _plain(formula: Any, numbers: dict[str, int]) -> dict[int, float] | None:
    """Elements and amounts only, which most formulas are; None where there is more to it, or a mistake."""
    if not isinstance(formula, str):
        return None
    amounts: dict[int, float] = {}
    for symbol, amount, other in _PLAIN.findall(formula):
        number = numbers.get(symbol)
        if other or number is None or number in amounts:
            return None
        value = float(amount) if amount else 1.0
        if not LEAST <= value <= LARGEST:
            return None
        amounts[number] = value
    return amounts


def _full(formula: Any, numbers: dict[str, int]) -> dict[int, float]:
    """Read all that a formula may have.

    Raises:
        _BadFormulaError: it cannot be read.
    """
    if not isinstance(formula, str):
        raise _BadFormulaError(f"{type(formula).__name__} is no formula", _REMEDY)
    parts = re.split("[·*]", _neutral(formula.translate(_SUBSCRIPTS)))
    amounts: dict[int, float] = {}
    for place, part in enumerate(parts):
        if not part.strip():
            raise _BadFormulaError("it is empty" if len(parts) == 1 else "a part of it is empty", _REMEDY)
        factor, rest = 1.0, part
        if place and (match := re.match(rf"\s*({_AMOUNT})", part)):
            factor, rest = float(match[1]), part[match.end() :]
        for number, amount in _group(rest, numbers).items():
            amounts[number] = amounts.get(number, 0.0) + factor * amount
    amounts = {number: amount for number, amount in amounts.items() if amount >= LEAST}
    if not amounts:
        raise _BadFormulaError("it has no atoms", "give amounts above zero")
    if not max(amounts.values()) <= LARGEST:
        raise _BadFormulaError(f"it has more than {LARGEST:.0e} atoms of an element", _REMEDY)
    return amounts


def _neutral(formula: str) -> str:
    """A formula without its charge.

    Raises:
        _BadFormulaError: the charge may be an amount.
    """
    if match := _RAISED.search(formula.rstrip()):
        return formula[: match.start()]
    if match := _CHARGE.search(formula):
        return formula[: match.start()]
    if _AMBIGUOUS.search(formula):
        raise _BadFormulaError(
            "its last digits may be an amount or a charge", "write the charge as in Fe[3+] or SO4^2-"
        )
    return formula


def _group(text: str, numbers: dict[str, int]) -> dict[int, float]:
    """Elements, amounts and brackets.

    Raises:
        _BadFormulaError: they do not make a formula.
    """
    opened: list[str] = []
    levels: list[dict[int, float]] = [{}]
    for match in _TOKEN.finditer(text):
        symbol, amount, opening, closing, times, other = match.groups()
        if other:
            raise _BadFormulaError(f"'{other}' at place {match.start() + 1} means nothing here", _REMEDY)
        if symbol:
            _add(levels[-1], {_number(symbol, numbers): 1.0}, amount)
        elif opening:
            opened.append(opening)
            levels.append({})
        elif closing:
            if not opened or _CLOSES[opened.pop()] != closing:
                raise _BadFormulaError(f"'{closing}' at place {match.start() + 1} closes nothing", _REMEDY)
            inner = levels.pop()
            _add(levels[-1], inner, times)
    if opened:
        raise _BadFormulaError(f"'{opened[-1]}' is never closed", _REMEDY)
    return levels[0]


def _add(level: dict[int, float], more: dict[int, float], times: str | None) -> None:
    factor = float(times) if times else 1.0
    for number, amount in more.items():
        level[number] = level.get(number, 0.0) + factor * amount


def _number(symbol: str, numbers: dict[str, int]) -> int:
    if symbol in {"D", "T"}:
        raise _BadFormulaError(f"'{symbol}' is an isotope, not an element", "write H")
    if symbol not in numbers:
        raise _BadFormulaError(
            f"'{symbol}' is no element", "symbols are written as in NaCl: Na, not NA or na"
        )
    return numbers[symbol]
