"""Candidates of a screening on the hull of their references, as a report draws them."""

from __future__ import annotations

from zonemelt.workflows.report.parts import MEV
from zonemelt.workflows.report.reading.candidates import composition
from zonemelt.workflows.report.sections.hull_lines import ON_HULL, SYSTEMS
from zonemelt.workflows.report.sections.hull_of_candidates import binary, of_candidates, ternary


def drawn(plot):
    """Points of a figure, by what the legend calls them."""
    return {trace["name"]: trace for trace in plot.traces}


def test_points_lie_where_their_formulas_and_energies_say():
    points = [("AlNi", 0.02, -0.6), ("AlNi3", -0.01, -0.45), ("Al3Ni", 0.3, float("nan"))]
    plot = binary(("Al", "Ni"), points, of=7)
    found = drawn(plot)
    above, on = found["above the hull"], found["on the hull or below"]
    assert (above["x"], above["y"]) == ([0.5], [-600.0])
    assert (on["x"], on["y"]) == ([0.75], [-450.0])
    hull = dict(zip(found["hull of the references"]["x"], found["hull of the references"]["y"], strict=True))
    assert hull[0.5] == -620.0  # formation energy, less what the candidate is above
    assert hull[0.0] == hull[1.0] == 0.0
    now = dict(zip(found["with the candidates"]["x"], found["with the candidates"]["y"], strict=True))
    assert now[0.75] == -450.0  # the one below is a corner of the new hull
    assert plot.alt.startswith("1 of 7 candidates")
    assert "Shown are the 3 of 7" in plot.caption
    assert [row[0] for row in plot.table.rows] == ["AlNi3", "AlNi", "Al3Ni"]
    assert plot.table.rows[0][1] == MEV * -0.01


def test_three_elements_are_a_triangle():
    points = [("AlNiPt", 0.05, -0.5), ("AlNi2Pt", 0.0, -0.4)]
    plot = ternary(("Al", "Ni", "Pt"), points, of=2)
    found = drawn(plot)
    assert found["above the hull"]["marker"]["color"] == [50.0]
    on = found["on the hull or below"]
    assert (on["a"], on["b"], on["c"]) == ([0.25], [0.5], [0.25])
    assert "Shown are" not in plot.caption


def test_systems_with_the_most_hits_are_drawn(found):
    candidates = found.outputs.candidates
    plots = list(of_candidates(candidates))
    assert plots
    hits = {}
    above = candidates.column("above_hull")
    for plot in plots:
        system = set(plot.name.removeprefix("hull-").split("-"))
        inside = [
            row for row, formula in enumerate(candidates.formulas)
            if above[row] == above[row] and set(composition(formula)) <= system
        ]  # fmt: skip
        hits[plot.name] = sum(above[row] <= ON_HULL for row in inside)
        assert f" of {len(inside):,} candidates" in plot.alt
    assert any(hits.values())
    for size in (2, 3):
        stable = {
            f"hull-{'-'.join(one)}": count for one, count in candidates.systems.items() if len(one) == size
        }
        of_drawn = sorted((stable[plot.name] for plot in plots if plot.name in stable), reverse=True)
        assert of_drawn == sorted(stable.values(), reverse=True)[:SYSTEMS]
