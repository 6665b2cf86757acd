"""What a report reads of a campaign, and that it stays small."""

from __future__ import annotations

import json
import sqlite3
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition

from zonemelt.workflows.engine.ledger import Ledger
from zonemelt.workflows.report.elements_map import elements_map, place
from zonemelt.workflows.report.reading.attempts import read_attempts, step_of
from zonemelt.workflows.report.reading.candidates import SIEVES, Best, Candidates, composition
from zonemelt.workflows.report.scenes import scene
from zonemelt.workflows.report.sections.hull_lines import lower_hull, tie_lines
from zonemelt.workflows.report.sections.machine import running

if TYPE_CHECKING:
    from pathlib import Path


def verdict(name: str, **more):
    common = {
        "identifier": name, "formula": "Al2O3", "geometry": {}, "above_hull": 0.02, "valid": True,
        "group": name, "novel": True, "converged": True, "verdict": "stable",
    }  # fmt: skip
    return common | more


def test_sieves_hold_those_below_them():
    found = Candidates()
    for number, more in enumerate((
        {}, {"novel": False}, {"group": "0"}, {"converged": False, "verdict": "unconverged"},
        {"valid": False, "verdict": "invalid"}, {"verdict": "unstable"},
        {"label": {"oracle": "qe", "energy_per_atom": -3.0, "reasons": []}},
    )):  # fmt: skip
        found.add(verdict(str(number), **more))
    assert [found.passed[name] for name in SIEVES] == [7, 6, 5, 4, 3, 2, 1]
    assert found.column("labelled")[6] == -3.0


def test_a_later_verdict_stands_for_the_earlier():
    found = Candidates()
    found.add(verdict("a", above_hull=-0.5))
    found.add(verdict("b"))
    found.add(verdict("a", above_hull=0.3, verdict="unstable"))
    assert len(found) == 2
    assert found.counts == {"unstable": 1, "stable": 1}
    assert [one["identifier"] for one in found.best] == ["b", "a"]
    assert found.column("above_hull").tolist() == [0.3, 0.02]
    assert found.systems == {("Al", "O"): 1}


@settings(max_examples=50)
@given(st.lists(st.floats(-1, 1)), st.integers(1, 5))
def test_the_best_are_the_lowest(values, most):
    best = Best(most=most)
    for value in values:
        best.add(value, value)
    assert best.things == sorted(values)[:most]


@pytest.mark.parametrize(
    ("formula", "atoms"),
    [("Al2O3", {"Al": 2, "O": 3}), ("NaCl", {"Na": 1, "Cl": 1}), ("Li0.5C", {"Li": 0.5, "C": 1}), ("", {})],
)
def test_formulas(formula, atoms):
    assert composition(formula) == atoms


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 50)), min_size=1, max_size=30))
def test_occupancy_adds_up_to_the_time_that_jobs_ran(spans):
    start = np.array([begin for begin, _ in spans])
    end = start + np.array([length for _, length in spans])
    edges = np.linspace(0, 160, 37)
    assert (running(start, end, edges) * np.diff(edges)).sum() == pytest.approx((end - start).sum(), abs=1e-6)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 1000).map(lambda n: n / 1000), st.floats(-2, 1)), max_size=30))
def test_a_lower_hull_is_convex_and_below_everything(points):
    hull = lower_hull([(0.0, 0.0), (1.0, 0.0), *points])
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(hull)]
    assert all(one < other + 1e-6 for one, other in pairwise(slopes))
    xs, ys = zip(*hull, strict=True)
    assert all(y >= np.interp(x, xs, ys) - 1e-6 for x, y in points)


def test_tie_lines_of_one_compound_join_it_to_the_elements():
    lines = tie_lines([[1 / 3, 1 / 3, 1 / 3]], [-1.0])
    assert len(lines) == 6
    assert len(tie_lines([], [])) == 3
    assert len(tie_lines([[1 / 3, 1 / 3, 1 / 3]], [0.5])) == 3  # above the hull: no part of it


def shares_of(entry):
    """The atomic fractions of Al, Ni and Pt, as something to be compared."""
    return nines(entry.composition.get_atomic_fraction(symbol) for symbol in ("Al", "Ni", "Pt"))


