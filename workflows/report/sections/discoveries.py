"""What a discovery came to: crystals that were proposed and labelled, what models learnt from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zonemelt.workflows.report.parts import MEV, Notes, Plot, Section, Table
from zonemelt.workflows.report.plots import axis, colour
from zonemelt.workflows.report.sections.learning import scaled, unit_of
from zonemelt.workflows.report.sections.parity import calibration_plot, parity_plot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zonemelt.workflows.report.parts import Cell, Part
    from zonemelt.workflows.report.reading import Gathered

_SHOWN = 200


def section(gathered: Gathered) -> Section | None:
    """Discoveries, predictions beside labels, lessons."""
    outcome = gathered.outputs.outcome
    if outcome is None:
        return None
    confirmed = sum(one["confirmed"] for one in outcome["discoveries"])
    said = (
        f"Looked for: {outcome['described']}. {confirmed:,} of {len(outcome['discoveries']):,} proposed "
        f"crystals with a label are that, by the labels of {outcome['oracle']}."
    )
    parts: list[Part] = [Notes(lines=[said]), *_table(outcome["discoveries"]), *_predictions(outcome)]
    parts += _lessons(gathered.outputs.history)
    return Section(name="discoveries", title="Discoveries", parts=parts)


def _table(found: Sequence[Mapping[str, Any]]) -> Iterator[Table]:
    if not found:
        return
    names = list(dict.fromkeys(name for one in found for name in one.get("properties") or {}))
    yield Table(
        caption="proposed, labelled, the most stable first",
        columns=(
            "crystal", "formula", "round", "above hull (meV/atom)", "predicted (meV/atom)",
            "deviation (meV/atom)", "formation energy (meV/atom)", "space group", "largest force (eV/Å)",
            "confirmed", "why not", "from", *names,
        ),
        rows=[_row(one, names) for one in found[:_SHOWN]],
        of=len(found) if len(found) > _SHOWN else None,
    )  # fmt: skip


def _row(one: Mapping[str, Any], names: Sequence[str]) -> list[Cell]:
    def milli(key: str) -> float | None:
        return None if one.get(key) is None else MEV * one[key]

    group, origin = one.get("space_group"), one.get("origin") or {}
    properties = one.get("properties") or {}
    return [
        str(one["identifier"]), str(one["formula"]), str(one["round"]), milli("above_hull"),
        milli("predicted_above_hull"), milli("deviation"), milli("formation_energy"),
        None if group is None else str(group), one.get("force"), "yes" if one["confirmed"] else "no",
        "; ".join(one.get("reasons") or ()), str(origin.get("explorer") or ""),
        *(_property(properties.get(name)) for name in names),
    ]  # fmt: skip


def _property(said: Mapping[str, Any] | None) -> str | None:
    return None if said is None else f"{said['value']} {said['unit']}".strip()


def _predictions(outcome: Mapping[str, Any]) -> Iterator[Plot]:
    import numpy as np

    known = [one for one in outcome["discoveries"] if one.get("predicted_above_hull") is not None]
    if not known:
        return
    labels, predicted, deviations = (
        np.array([np.nan if one.get(key) is None else one[key] for one in known], float)
        for key in ("above_hull", "predicted_above_hull", "deviation")
    )
    deviations = deviations * outcome.get("factor", 1.0)
    yield parity_plot(
        "parity-discoveries", "Energy above the hull: predicted, then labelled", MEV * labels,
        MEV * predicted, MEV * deviations, quantity="energy above hull", unit="meV/atom",
        names=[str(one["formula"]) for one in known],
    )  # fmt: skip
    if (found := calibration_plot("calibration-discoveries", labels - predicted, deviations)) is not None:
        yield found


def _lessons(history: Sequence[Mapping[str, Any]]) -> Iterator[Plot]:
    """Errors of each model on the labels of a round, before it learnt from them."""
    points: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for one in history:
        for lesson in (one.get("discovery") or {}).get("lessons", ()):
            for key, value in (lesson.get("errors") or {}).items():
                if isinstance(value, int | float):
                    points.setdefault(key, {}).setdefault(lesson["model"], []).append((one["round"], value))
    for number, (key, models) in enumerate(points.items()):
        factor, unit = unit_of(key)
        what = key.rpartition(" (")[0] or key
        yield Plot(
            name=f"lessons-{number}",
            title=f"{what[:1].upper()}{what[1:]} of new labels, before they were learnt from",
            traces=[
                {
                    "type": "scatter", "mode": "lines+markers", "name": model, "x": [x for x, _ in found],
                    "y": [factor * y for _, y in found], "line": {"color": colour(at)}, "marker": {"size": 8},
                }
                for at, (model, found) in enumerate(models.items())
            ],
            layout={
                "xaxis": axis("round", dtick=1),
                "yaxis": axis(f"{what} ({unit})" if unit else what, rangemode="tozero"),
            },
            alt="; ".join(f"{model}: {scaled(key, f[-1][1]):.3g} in the end" for model, f in models.items()),
            caption="Each model as it was before the round, on labels that it had not seen.",
        )  # fmt: skip
