"""The benchmark of the simulated site measures what it says."""

from __future__ import annotations


def test_a_small_fan():
    from benchmarks.simulate import simulate_fan

    found = simulate_fan({"jobs": 300, "nodes": 10})
    assert found["wall"] > 0
    assert 300 < found["events"] < 3000
    assert found["peak_mb"] > 0


def test_the_graph_has_about_as_many_jobs_as_asked():
    from benchmarks.simulate_graphs import mixed

    flow = mixed(100, shortest=0.2, longest=1.0)
    assert 70 <= len(list(flow.iterflow())) <= 100
