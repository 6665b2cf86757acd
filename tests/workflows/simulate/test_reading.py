"""Durations, waits and machines as people write them; graphs as they are looked at."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from random import Random
from statistics import median

import pytest
from machines_for_tests import chain, fan, machine, run
from plans_for_tests import CLUSTER

from zonemelt.sites.load import load_site
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.workflows.engine.resources import Resources
from zonemelt.workflows.simulate import GraphBuilder, Times, machine_of
from zonemelt.workflows.simulate.amounts import Amount, read_amount
from zonemelt.workflows.simulate.collapse import as_mermaid, as_text, collapse
from zonemelt.workflows.simulate.drawing import as_svg
from zonemelt.workflows.simulate.forecast import forecast, may_bring
from zonemelt.workflows.simulate.times import read_times


@pytest.mark.parametrize(
    ("written", "values", "factor"),
    [
        (90, (90.0,), 1.0),
        ("90", (90.0,), 1.0),
        ("01:30:00", (5400.0,), 1.0),
        ("02:00:00x2", (7200.0,), 2.0),
        ("1.5x1.1", (1.5,), 1.1),
        ([80, 95], (80.0, 95.0), 1.0),
        ({"median": "00:10:00", "factor": 3}, (600.0,), 3.0),
    ],
)
def test_amounts(written, values, factor):
    assert read_amount(written, where="here") == Amount(values, factor)


@pytest.mark.parametrize(
    "written",
    ["soon", "²", [], {"mean": 3}, "60x0.5", "60xtwo", "60xnan", "60xinf", float("inf"), None, [1, "a"]],
)
def test_what_is_no_amount(written):
    with pytest.raises(InputError, match="here"):
        read_amount(written, where="here")


def test_a_factor_blurs_around_the_median():
    chance = Random(1)
    drawn = [Amount((100.0,), 2.0).draw(chance) for _ in range(4000)]
    assert median(drawn) == pytest.approx(100, rel=0.05)
    assert sum(50 <= value <= 200 for value in drawn) / len(drawn) == pytest.approx(0.68, abs=0.03)
    assert sum(drawn) / len(drawn) == pytest.approx(Amount((100.0,), 2.0).mean, rel=0.05)


def test_kinds_are_found_by_the_last_parts_of_their_names(tmp_path):
    path = tmp_path / "times.yaml"
    path.write_text("default: 7\nkinds:\n  flows.relax: 20\n  relax: 30\n  a.flows.relax: 40\n")
    times = read_times(path)
    assert [times.of(kind).mean for kind in ("a.flows.relax", "b.flows.relax", "c.relax", "c.other")] == [
        40, 20, 30, 7,
    ]  # fmt: skip
    path.write_text("durations: {}\n")
    with pytest.raises(UnknownKeyError):
        read_times(path)
    path.write_text("[1, 2]\n")
    with pytest.raises(InputError, match="not a mapping of durations"):
        read_times(path)


def test_a_job_takes_the_same_on_every_machine():
    graph = fan(50)
    times = Times(kinds={"m.f": Amount((10.0, 20.0), 1.5)})
    assert times.draw(graph, 3) == times.draw(graph, 3) != times.draw(graph, 4)


def test_what_is_only_assumed_ends_before_its_walltime():
    graph = fan(2, resources=Resources(walltime=10.0))
    assert list(Times().draw(graph, 0)) == [10.0, 10.0]
    assert list(Times(kinds={"m.f": Amount((60.0,))}).draw(graph, 0)) == [60.0, 60.0]


def test_a_site_becomes_a_machine(tmp_path):
    path = tmp_path / "cluster.yaml"
    path.write_text(CLUSTER)
    found = machine_of(load_site(path, {"account": "m1"}), waits={"wide": Amount((60.0,))})
    cpu, wide = found.pools.values()
    assert (cpu.nodes, cpu.workers, cpu.capacity, cpu.walltime, cpu.drain) == (2, 8, 24, 7200, 120)
    assert (wide.nodes, wide.workers, wide.capacity, wide.whole_block) == (4, 1, 2, True)
    assert (cpu.wait.mean, wide.wait.mean) == (0.0, 60.0)
    assert cpu.outlives_nodes
    assert not wide.outlives_nodes


def test_a_forecast_has_a_spread():
    times = Times(kinds={"m.f": Amount((10.0,), 2.0)})
    found = forecast(fan(20), machine(workers=4), times, seeds=range(5))
    assert found.makespan.lowest < found.makespan.median < found.makespan.highest
    assert found.typical.makespan == found.makespan.median


def test_groups_are_kinds_and_waves():
    builder = GraphBuilder()
    first = [builder.add("m.f", name=f"f {i}") for i in range(5)]
    second = [builder.add("m.f", after=first, name="again") for _ in range(2)]
    builder.add("m.g", after=second, name="end")
    found = collapse(builder.graph(), "cpu")
    assert [(g.label, g.jobs, g.wave) for g in found.groups] == [("f", 5, 0), ("again", 2, 1), ("end", 1, 2)]
    assert found.links == {(0, 1): 10, (1, 2): 2}
    assert found.longest == 3
    assert "g0 -->|10| g1" in as_mermaid(found)


def test_a_long_chain_is_one_group():
    found = collapse(chain(500), "cpu")
    assert len(found.groups) == 1
    assert found.longest == 500
    (line,) = as_text(found)
    assert line.endswith("after one another")


def test_a_drawing_is_xml_whatever_jobs_are_called():
    builder = GraphBuilder()
    first = builder.add("m.f", name='<b> & "quoted" [x]')
    builder.add("m.g", after=[first], name="a name that goes on and on, much longer than its box is")
    graph = builder.graph()
    svg = as_svg(collapse(graph, "cpu"), run(graph, machine(), 5.0).timeline, title="<&>", span="10 s")
    assert ET.fromstring(svg).get("viewBox")
    assert '["' in as_mermaid(collapse(graph, "cpu"))
    assert "<b>" not in as_mermaid(collapse(graph, "cpu"))


def test_who_may_bring_jobs_is_seen_by_the_look_of_a_function():
    assert may_bring("graphs_for_tests.map_reduce")
    assert may_bring("zonemelt.flows.relabel.round_job")
    assert not may_bring("graphs_for_tests.add")
    assert not may_bring("no_such_module.f")
    assert not may_bring("plain")
