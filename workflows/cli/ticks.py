"""A check on paper: a tick, a cross or a dot, what was found, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from zonemelt.sites.asking import Check

_MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("·", "dim")}
_WIDTH = 12  # columns for what was looked at


def print_check(out: Console, one: Check) -> None:
    """Print a check; its remedy only where there is something to be mended."""
    from rich.text import Text

    mark, style = _MARKS[one.ok]
    out.print(Text.assemble((mark, style), f" {one.what:<{_WIDTH}} "), end="")
    out.print(one.found)
    if one.ok is False and one.remedy:
        out.print(f"{'':<{_WIDTH + 3}}→ {one.remedy}")
