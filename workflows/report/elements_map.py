"""A periodic table as a piece of SVG, its fields darker where numbers are larger."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from markupsafe import Markup

_COLUMNS: Final = 18
_NOBLE: Final = (2, 10, 18, 36, 54, 86, 118)
_F_ROWS: Final = {57: 8, 89: 9}  # first of the lanthanides and actinides → the row they stand in


def place(number: int) -> tuple[int, int]:
    """Row and column, from zero, of the element with that atomic number."""
    for first, row in _F_ROWS.items():
        if first <= number < first + 15:
            return row - 1, 2 + number - first
    period = next(at for at, last in enumerate(_NOBLE) if number <= last)
    start = (_NOBLE[period - 1] if period else 0) + 1
    at = number - start
    length = _NOBLE[period] - start + 1
    if at < 2 and not (period == 0 and at == 1):  # noqa: PLR2004
        return period, at
    return period, _COLUMNS - (length - at)


def elements_map(values: Mapping[str, float]) -> Markup:
    """The table.

    Args:
        values: symbol → number, not below zero; other symbols than those of elements are left out.
    """
    from ase.data import atomic_names, chemical_symbols
    from markupsafe import Markup, escape

    highest = max(values.values(), default=0.0)
    fields = []
    for number in range(1, 119):
        row, column = place(number)
        symbol = chemical_symbols[number]
        value = values.get(symbol, 0.0)
        share = math.log1p(value) / math.log1p(highest) if highest else 0.0
        look = f'style="--share:{share:.3f}" class="some"' if value else ""
        fields.append(
            f'<g transform="translate({34 * column} {34 * row + (8 if row > 6 else 0)})" {look}>'  # noqa: PLR2004
            f"<title>{escape(atomic_names[number])}: {value:,.6g}</title>"
            f'<rect width="32" height="32" rx="3"/><text x="16" y="16">{symbol}</text>'
            + (f'<text x="16" y="27" class="value">{value:,.4g}</text>' if value else "")
            + "</g>"
        )
    top = ", ".join(f"{one} {value:,.6g}" for one, value in sorted(values.items(), key=lambda i: -i[1])[:5])
    return Markup(  # noqa: S704 (numbers and symbols of ours)
        '<svg class="elements" viewBox="0 0 612 322" role="img" '
        f'aria-label="Periodic table; most: {escape(top)}">'
        f"{''.join(fields)}</svg>"
    )
