"""Keep what a report needs of very many candidates: a few numbers of each, and the best ones whole."""

from __future__ import annotations

import heapq
import re
from array import array
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

TABLE: Final = 200
"""Candidates in the table of a report."""
NUMBERS: Final = ("above_hull", "formation_energy", "deviation", "energy_per_atom", "labelled")
"""Columns, eV/atom; ``labelled`` is the energy per atom that an oracle gave."""
SIEVES: Final = ("generated", "valid", "converged", "unique", "novel", "stable", "confirmed")
_PART: Final = re.compile(r"([A-Z][a-z]?)([\d.]*)")
_NAN: Final = float("nan")
_NOVEL: Final = SIEVES.index("novel")


def composition(formula: str) -> dict[str, float]:
    """Element → atoms of a formula without brackets; empty for what is none."""
    found: dict[str, float] = {}
    for symbol, number in _PART.findall(formula):
        found[symbol] = found.get(symbol, 0.0) + float(number or 1)
    return found


@dataclass
class Best:
    """The things with the lowest values, so many at most."""

    most: int = TABLE
    _heap: list[tuple[float, int, Any]] = field(default_factory=list)
    _order: Any = field(default_factory=count)

    def add(self, value: float, thing: Any) -> None:
        """Keep it while it is among the best."""
        entry = (-value, -next(self._order), thing)
        if len(self._heap) < self.most:
            heapq.heappush(self._heap, entry)
        elif entry > self._heap[0]:
            heapq.heapreplace(self._heap, entry)

    @property
    def things(self) -> list[Any]:
        """The lowest first; the earlier first of equals."""
        return [thing for _, _, thing in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]


@dataclass
class Candidates:
    """Verdicts (see :class:`.Verdict`), as documents; a later one on a candidate stands for the earlier."""

    formulas: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    _rows: dict[str, int] = field(default_factory=dict)
    _depths: Any = field(default_factory=lambda: array("b"))
    _numbers: dict[str, Any] = field(default_factory=lambda: {name: array("d") for name in NUMBERS})
    _best: Best = field(default_factory=lambda: Best(most=3 * TABLE))

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, one: Mapping[str, Any]) -> None:
        """Take a verdict."""
        for summed in ("passed", "counts", "elements", "systems"):
            self.__dict__.pop(summed, None)
        name, word, above = str(one["identifier"]), str(one["verdict"]), one.get("above_hull")
        depth = depth_of(one, word)
        values = {**one, "labelled": (one.get("label") or {}).get("energy_per_atom")}
        row = self._rows.setdefault(name, len(self._rows))
        if row == len(self.words):
            self.formulas.append(str(one.get("formula") or ""))
            self.words.append(word)
            self._depths.append(depth)
            for column in NUMBERS:
                self._numbers[column].append(_number(values.get(column)))
        else:
            self.words[row], self._depths[row] = word, depth
            for column in NUMBERS:
                self._numbers[column][row] = _number(values.get(column))
        if isinstance(above, int | float) and depth >= _NOVEL:
            self._best.add(above, one)

    def column(self, name: str) -> NDArray[np.float64]:
        """One of :data:`NUMBERS` (N,); NaN for none."""
        import numpy as np

        return np.array(self._numbers[name], dtype=float)

    @property
    def best(self) -> list[Mapping[str, Any]]:
        """Verdicts whole, those nearest to the hull first, of what is valid, unique and novel."""
        latest: dict[str, Mapping[str, Any]] = {}
        for one in self._best.things:
            row = self._rows[one["identifier"]]
            if self._numbers["above_hull"][row] == one["above_hull"] and self._depths[row] >= _NOVEL:
                latest[one["identifier"]] = one
        return list(latest.values())[:TABLE]

    @cached_property
    def passed(self) -> dict[str, int]:
        """Sieve → how many came through it and all before it."""
        depths = Counter(self._depths)
        return {name: sum(n for depth, n in depths.items() if depth >= at) for at, name in enumerate(SIEVES)}

    @cached_property
    def counts(self) -> Counter[str]:
        """Verdict in one word → how many."""
        return Counter(self.words)

    @cached_property
    def elements(self) -> Counter[str]:
        """Symbol → new candidates with it that are stable or metastable."""
        return Counter(symbol for row in self._hits() for symbol in composition(self.formulas[row]))

    @cached_property
    def systems(self) -> Counter[tuple[str, ...]]:
        """Chemical system → new candidates in it that are stable; where none is, the nearest to the hull."""
        stable = [row for row in self._hits() if self.words[row] == "stable"]
        formulas = [self.formulas[row] for row in stable] or [str(one["formula"]) for one in self.best]
        return Counter(tuple(sorted(composition(formula))) for formula in formulas)

    def _hits(self) -> Iterator[int]:
        for row, word in enumerate(self.words):
            if self._depths[row] >= _NOVEL and word in {"stable", "metastable"}:
                yield row


def depth_of(one: Mapping[str, Any], word: str) -> int:
    """The last sieve that a candidate came through: a place in :data:`SIEVES`.

    Args:
        one: a verdict as a document.
        word: the verdict in one word.
    """
    label = one.get("label") or {}
    passes = (
        one.get("valid") is not False and word != "invalid",
        one.get("converged") is not False and word not in {"collapsed", "unconverged"},
        one.get("group") in {None, "", one["identifier"]},
        one.get("novel") is not False,
        word == "stable",
        bool(label) and not label.get("reasons"),
    )
    return next((at for at, through in enumerate(passes) if not through), len(passes))


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else _NAN
