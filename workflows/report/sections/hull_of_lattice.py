"""Formation energies of a campaign about one binary alloy on the fcc lattice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zonemelt.workflows.report.parts import MEV, Plot, Table, milli
from zonemelt.workflows.report.plots import FAINT, HIT, INK, colour, line, rounded
from zonemelt.workflows.report.sections.hull_lines import binary_axes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zonemelt.workflows.report.parts import Part


def of_lattice(lattice: Mapping[str, Any]) -> Iterator[Part]:
    """The diagram, and the most stable crystals.

    Args:
        lattice: the summary of the campaign.
    """
    hull, elements = lattice["hull"], lattice["elements"]
    corners = [row for row in hull["labelled"] if row["identifier"] in hull["vertices"]]
    below = sorted([
        (0.0, 0.0), (1.0, 0.0), *((row["fraction"], MEV * row["formation_energy"]) for row in corners)
    ])  # fmt: skip
    traces = [
        line(below, "convex hull of the labels", line={"color": INK, "width": 1.6}),
        _rows(hull["predicted"], "predicted, ± two deviations", color=FAINT, symbol="circle-open"),
        _rows(hull["labelled"], "labelled", color=colour(0)),
        _rows(hull["confirmed"], "predicted, then labelled", color=HIT, symbol="star", size=12),
    ]
    system = "-".join(elements)
    yield Plot(
        name="hull",
        title=f"Formation energies in {system}",
        traces=[trace for trace in traces if trace["x"]],
        layout=binary_axes(elements),
        alt=f"{len(hull['vertices'])} compounds lie on the convex hull.",
        caption=f"Relative to fcc {' and fcc '.join(elements)} at the equilibrium volumes of the same "
        "oracle. Only labels span the hull; predictions are shown beside it.",
        height=440,
    )
    yield Table(
        caption="most stable labelled crystals",
        columns=(
            "crystal", f"fraction of {elements[1]}", "formation energy (meV/atom)", "above hull (meV/atom)",
        ),
        rows=[
            [row["identifier"], f"{row['fraction']:.3f}", milli(row["formation_energy"]),
             milli(row["above_hull"])]
            for row in lattice["stable"]
        ],
    )  # fmt: skip
    if hull["confirmed"]:
        yield Table(
            caption="predicted most stable, then labelled",
            columns=(
                "crystal", "predicted (meV/atom)", "labelled (meV/atom)", "above hull (meV/atom)",
            ),
            rows=[
                [row["identifier"], milli(row["predicted"]), milli(row["formation_energy"]),
                 milli(row["above_hull"])]
                for row in hull["confirmed"]
            ],
        )  # fmt: skip


def _rows(rows: Sequence[Mapping[str, Any]], name: str, *, size: int = 6, **marker: Any) -> dict[str, Any]:
    spread = [2 * MEV * (row["deviation"] or 0.0) for row in rows]
    trace = {
        "type": "scatter", "mode": "markers", "name": name, "x": [row["fraction"] for row in rows],
        "y": rounded(MEV * row["formation_energy"] for row in rows),
        "text": [str(row["identifier"]) for row in rows], "marker": {"size": size, **marker},
    }  # fmt: skip
    if any(spread):
        trace["error_y"] = {"type": "data", "array": rounded(spread), "thickness": 1, "width": 0}
    return trace
