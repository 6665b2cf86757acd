"""The picture of a plan as SVG: the groups of a graph, and how many jobs run over time."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from zonemelt.workflows.simulate.collapse import SIGN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonemelt.workflows.simulate.collapse import Picture
    from zonemelt.workflows.simulate.outcome import Moment

_BOX, _HIGH, _APART, _BELOW = 190, 44, 70, 16  # of a group: width, height, and the gaps around it
_PLOT = 150  # height of the plot
_INK, _FAINT, _FILL, _LINE = "#1f2937", "#9ca3af", "#f0fdfa", "#0f766e"
_QUEUE = "#fde68a"
_LONGEST = 24  # characters of a label
_HEAD = f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{width}} {{height}}"
  width="{{width}}" height="{{height}}" font-family="sans-serif" font-size="12" fill="{_INK}">
<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0 8 4 0 8z" fill="{_FAINT}"/></marker></defs>
<rect width="{{width}}" height="{{height}}" fill="#ffffff"/>"""


def as_svg(picture: Picture, timeline: Sequence[Moment], *, title: str, span: str) -> str:
    """Draw the groups in columns, one for each wave, and what happens over time below them.

    Args:
        picture: the groups.
        timeline: of one simulation.
        title: above everything.
        span: how long the timeline is, in words.
    """
    columns: dict[int, list[int]] = {}
    for i, group in enumerate(picture.groups):
        columns.setdefault(group.wave, []).append(i)
    places: dict[int, tuple[int, int]] = {}
    for x, wave in enumerate(sorted(columns)):
        for y, i in enumerate(columns[wave]):
            places[i] = 20 + x * (_BOX + _APART), 50 + y * (_HIGH + _BELOW)
    width = 20 + max(2, len(columns)) * (_BOX + _APART)
    below = 70 + max((len(column) for column in columns.values()), default=0) * (_HIGH + _BELOW)
    height = below + _PLOT + 50
    parts = [
        _HEAD.format(width=width, height=height),
        f'<text x="20" y="26" font-size="15" font-weight="bold">{escape(title)}</text>',
    ]
    parts += [_link(places[one], places[other], count) for (one, other), count in picture.links.items()]
    for i, group in enumerate(picture.groups):
        parts.append(_box(*places[i], group.label, f"{SIGN} {group.jobs:,}, {group.pool}"))
    parts += [_plot(timeline, 20, below, width - 40, span), "</svg>"]
    return "\n".join(parts) + "\n"


def _box(x: int, y: int, label: str, below: str) -> str:
    short = label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…"
    return (
        f'<g><title>{escape(label)}</title><rect x="{x}" y="{y}" width="{_BOX}" height="{_HIGH}" rx="6" '
        f'fill="{_FILL}" stroke="{_LINE}"/>'
        f'<text x="{x + 10}" y="{y + 18}" font-weight="bold">{escape(short)}</text>'
        f'<text x="{x + 10}" y="{y + 35}">{escape(below)}</text></g>'
    )


def _link(one: tuple[int, int], other: tuple[int, int], count: int) -> str:
    if one == other:  # jobs of a group that wait for one another: a loop above it
        x, y = one[0] + _BOX // 2, one[1]
        path = f"M{x - 12} {y} C{x - 20} {y - 18} {x + 20} {y - 18} {x + 12} {y}"
    else:
        x1, y1, x2, y2 = one[0] + _BOX, one[1] + _HIGH // 2, other[0], other[1] + _HIGH // 2
        middle = (x1 + x2) // 2
        path = f"M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}"
    style = f'fill="none" stroke="{_FAINT}" marker-end="url(#tip)"'
    return f'<path d="{path}" {style}><title>{count:,}</title></path>'


def _plot(timeline: Sequence[Moment], x: int, y: int, width: int, span: str) -> str:
    """Workers with a job, and above them jobs that could run, over time."""
    end = timeline[-1].time if timeline else 0.0
    most = max((point.running for point in timeline), default=0)
    if not end or not most:
        return ""
    scale = 0.7 * _PLOT / most
    # A long queue would hide the rest.
    running = _steps([(p.time / end, scale * p.running) for p in timeline], x, y, width)
    queued = _steps(
        [(p.time / end, min(_PLOT, scale * (p.running + p.queued))) for p in timeline], x, y, width
    )
    corner = f"{x + width},{y + _PLOT}"
    return (
        f'<polygon points="{queued} {corner}" fill="{_QUEUE}"/>'
        f'<polygon points="{running} {corner}" fill="{_LINE}"/>'
        f'<path d="M{x} {y + _PLOT}h{width}" stroke="{_INK}"/>'
        f'<text x="{x}" y="{y + _PLOT + 18}">jobs that run (green, at most {most:,}) and that could run '
        f"(yellow, cut off above) over {escape(span)}</text>"
    )


def _steps(points: Sequence[tuple[float, float]], x: int, y: int, width: int) -> str:
    """The outline of a number that stays as it is until the next point, from share of time to height."""
    outline, height = [f"{x},{y + _PLOT}"], 0.0
    for share, new in points:
        at = x + width * share
        outline += [f"{at:.1f},{y + _PLOT - value:.1f}" for value in (height, new)]
        height = new
    return " ".join(outline)
