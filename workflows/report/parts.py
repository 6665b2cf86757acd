"""What a section of a report is made of: tables, plots, facts, notes; plain values without any HTML."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Cell: TypeAlias = "str | float | None"

MEV: Final = 1000.0
"""Energies per atom are kept in eV and shown in meV."""
_NUMBER: Final = re.compile(r"[-+]?[\d,.]+(e[-+]?\d+)?( ?± ?[\d.,]+)?( ?%)?")
_COMMON: Final = 1e5  # from here on, and below its inverse, powers of ten


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under titles.

    Attributes:
        caption: what the rows are.
        columns: titles, with units.
        rows: texts and numbers; None is shown as nothing.
        of: how many there are, where not all are shown.
        folded: hidden until somebody opens it.
    """

    kind: ClassVar[str] = "table"
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    of: int | None = None
    folded: bool = False

    @property
    def texts(self) -> list[list[str]]:
        """The cells as they are shown."""
        return [[shown(cell) for cell in row] for row in self.rows]

    @property
    def numeric(self) -> list[bool]:
        """Which columns hold numbers only."""
        columns = list(zip(*self.texts, strict=True)) or [()] * len(self.columns)
        return [any(column) and all(not c or _NUMBER.fullmatch(c) for c in column) for column in columns]


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A figure drawn by Plotly, with words and a table that say the same.

    Attributes:
        name: unique in a report.
        title: what is shown.
        traces: of Plotly.
        layout: of Plotly, without colours and fonts: the page adds those.
        alt: what there is to see, for those who cannot.
        caption: what to know when reading it.
        table: the numbers.
        height: of the figure, in pixels.
    """

    kind: ClassVar[str] = "plot"
    name: str
    title: str
    traces: Sequence[Mapping[str, Any]]
    layout: Mapping[str, Any]
    alt: str
    caption: str = ""
    table: Table | None = None
    height: int = 380


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Terms and what they are."""

    kind: ClassVar[str] = "facts"
    rows: Sequence[tuple[str, Cell]]
    caption: str = ""

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Those that say something."""
        return [(term, text) for term, cell in self.rows if (text := shown(cell))]


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """A few numbers to begin with: value and what it is."""

    kind: ClassVar[str] = "tiles"
    tiles: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Notes:
    """Sentences.

    Attributes:
        lines: one or more.
        level: ``plain``, or ``warning`` for what must not be overlooked.
    """

    kind: ClassVar[str] = "notes"
    lines: Sequence[str]
    level: str = "plain"


@dataclass(frozen=True, kw_only=True)
class Code:
    """A text as it stands in a file."""

    kind: ClassVar[str] = "code"
    caption: str
    text: str
    open: bool = False


@dataclass(frozen=True, kw_only=True)
class PeriodicTable:
    """A number for each element, as a heat map.

    Attributes:
        caption: what the numbers are, with their unit.
        values: symbol → number.
    """

    kind: ClassVar[str] = "elements"
    caption: str
    values: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """Crystals to be turned around.

    Attributes:
        name: unique in a report.
        caption: which crystals they are.
        scenes: see :func:`.scenes.scene`.
    """

    kind: ClassVar[str] = "scenes"
    name: str
    caption: str
    scenes: Sequence[Mapping[str, Any]]


Part: TypeAlias = "Table | Plot | Facts | Tiles | Notes | Code | PeriodicTable | Scenes"


@dataclass(frozen=True, kw_only=True)
class Section:
    """One heading of a report.

    Attributes:
        name: of the anchor.
        title: the heading.
        parts: in order.
    """

    name: str
    title: str
    parts: Sequence[Part] = field(default_factory=tuple)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for ``--json``: numbers and words, no figures."""
        said: dict[str, Any] = {"title": self.title}
        for part in self.parts:
            table = part.table if isinstance(part, Plot) else part
            if isinstance(table, Table):
                rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
                said.setdefault("tables", []).append({"caption": table.caption, "rows": rows})
            elif isinstance(part, Facts):
                said.setdefault("facts", {}).update(dict(part.rows))
            elif isinstance(part, Tiles):
                said["numbers"] = {what: value for value, what in part.tiles}
            elif isinstance(part, Notes):
                said.setdefault("notes", []).extend(part.lines)
            elif isinstance(part, PeriodicTable):
                said["elements"] = dict(part.values)
            elif isinstance(part, Code):
                said.setdefault("texts", {})[part.caption] = part.text
        return said


def shown(cell: Cell) -> str:
    """A cell as text: four digits of a number, nothing for None."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int):
        return f"{cell:,}"
    return number(cell)


def number(value: float) -> str:
    """Four digits, in the usual way where that is short."""
    if not math.isfinite(value):
        return ""
    if value and not 1 / _COMMON < abs(value) < _COMMON:
        return f"{value:.3g}"
    text = f"{value:,.4g}"
    return f"{value:,.0f}" if "e" in text else text


def milli(value: float | None, digits: int = 1) -> str:
    """An energy in eV as a number of meV."""
    return "" if value is None else f"{MEV * value:.{digits}f}"


def first_line(text: str, most: int = 200) -> str:
    """The first line of a text, cut where it is long."""
    line = text.strip().splitlines()[0] if text.strip() else ""
    return line if len(line) <= most else f"{line[: most - 1]}…"
