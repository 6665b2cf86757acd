"""A lineage as text: a tree for a terminal, Graphviz, Mermaid."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from zonemelt.workflows.paper import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zonemelt.workflows.provenance.lineage import Direction, Node
    from zonemelt.workflows.provenance.view import Entry

_ALSO = 6  # jobs that stand elsewhere and are named on a line
Language = Literal["dot", "mermaid"]
WHITE, GREEN, RED, YELLOW, GREY = "#ffffff", "#e3f1e3", "#f6d5d5", "#fdf3d0", "#eeeeee"
_FILL = {"done": GREEN, "failed": RED, "running": YELLOW, "skipped": GREY}


@dataclass(frozen=True, kw_only=True)
class Box:
    """A box of a drawing: its id, the lines in it, its colour."""

    id: str
    lines: list[str]
    fill: str = WHITE


def as_tree(entries: Sequence[Entry], direction: Direction) -> str:
    """Lines with branches."""
    last = _last_of_its_parent(entries)
    lines: list[str] = []
    trunk: list[str] = []
    for number, entry in enumerate(entries):
        del trunk[max(0, entry.depth - 1) :]
        branch = "" if not entry.depth else "└─ " if last[number] else "├─ "
        lines.append("".join(trunk) + branch + _line(entry, direction))
        if entry.depth:
            trunk.append("   " if last[number] else "│  ")
    return "\n".join(lines)


def _last_of_its_parent(entries: Sequence[Entry]) -> list[bool]:
    """For each line, whether no later one has the same depth before one of a lesser depth comes."""
    last = [True] * len(entries)
    open_at: dict[int, int] = {}
    for number, entry in enumerate(entries):
        for depth in [depth for depth in open_at if depth > entry.depth]:
            del open_at[depth]
        if entry.depth in open_at:
            last[open_at[entry.depth]] = False
        open_at[entry.depth] = number
    return last


def _line(entry: Entry, direction: Direction) -> str:
    node = entry.node
    if node is None:
        return entry.text
    also = ", ".join(map(str, entry.also[:_ALSO])) + (" …" if len(entry.also) > _ALSO else "")
    more = f"  (also {'from' if direction == 'why' else 'to'} {also})" if also else ""
    return f"{node.id} {node.name}  {node.state}{cost(node)}{more}"


def cost(node: Node) -> str:
    """What a job took, in words; empty where it did not run."""
    parts = []
    if node.run_s:
        parts.append(duration(node.run_s))
    if node.node_hours >= 5e-5:  # noqa: PLR2004 (what four digits show)
        parts.append(f"{node.node_hours:.4f} node-hours")
    if node.retries:
        parts.append(f"{node.retries} failed attempt{'s' if node.retries > 1 else ''}")
    return f", {', '.join(parts)}" if parts else ""


def as_dot(entries: Sequence[Entry], direction: Direction) -> str:
    """Graphviz's language; arrows go the way of the data."""
    return draw(boxes(entries), _arrows(entries, direction), "dot")


def as_mermaid(entries: Sequence[Entry], direction: Direction) -> str:
    """Mermaid's language, as Markdown pages on the web draw it."""
    return draw(boxes(entries), _arrows(entries, direction), "mermaid")


def boxes(entries: Sequence[Entry]) -> list[Box]:
    """A box for each line of a view."""
    return [
        Box(id=entry.id, lines=_lines(entry), fill=_FILL.get(entry.node.state if entry.node else "", WHITE))
        for entry in entries
    ]


def draw(drawn: Sequence[Box], arrows: Iterable[tuple[str, str]], language: Language) -> str:
    """Boxes and arrows as text of a language that draws them.

    Args:
        drawn: the boxes.
        arrows: ids of boxes, from and to.
        language: Graphviz's or Mermaid's.
    """
    if language == "dot":
        lines = ["digraph provenance {", "  rankdir=LR; node [shape=box, style=filled, fontname=Helvetica];"]
        for box in drawn:
            label = json.dumps("\n".join(box.lines), ensure_ascii=False)
            lines.append(f'  "{box.id}" [label={label}, fillcolor="{box.fill}"];')
        lines += [f'  "{start}" -> "{end}";' for start, end in arrows]
        return "\n".join([*lines, "}"])
    lines = ["flowchart LR"]
    for box in drawn:
        # Entities as Mermaid writes them; names come from outputs and may hold anything.
        text = "<br/>".join("".join(map(_mermaid_safe, line)) for line in box.lines)
        lines.append(f'  n{box.id}["{text}"]')
        if box.fill != WHITE:
            lines.append(f"  style n{box.id} fill:{box.fill}")
    lines += [f"  n{start} --> n{end}" for start, end in arrows]
    return "\n".join(lines)


def _arrows(entries: Sequence[Entry], direction: Direction) -> list[tuple[str, str]]:
    shown = {entry.id for entry in entries}
    pairs = [(entry.id, entry.parent) for entry in entries if entry.parent]
    pairs += [(str(other), entry.id) for entry in entries for other in entry.also if str(other) in shown]
    return list(dict.fromkeys(pairs if direction == "why" else [(end, start) for start, end in pairs]))


def _lines(entry: Entry) -> list[str]:
    node = entry.node
    return [entry.text] if node is None else [f"{node.id} {node.name}", f"{node.state}{cost(node)}"]


def _mermaid_safe(letter: str) -> str:
    return letter if letter.isalnum() or letter in " .,:-_/()…" else f"#{ord(letter)};"
