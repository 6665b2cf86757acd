"""Verdicts on paper: the funnel, a line for each candidate, files of the crystals."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from zonemelt.workflows.cli.model_tables import number, plain_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from zonemelt.tasks.judge.verdict import Verdict

_FUNNEL: Final = ("generated", "valid", "wanted", "converged", "unique", "novel")
_SHOWN: Final = 10


def print_funnel(out: Console, verdicts: Sequence[Verdict], place: Path) -> None:
    """How many came through each sieve, how many of every word, and what was refused before that."""
    from rich.text import Text

    from zonemelt.tasks.judge.verdict import Word, counted
    from zonemelt.workflows.verdicts import read_refusals

    if refusals := read_refusals(place):
        said = ", ".join(f"{number:,} {reason}" for reason, number in refusals.items())
        out.print(Text(f"proposed and refused: {said}", "yellow"))
    counts = counted(verdicts)
    best = f"{counts['stable']:,} stable, {counts['metastable']:,} metastable"
    out.print(Text(f"{' → '.join(f'{counts[name]:,} {name}' for name in _FUNNEL)}: {best}"))
    words = [f"{counts[f'verdict {word}']:,} {word}" for word in Word if counts[f"verdict {word}"]]
    out.print(Text(f"verdicts: {', '.join(words)}" if words else "there are no candidates"))


def print_candidates(
    out: Console, rows: Sequence[Mapping[str, Any]], verdicts: Mapping[str, Verdict], *, limit: int
) -> None:
    """A line for each candidate, as many as are asked for; energies in meV/atom."""
    some = rows[:limit]
    properties = list(dict.fromkeys(name for row in some for name in verdicts[row["identifier"]].properties))
    units = {name: one.unit for v in verdicts.values() for name, one in v.properties.items()}
    has = {name: any(row.get(name) is not None for row in some) for name in ("label.above_hull", "round")}
    columns = ["formula", "verdict", "above hull (meV/atom)"]
    columns += ["by the oracle"] if has["label.above_hull"] else []
    columns += [f"{name} ({units[name]})" if units[name] else name for name in properties]
    columns += ["space group", *(["round"] if has["round"] else []), "identifier or file", "remarks"]
    table = plain_table(*columns)
    for column in table.columns[-2:]:
        column.justify = "left"
    for row in some:
        one = verdicts[row["identifier"]]
        cells = [_without_ones(one.formula), str(one.verdict), _energy(one.above_hull, one.deviation)]
        cells += [_energy(row["label.above_hull"], None)] if has["label.above_hull"] else []
        for name in properties:
            said = one.properties.get(name)
            spread = f" ± {said.deviation:.2g}" if said and said.deviation is not None else ""
            cells.append(f"{number(said.value if said else None, 3)}{spread}")
        cells += [str(one.space_group or "-"), *([str(row.get("round") or "")] if has["round"] else [])]
        known = one.origin is not None and one.origin.explorer == "sources"
        name = Path(row["parent"]).name if known else one.identifier
        table.add_row(*cells, name, "; ".join(one.reasons))
    out.print(table)
    if len(rows) > len(some):
        out.print(f"{len(some):,} of {len(rows):,} candidates; --limit lists more", style="dim")


def _without_ones(formula: str) -> str:
    return re.sub(r"(?<=[A-Za-z])1(?!\d)", "", formula)


def _energy(value: float | None, deviation: float | None) -> str:
    if value is None:
        return "-"
    return f"{1000 * value:.0f}" + ("" if deviation is None else f" ± {1000 * deviation:.0f}")


def write_cifs(folder: Path, verdicts: Sequence[Verdict]) -> int:
    """Write a CIF of each candidate, named by rank and identifier; those without a geometry are left out.

    Raises:
        StoreError: a file cannot be written.
    """
    from ase.io import write

    from zonemelt.tasks.whole_files import write_whole

    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for rank, one in enumerate(verdicts, start=1):
        if one.geometry is None:
            continue
        file = io.BytesIO()
        write(file, one.geometry.atoms(), format="cif")
        name = re.sub(r"[^\w.+-]", "_", one.identifier)[:100]
        write_whole(folder / f"{rank:04d}-{name}.cif", file.getvalue())
        written += 1
    return written


def print_verdicts(out: Console, place: Path) -> bool:
    """The funnel and the best of a campaign that judges; False where it has no verdicts."""
    from zonemelt.tasks.judge.filters import row_of, sorted_rows
    from zonemelt.workflows.verdicts import read_verdicts

    found = read_verdicts(place)
    if not found:
        return False
    verdicts = {one.verdict.identifier: one.verdict for one in found}
    rows = [row_of(one.verdict, round=one.round) for one in found]
    print_funnel(out, list(verdicts.values()), place)
    judged = [row for row in rows if row["above_hull"] is not None and row["unique"]]
    if judged:
        best = sorted_rows(judged, "above_hull", judged[0].keys())
        print_candidates(out, best, verdicts, limit=_SHOWN)
    out.print(f"  → zonemelt candidates {place} --help", style="dim", soft_wrap=True)
    return True
