"""Datasets on paper: what a version holds, the versions, what a check found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from zonemelt.tasks.datasets.check import Finding

MOST: Final = 12  # lines of what there can be many of
BAR: Final = 40  # columns


def print_overview(out: Console, found: dict[str, Any]) -> None:
    """What a version holds."""
    from rich.text import Text

    what = "in quarantine" if found["quarantine"] else "records"
    out.print(Text.assemble((f"version {found['version'][:12]}", "bold"), f"  {found['message']}"))
    parts = "1 part" if found["parts"] == 1 else f"{found['parts']:,} parts"
    out.print(f"{found['records']:,} {what} in {parts}, {found['repeated']:,} repeated ones left out")
    out.print(_counted("verdict", found["counts"]))
    if found["reasons"]:
        out.print(_counted("reason", found["reasons"]))
    if found["elements"]:
        out.print(_counted("element", found["elements"]))
        levels = {f"{key}  {said['described']}": said["records"] for key, said in found["theories"].items()}
        out.print(_counted("level of theory", levels))
    if found["ranges"]:
        out.print(_ranges(found["ranges"]))
    if found["histogram"]:
        print_histogram(out, found["histogram"])


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    return table


def _counted(name: str, counts: dict[str, int]) -> Table:
    from rich.text import Text

    table = _table(name, "records")
    for key, number in list(counts.items())[:MOST]:
        table.add_row(Text(key), f"{number:,}")
    if len(counts) > MOST:
        table.add_row(Text(f"and {len(counts) - MOST:,} more", "dim"), "")
    return table


def _ranges(ranges: dict[str, Any]) -> Table:
    table = _table("", "records", "smallest", "mean", "largest")
    for name, said in ranges.items():
        numbers = [f"{said[key]:,.4g}" for key in ("smallest", "mean", "largest")]
        table.add_row(f"{name} ({said['unit']})" if said["unit"] else name, f"{said['records']:,}", *numbers)
    return table


def print_histogram(out: Console, histogram: dict[str, Any]) -> None:
    """Bars, the longest as wide as :data:`BAR`."""
    from rich.text import Text

    out.print(Text(f"{histogram['column']} ({histogram['unit']})", "bold"))
    longest = max(histogram["counts"])
    for edge, number in zip(histogram["edges"], histogram["counts"], strict=False):  # one edge more
        bar = "█" * round(BAR * number / longest) or ("▏" if number else "")
        out.print(Text.assemble(f"{edge:>10.3f} ", (bar, "cyan"), f" {number:,}" if number else ""))


def versions_table(found: list[dict[str, Any]]) -> Table:
    """A line for each version."""
    from rich.text import Text

    table = _table("version", "records", "quarantine", "parts", "created", "message")
    table.columns[-1].justify = table.columns[-2].justify = "left"
    for one in found:
        mark = " newest" if one["newest"] else ""
        if one["aside"]:
            mark = f" aside of {one['parents'][0][:12]}" if one["parents"] else " aside"
        table.add_row(
            Text.assemble(one["version"][:12], (mark, "green" if one["newest"] else "dim")),
            f"{one['records']:,}",
            f"{one['quarantined']:,}",
            f"{one['parts']:,}",
            one["created"][:19].replace("T", " "),
            Text(one["message"]),
        )
    return table


def finding_line(finding: Finding) -> Text:
    """A tick or a cross, the file, what is to be done."""
    from rich.text import Text

    if finding.error is not None:
        return Text.assemble(("✗ ", "red"), str(finding.error))
    name = f"{finding.path.parent.name}/{finding.path.name}"
    return Text.assemble(("✓ ", "green"), name, (f"  {finding.note}" if finding.note else "", "yellow"))