def nines(shares):
    return tuple(round(share, 9) for share in shares)


@pytest.mark.parametrize("seed", range(4))
def test_hulls_and_tie_lines_are_those_of_pymatgen(seed):
    random = np.random.default_rng(seed)
    counts = [
        (a, b, c) for a in range(4) for b in range(4) for c in range(4)
        if (a > 0) + (b > 0) + (c > 0) > 1 and np.gcd.reduce([a, b, c]) == 1
    ]  # fmt: skip
    energies = random.uniform(-0.6, 0.1, len(counts))  # of formation, eV/atom
    entries = [
        PDEntry(Composition(dict(zip(("Al", "Ni", "Pt"), one, strict=True))), sum(one) * energy)
        for one, energy in zip(counts, energies, strict=True)
    ]
    elements = [PDEntry(symbol, 0.0) for symbol in ("Al", "Ni", "Pt")]

    fractions = [shares_of(entry) for entry in entries]
    found = {frozenset({nines(one), nines(other)}) for one, other in tie_lines(fractions, energies)}
    diagram = PhaseDiagram([*elements, *entries])
    corners = [shares_of(entry) for entry in diagram.qhull_entries]
    assert found == {
        frozenset({corners[i], corners[j]}) for facet in diagram.facets for i, j in combinations(facet, 2)
    }

    of_two = [entry for entry in entries if "Pt" not in entry.composition]
    hull = lower_hull([(0.0, 0.0), (1.0, 0.0), *((shares_of(one)[1], one.energy_per_atom) for one in of_two)])
    stable = PhaseDiagram([*elements[:2], *of_two]).stable_entries
    assert set(nines(x for x, _ in hull)) == {shares_of(one)[1] for one in stable}


def test_a_scene_keeps_distances_and_names_its_elements():
    salt = {
        "cell": [[5.7, 0, 0], [0, 5.7, 0], [0, 0, 5.7]], "symbols": ["Na", "Cl"],
        "positions": [[0.0, 0.0, 0.0], [2.85, 0.0, 0.0]], "periodic": [True] * 3,
    }  # fmt: skip
    drawn = scene("salt", salt)
    assert drawn["symbols"] == ["Cl", "Na"]
    sodium = [atom for atom in drawn["atoms"] if atom[0] == 1]
    assert len(sodium) == 8  # on the corners
    assert len([atom for atom in drawn["atoms"] if atom[0] == 0]) == 4
    assert scene("none", None) is None
    assert scene("bad", {**salt, "positions": [[0, 0, float("nan")], [0, 0, 0]]}) is None
    assert scene("large", {**salt, "symbols": ["Na"] * 500, "positions": [[0, 0, 0]] * 500}) is None


def test_every_element_has_a_place_of_its_own():
    places = {place(number) for number in range(1, 119)}
    assert len(places) == 118
    assert [place(n) for n in (1, 2, 5, 21, 26, 57, 72, 118)] == [
        (0, 0), (0, 17), (1, 12), (3, 2), (3, 7), (7, 2), (5, 3), (6, 17),
    ]  # fmt: skip
    drawn = str(elements_map({"Fe": 3.0, "<b>": 1.0}))
    assert "Iron: 3" in drawn
    assert "<b>" not in drawn


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        ("zonemelt.tasks.label.jobs.label_job", "label"),
        ("atomite.vasp.StaticMaker.make", "Static"),
        ("f", "f"),
    ],
)
def test_steps(kind, step):
    assert step_of(kind) == step


def test_waits_begin_when_the_last_parent_has_ended(tmp_path: Path):
    from graphs_for_tests import add, total
    from jobflow import Flow

    from zonemelt.workflows.engine.run import run_flow

    one, two = add(1), add(2)
    last = total([one.output, two.output])
    run_flow(Flow([one, two, last]), site="inline", directory=tmp_path / "c")
    with sqlite3.connect(tmp_path / "c" / "ledger.db") as connection:
        for job, start, end in ((1, 10.0, 20.0), (2, 10.0, 50.0), (3, 57.0, 60.0)):
            row = connection.execute("SELECT data FROM events WHERE job = ?", (job,)).fetchone()
            data = json.loads(row[0]) | {"start": start, "end": end}
            told = (json.dumps(data), end, job)
            connection.execute("UPDATE events SET data = ?, time = ? WHERE job = ?", told)
        connection.execute("UPDATE events SET time = 8 WHERE kind = 'submitted'")
        found = read_attempts(connection)
    connection.close()
    assert found.column("waited").tolist() == [2.0, 2.0, 7.0]
    assert found.steps.names == ["add", "total"]


