"""What a campaign came to where its last job returned a table or a few numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zonemelt.workflows.report.applications import COLUMNS
from zonemelt.workflows.report.parts import Facts, Plot, Section, Table
from zonemelt.workflows.report.plots import axis, colour

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from zonemelt.workflows.report.parts import Part
    from zonemelt.workflows.report.reading import Gathered


def section(gathered: Gathered) -> Section | None:
    """Tables of cathodes, polymorphs …; errors of transfer; else what the last job returned."""
    parts: list[Part] = []
    kind = str(gathered.document.get("kind", ""))
    outputs = gathered.outputs
    if outputs.transfer:
        parts += _transfer(outputs.transfer)
    elif outputs.result and not (outputs.rounds or outputs.candidates):
        parts += _last(kind, *outputs.result)
    title = "Results" if parts else "Models"
    if outputs.models:
        parts.append(_models(outputs.models))
    return Section(name="results", title=title, parts=parts) if parts else None


def _last(kind: str, name: str, found: Any) -> Iterator[Part]:
    if isinstance(found, dict):
        yield Facts(caption=f"output of the last job, {name}", rows=list(found.items()))
        return
    if kind in COLUMNS:
        titles = [("", "name"), *COLUMNS[kind], ("", "reason"), ("", "barrier_reason")]
    else:
        titles = [(key, key) for key in dict.fromkeys(key for row in found for key in row)]
    used = [(title, key) for title, key in titles if any(row.get(key) not in {None, ""} for row in found)]
    yield Table(
        caption=kind if kind in COLUMNS else f"output of the last job, {name}",
        columns=[title for title, _ in used],
        rows=[[row.get(key) for _, key in used] for row in found],
    )


def _transfer(found: Mapping[str, Any]) -> Iterator[Part]:
    rows = found["rows"]
    keys = dict.fromkeys((row.get("source") or "", row.get("strategy") or "") for row in rows)
    for at, target in enumerate(dict.fromkeys(row["target"] for row in rows)):
        traces = []
        for number, (source, strategy) in enumerate(keys):
            own = [
                row for row in rows
                if row["target"] == target and (row.get("source") or "") == source
                and (row.get("strategy") or "") == strategy
            ]  # fmt: skip
            if own:
                own.sort(key=lambda row: row["size"])
                traces.append({
                    "type": "scatter", "mode": "lines+markers", "name": f"{source} {strategy}".strip(),
                    "x": [row["size"] for row in own], "y": [row["mae"] for row in own],
                    "error_y": {"type": "data", "array": [row.get("std") or 0.0 for row in own]},
                    "line": {"color": colour(number), "dash": "dot" if not source else "solid"},
                })  # fmt: skip
        yield Plot(
            name=f"transfer-{at}",
            title=f"Error on {target} against samples",
            traces=traces,
            layout={
                "xaxis": axis("samples to fine-tune on", type="log"),
                "yaxis": axis(f"MAE of {target} (unit of the property)", rangemode="tozero"),
            },
            alt=f"Errors of {len(traces)} ways to learn {target}.",
            caption="Bars: standard deviation over trials.",
        )
    yield Table(
        caption="errors of every source, strategy and size",
        columns=("target", "samples", "source", "strategy", "MAE", "deviation", "trials", "gain"),
        rows=[
            [row["target"], row["size"], row.get("source") or "from scratch", row.get("strategy"), row["mae"],
             row.get("std"), row.get("trials"), row.get("gain")]
            for row in rows[:_MOST]
        ],
        of=len(rows) if len(rows) > _MOST else None,
        folded=len(rows) > 40,  # noqa: PLR2004
    )  # fmt: skip


_MOST = 300


def _models(cards: Mapping[str, Mapping[str, Any]]) -> Table:
    """The last models that were trained, with what they say of themselves."""
    shown = list(cards.items())[-30:]
    metrics = list(dict.fromkeys(key for _, card in shown for key in card.get("metrics") or {}))[:8]
    return Table(
        caption="models that were trained",
        columns=("folder", "kind", "samples", "seed", *metrics),
        rows=[
            [
                "/".join(name.split("/")[-2:]), str(card.get("kind", "")),
                (card.get("training") or {}).get("samples"),
                str((card.get("training") or {}).get("seed", "")),
                *((card.get("metrics") or {}).get(key) for key in metrics),
            ]
            for name, card in shown
        ],
        of=len(cards) if len(cards) > len(shown) else None,
        folded=True,
    )  # fmt: skip
