"""Predictions as files: one line a structure, CSV or JSON lines, written whole."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ENDINGS: Final = (".csv", ".jsonl")


def write_predictions(
    path: str, rows: Sequence[dict[str, Any]], properties: Sequence[tuple[str, str]]
) -> None:
    """Write predictions.

    Args:
        path: ends in .csv or .jsonl.
        rows: as the command predict makes them.
        properties: name and unit of each, for the columns of a table.

    Raises:
        StoreError: it cannot be written.
    """
    from zonemelt.tasks.whole_files import write_whole

    if Path(path).suffix == ".jsonl":
        text = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    else:
        text = _csv(rows, properties)
    write_whole(Path(path), text.encode())


def _csv(rows: Sequence[dict[str, Any]], properties: Sequence[tuple[str, str]]) -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    columns = [
        f"{name}{what} ({unit or '1'})"
        for name, unit in properties
        for what in ("", " deviation", " low", " high")
    ]
    writer.writerow(["structure", "formula", *columns, "refused"])
    for row in rows:
        cells: list[Any] = []
        for name, _ in properties:
            said = row["properties"].get(name, {})
            low, high = said.get("interval") or (None, None)
            cells += [said.get("value"), said.get("deviation"), low, high]
        writer.writerow([row["structure"], row["formula"], *cells, row["refused"]])
    return file.getvalue()