def test_bars_of_the_gantt_chart_are_few(found):
    from zonemelt.workflows.report.sections.gantt import BARS, WORKERS, gantt

    plot = gantt(found.attempts)
    bars = sum(len(trace["x"]) for trace in plot.traces)
    assert bars <= BARS
    assert plot.table is not None
    assert len(plot.table.rows) <= WORKERS


def test_no_two_kinds_of_the_gantt_chart_share_a_colour():
    from zonemelt.workflows.report.reading.attempts import Attempts
    from zonemelt.workflows.report.sections.gantt import gantt

    found = Attempts()
    for number in range(12):
        for name, value in {"start": number, "end": number + 1, "waited": 0, "hours": 1, "joules": 0}.items():
            getattr(found, name).append(float(value))
        for name in ("pool", "how", "job"):
            getattr(found, name).append(0)
        found.step.append(found.steps(f"kind {number}"))
        found.worker.append(found.workers("host 1"))
    traces = gantt(found).traces
    assert [trace["name"] for trace in traces][-1] == "others"
    assert len({trace["marker"]["color"] for trace in traces}) == len(traces) == 9


def test_many_points_of_parity_become_a_density():
    from zonemelt.workflows.report.sections.parity import parity_plot

    draw = np.random.default_rng(0)
    labels = draw.normal(size=20_000)
    plot = parity_plot(
        "p", "t", labels, labels + 0.1, np.full(20_000, np.nan), quantity="energy", unit="eV/atom",
        names=["x"] * 20_000,
    )  # fmt: skip
    assert plot.traces[0]["type"] == "heatmap"
    assert sum(value or 0 for row in plot.traces[0]["z"] for value in row) == 20_000
    assert len(json.dumps(plot.traces)) < 50_000
    assert "error 0.1 eV/atom" in plot.caption


def test_an_honest_model_is_calibrated():
    from zonemelt.workflows.report.sections.parity import calibration_plot

    draw = np.random.default_rng(1)
    deviations = draw.uniform(0.1, 2.0, 5000)
    plot = calibration_plot("c", draw.normal(size=5000) * deviations, deviations)
    held = dict(plot.table.rows)
    assert held[0.5] == pytest.approx(0.5, abs=0.03)
    too_sure = calibration_plot("c", 3 * draw.normal(size=5000) * deviations, deviations)
    assert dict(too_sure.table.rows)[0.9] < 0.6
    assert calibration_plot("c", np.ones(3), np.ones(3)) is None


def test_a_ledger_without_anything(tmp_path: Path):
    from zonemelt.workflows.report.reading import gather

    Ledger(tmp_path).close()
    found = gather(tmp_path)
    assert len(found.attempts) == 0
    assert found.outputs.labels == len(found.outputs.candidates) == 0
    assert found.began is not None


def test_references_are_whole_and_named_once():
    from zonemelt.workflows.report.cited import RULES, _catalog

    keys = []
    for entry in _catalog():
        assert set(entry) == {"what", "when", "short", "bibtex"}
        assert set(entry["when"]) <= set(RULES)
        assert entry["bibtex"].count("{") == entry["bibtex"].count("}")
        assert "year = " in entry["bibtex"]
        keys.append(entry["bibtex"].split("{")[1].split(",")[0])
    assert len(keys) == len(set(keys))


def test_what_was_used_is_cited(found):
    from zonemelt.workflows.report.cited import used_references

    what = [one.what for one in used_references(found)]
    assert what[0] == "zonemelt"
    assert {"jobflow", "Parsl", "Quantum ESPRESSO", "PBE"} <= set(what)
    assert not {"VASP", "GPAW", "CHGNet"} & set(what)
