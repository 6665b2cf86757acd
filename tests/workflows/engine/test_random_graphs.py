"""Random graphs leave here what they leave by ``run_locally``, and the same jobs run."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import graphs_for_tests as g
import pytest
from comparing_runs import assert_same, ours, reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jobflow import Flow

pytestmark = pytest.mark.filterwarnings("ignore:Some jobs are not connected:UserWarning")


@st.composite
def plans(draw: st.DrawFn, *, most: int = 12, depth: int = 0) -> dict[str, Any]:
    """A graph for :func:`graphs_for_tests.grow`."""
    jobs: list[dict[str, Any]] = []
    for i in range(draw(st.integers(1, most))):
        what: dict[str, Any] = {"value": i, "missing": draw(st.sampled_from(["error", "none", "pass"]))}
        if i:
            what["after"] = draw(st.lists(st.integers(0, i - 1), max_size=3, unique=True))
        luck = draw(st.integers(0, 11))
        if luck == 0:
            what["fails"] = True
        elif luck == 1:
            what["stop_children"] = True
        if depth and draw(st.integers(0, 3)) == 0:
            for way in draw(
                st.lists(st.sampled_from(["replace", "detour", "addition"]), min_size=1, unique=True)
            ):
                what[way] = draw(plans(most=3, depth=depth - 1))
        jobs.append(what)
    return {
        "jobs": jobs,
        "shape": draw(st.sampled_from(["flow", "plain", "list", "job"] if depth < 2 else ["flow"])),
    }


def graph(plan: dict[str, Any]) -> Any:
    grown = g.grow(plan, "random")
    return grown if isinstance(grown, Flow) else Flow(grown, uuid="random", name="random")


def compare(plan: dict[str, Any], site: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        expected = reference(graph(plan), root=Path(folder))
        found = ours(graph(plan), Path(folder, "campaign"), site)
        assert_same(found, expected)


@settings(max_examples=60)
@given(plan=plans())
def test_static_graphs(plan: dict[str, Any]) -> None:
    compare(plan, "inline")


@settings(max_examples=80)
@given(plan=plans(most=5, depth=2))
def test_dynamic_graphs(plan: dict[str, Any]) -> None:
    compare(plan, "inline")


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(plan=plans(most=6, depth=2))
def test_in_worker_processes(workers, plan: dict[str, Any]) -> None:
    compare(plan, workers)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # each of its 3,000 runs waits for the disk
@settings(max_examples=1500, derandomize=False)  # others each time
@given(plan=plans(most=8, depth=3))
def test_many_more(plan: dict[str, Any]) -> None:
    compare(plan, "inline")
