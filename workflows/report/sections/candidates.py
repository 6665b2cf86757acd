"""The candidates of a screening: how far above the hull they lie, and the best of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from zonemelt.workflows.report.parts import MEV, Plot, Section, Table, number
from zonemelt.workflows.report.plots import axis, colour, histogram

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zonemelt.workflows.report.parts import Cell
    from zonemelt.workflows.report.reading import Gathered

_BINS: Final = 60
_LONGEST: Final = 0.5  # eV/atom above the hull: what is farther counts in the last bin
_DEEPEST: Final = -0.1


def section(gathered: Gathered) -> Section | None:
    """A histogram, and a table of the best."""
    found = gathered.outputs.candidates
    if not found:
        return None
    best = found.best
    parts = [plot for plot in (_spread(found.column("above_hull")),) if plot is not None]
    table = best_table(best, of=found.passed["novel"])
    return Section(name="candidates", title="Candidates", parts=[*parts, *([table] if best else [])])


def _spread(above: Any) -> Plot | None:
    import numpy as np

    known = above[np.isfinite(above)]
    if not len(known):
        return None
    middles, counts = histogram(known, bins=_BINS, low=_DEEPEST, high=_LONGEST)
    return Plot(
        name="above-hull",
        title="Energy above the hull",
        traces=[
            {
                "type": "bar", "x": [MEV * x for x in middles], "y": counts, "name": "candidates",
                "marker": {"color": colour(0)},
            }
        ],
        layout={
            "xaxis": axis("above the hull of the references (meV/atom)"),
            "yaxis": axis("candidates"),
            "bargap": 0.02,
            "showlegend": False,
        },
        alt=f"The median is {number(MEV * float(np.median(known)))} meV/atom above the hull.",
        caption=f"{len(known):,} candidates with a hull, duplicates included; median "
        f"{number(MEV * float(np.median(known)))} meV/atom. The bars at the ends hold all that lies beyond.",
        table=Table(
            caption="quantiles",
            columns=("share of candidates below (%)", "above hull (meV/atom)"),
            rows=[[q, MEV * float(np.quantile(known, q / 100))] for q in (1, 5, 10, 25, 50, 75, 90, 95, 99)],
            folded=True,
        ),
    )  # fmt: skip


def best_table(best: Sequence[Mapping[str, Any]], *, of: int) -> Table:
    """Those nearest to the hull, or below it.

    Args:
        best: verdicts.
        of: how many there are.
    """
    properties = list(dict.fromkeys(name for one in best for name in one.get("properties") or {}))
    columns = [
        "candidate", "formula", "verdict", "above hull (meV/atom)", "deviation (meV/atom)",
        "probability of stable (%)", "formation energy (meV/atom)", "space group",
        "lowest frequency (THz)", "novel", "from",
    ]  # fmt: skip
    units = {name: _estimate(best, name).get("unit", "") for name in properties}
    columns += [f"{name} ({units[name]})" if units[name] else name for name in properties]
    rows = [[*_row(one), *_values(one, properties)] for one in best]
    kept = [i for i, _ in enumerate(columns) if any(row[i] not in {None, ""} for row in rows)]
    return Table(
        caption="the new ones nearest to the hull",
        columns=[columns[i] for i in kept],
        rows=[[row[i] for i in kept] for row in rows],
        of=of if of > len(best) else None,
    )


def _row(one: Mapping[str, Any]) -> list[Cell]:
    probability, group = one.get("probability"), one.get("space_group")
    novel = one.get("novel")
    origin = one.get("origin") or {}
    return [
        str(one["identifier"]), str(one.get("formula") or ""), str(one["verdict"]),
        _milli(one.get("above_hull")), _milli(one.get("deviation")),
        None if probability is None else 100 * probability, _milli(one.get("formation_energy")),
        None if group is None else str(group), one.get("lowest_frequency"),
        None if novel is None else ("yes" if novel else "no"), str(origin.get("explorer") or ""),
    ]  # fmt: skip


def _milli(value: float | None) -> float | None:
    return None if value is None else MEV * value


def _estimate(best: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    return next((found for one in best if (found := (one.get("properties") or {}).get(name))), {})


def _values(one: Mapping[str, Any], names: Sequence[str]) -> list[Cell]:
    found = one.get("properties") or {}
    return [(found.get(name) or {}).get("value") for name in names]
