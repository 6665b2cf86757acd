"""Sites on paper: a table of all, or every value of one with how sure we are of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zonemelt.sites.site import Confidence

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from zonemelt.sites.evidence import Value
    from zonemelt.sites.site import Site

# Confidence of a value → its mark, what it is called, its colour.
_MARKS: dict[Confidence | None, tuple[str, str, str]] = {
    Confidence.DOCUMENTED: ("●", "documented", "green"),
    Confidence.THIRD_PARTY: ("◐", "third-party", "yellow"),
    Confidence.UNVERIFIED: ("○", "unverified default", "red"),
    Confidence.CHOICE: ("·", "a choice", "dim"),
    None: ("★", "yours", "cyan"),
}
HEADS = {"login": "a login node", "in_job": "inside its allocation"}


def sites_table(sites: list[Site]) -> Table:
    """A line for each site."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("site", "machine", "scheduler", "head runs on", "pools", ""):
        table.add_column(column, no_wrap=True)
    for site in sites:
        table.add_row(
            site.name,
            site.title,
            site.scheduler,
            "this machine" if site.scheduler == "local" else HEADS[site.head],
            ", ".join(site.pools),
            Text(f"retired: {site.retired}" if site.retired else "", "red"),
        )
    return table


def print_site(out: Console, site: Site, values: list[Value], missing: dict[str, str]) -> None:
    """Everything that a site gives, what it lacks, and where it comes from."""
    from rich.table import Table
    from rich.text import Text

    out.print(Text.assemble((site.name, "bold"), f"  {site.title}"))
    if site.retired:
        out.print(Text(f"retired: {site.retired}", "bold red"))
    for key, what in site.requires.items():
        mark, style = ("✗ needs", "red") if key in missing else ("✓ given", "green")
        out.print(Text.assemble((f"{mark} {key}", style), f": {what}"))
    sources = list(dict.fromkeys(value.source for value in values))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "", "value", "how sure", "source"):
        table.add_column(column, overflow="fold")
    for section, members in _sections(values).items():
        if section:
            table.add_row("", Text(section, "bold"))
        for key, value in members.items():
            mark, name, style = _MARKS[value.confidence]
            number = f"[{sources.index(value.source) + 1}]"
            table.add_row(
                Text(mark, style), key, Text(_said(value.value)), Text(name, style), Text(number, "dim")
            )
    out.print(table)
    for i, source in enumerate(sources, 1):
        out.print(f"[{i}] {source}", soft_wrap=True)
    counts = {kind: sum(value.confidence is kind for value in values) for kind in _MARKS}
    legend = [f"{_MARKS[kind][0]} {count} {_MARKS[kind][1]}" for kind, count in counts.items() if count]
    out.print("   ".join(legend), soft_wrap=True)
    if counts[Confidence.UNVERIFIED]:
        out.print("  → nobody has checked the unverified ones: look at them before a long campaign")
    if missing:
        out.print(f"  → give what it needs: --set {next(iter(missing))}=VALUE")


def _sections(values: list[Value]) -> dict[str, dict[str, Value]]:
    """Values by pool, or by the first part of their paths, with the rest of the paths; bare ones first."""
    found: dict[str, dict[str, Value]] = {"": {}}
    for value in values:
        parts = value.path.split(".")
        depth = 2 if parts[0] == "pools" else min(1, len(parts) - 1)
        found.setdefault(".".join(parts[:depth]), {})[".".join(parts[depth:])] = value
    return found


def _said(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "\n".join(str(one) for one in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
