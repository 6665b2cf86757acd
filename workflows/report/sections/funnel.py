"""The funnel: how many candidates came through each sieve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from zonemelt.workflows.report.parts import Plot, Section, Table
from zonemelt.workflows.report.plots import axis

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zonemelt.workflows.report.parts import Part
    from zonemelt.workflows.report.reading import Gathered

MEANINGS: Final = {
    "generated": "candidates: drawn, or made in another way",
    "valid": "they are structures that can be calculated",
    "converged": "their relaxation came to rest",
    "unique": "one of each group that are the same",
    "novel": "not among the known crystals they were compared with",
    "stable": "within what was looked for, as predicted",
    "chosen": "for a label: not stable ones alone",
    "labelled": "their label came and was accepted",
    "confirmed": "within what was looked for by their label",
}


def section(gathered: Gathered) -> Section | None:
    """Counts of the candidates, round by round where there are rounds; what explorers proposed."""
    counts = counts_of(gathered)
    parts: list[Part] = []
    if counts.get("generated"):
        parts.append(plot(counts))
    if funnels := gathered.outputs.funnels:
        names = [name for name in MEANINGS if any(name in one for one in funnels.values())]
        rows = [[str(number), *(one.get(name) for name in names)] for number, one in sorted(funnels.items())]
        parts.append(Table(caption="round by round", columns=("round", *names), rows=rows))
    if words := gathered.outputs.candidates.counts:
        rows = [[word, number] for word, number in words.most_common()]
        caption = "verdicts on all that was judged, repeats, known ones and an open round among them"
        parts.append(Table(caption=caption, columns=("verdict", "candidates"), rows=rows))
    if proposed := gathered.outputs.proposed:
        rows = [[what, number] for what, number in sorted(proposed.items(), key=_kept_last)]
        parts.append(
            Table(caption="what explorers and generators proposed", columns=("", "structures"), rows=rows)
        )
    return Section(name="funnel", title="Candidates, sieve by sieve", parts=parts) if parts else None


def _kept_last(item: tuple[str, int]) -> tuple[bool, bool, int]:
    return item[0] == "kept", item[0] != "proposed", -item[1]


def counts_of(gathered: Gathered) -> dict[str, int]:
    """Sieve → how many came through it: of a discovery as it counted, else of the verdicts."""
    if funnels := gathered.outputs.funnels.values():
        names = [name for name in MEANINGS if any(name in one for one in funnels)]
        return {name: sum(one.get(name, 0) for one in funnels) for name in names}
    found = gathered.outputs.candidates
    if not found:
        return {}
    counts = {name: found.passed[name] for name in MEANINGS if name in found.passed}
    if not counts["confirmed"]:
        counts.pop("confirmed")  # nothing was labelled
    return counts


def plot(counts: Mapping[str, int]) -> Plot:
    """Bars, the widest on top."""
    names, first = list(counts), max(1, next(iter(counts.values())))
    shares = [f"{counts[name]:,} ({100 * counts[name] / first:.3g} %)" for name in names]
    trace = {
        "type": "funnel",
        "y": names,
        "x": [counts[name] for name in names],
        "text": shares,
        "textinfo": "text",
        "textposition": "auto",
        "hoverinfo": "y+text",
        "marker": {"color": [f"@{number % 8}" for number in range(len(names))]},
        "connector": {"visible": False},
    }
    said = ", ".join(f"{counts[name]:,} {name}" for name in names)
    return Plot(
        name="funnel",
        title="Candidates that came through each sieve",
        traces=[trace],
        layout={"xaxis": axis("candidates"), "yaxis": {"automargin": True}, "showlegend": False},
        alt=f"A funnel: {said}.",
        caption="Each sieve takes what came through the one above it"
        f"{', but labels are chosen not of stable ones alone' if 'chosen' in counts else ''}. "
        "Shares are of all.",
        table=Table(
            caption="the funnel",
            columns=("sieve", "candidates", "of all (%)", "what it means"),
            rows=[[name, counts[name], 100 * counts[name] / first, MEANINGS[name]] for name in names],
        ),
        height=60 * len(names) + 80,
    )
