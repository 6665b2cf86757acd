"""References and hulls agree with what is known and with pymatgen."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.generate.candidates import pure_fcc
from zonemelt.tasks.judge.hull import Phase, above_hull, hull_vertices
from zonemelt.tasks.judge.references import equilibrium
from zonemelt.tasks.judge.summary import learning_curves, notes
from zonemelt.tasks.label.by_ase import emt as label
from zonemelt.tasks.label.settings import EmtSettings


def labels(lattice: list[float]):
    return [label(pure_fcc("Al", a), EmtSettings(), identifier="al", workdir=Path()) for a in lattice]


def test_equilibrium_is_the_minimum() -> None:
    found = equilibrium(labels([3.85, 3.92, 3.99, 4.06, 4.13]))
    a = (4 * found["volume"]) ** (1 / 3)
    fine = labels(list(np.linspace(a - 0.05, a + 0.05, 11)))
    assert min(r.energy_per_atom for r in fine) == pytest.approx(found["energy_per_atom"], abs=5e-4)
    assert found["bulk_modulus"] * 160.2 == pytest.approx(39, abs=3)  # GPa, EMT's own for Al


def test_no_minimum_is_an_error() -> None:
    with pytest.raises(InputError, match="no minimum"):
        equilibrium(labels([4.1, 4.15, 4.2, 4.25]))


def lower_envelope(points: list[tuple[float, float]], x: float) -> float:
    """The convex hull at ``x`` by trying every pair of points."""
    ends = [(0.0, 0.0), (1.0, 0.0), *points]
    best = np.inf
    for x1, y1 in ends:
        for x2, y2 in ends:
            if x1 < x2 and x1 <= x <= x2:
                best = min(best, y1 + (y2 - y1) * (x - x1) / (x2 - x1))
    return best


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5), st.floats(-0.5, 0.5)), min_size=1, max_size=8)
)
def test_hull_is_the_lower_envelope(rows: list[tuple[int, int, float]]) -> None:
    phases = [Phase(f"p{i}", {"Al": a, "Au": b}, e) for i, (a, b, e) in enumerate(rows)]
    above = above_hull(phases, phases, ["Al", "Au"])
    points = [(b / (a + b), e) for a, b, e in rows]
    for phase, (x, energy) in zip(phases, points, strict=True):
        lowest = min(lower_envelope(points, x), *[e for other, e in points if other == x])
        assert above[phase.identifier] == pytest.approx(energy - lowest, abs=1e-7)


def test_a_predicted_phase_may_lie_below_the_hull() -> None:
    known = [Phase("known", {"Al": 1, "Au": 1}, -0.1)]
    below = [Phase("new", {"Al": 1, "Au": 1}, -0.15)]
    assert above_hull(below, known, ["Al", "Au"])["new"] == pytest.approx(-0.05)
    assert hull_vertices(known, ["Al", "Au"]) == ["known"]


def arm(strategy: str, maes: list[float]) -> dict:
    entries = [{"mae": m, "mae_error": 0.001, "coverage": 0.9, "labels": 5} for m in maes]
    return {"strategy": strategy, "history": entries}


def test_notes_say_when_it_is_not_better() -> None:
    arms = [arm("uncertainty", [0.02, 0.03]), arm("random", [0.02, 0.01])]
    said = " ".join(notes(learning_curves(arms), oracle="emt"))
    assert "did NOT fall" in said
    assert "20.0 meV/atom worse than random" in said
    assert "one repetition tells no spread" in said
    assert "not DFT" in said


def test_notes_give_the_spread_of_repetitions() -> None:
    arms = [
        arm(s, [0.02, m])
        for s, m in [("uncertainty", 0.001), ("uncertainty", 0.002), ("random", 0.01), ("random", 0.012)]
    ]
    said = " ".join(notes(learning_curves(arms), oracle="gpaw"))
    assert "fell: from 20.0 to 1.5" in said
    assert "better in 2 of 2" in said
    assert "toy" not in said
