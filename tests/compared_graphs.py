"""Graphs of every shape that jobflow allows, run by it and by us: static, failing, dynamic, stopping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import graphs_for_tests as g
import jobs_with_values as values
from jobflow import Flow, Job, OnMissing

if TYPE_CHECKING:
    from collections.abc import Callable

GRAPHS: dict[str, Callable[[], Any]] = {}


def graph(build: Callable[[], Any]) -> Callable[[], Any]:
    """Register a graph: a function without arguments that builds it."""
    GRAPHS[build.__name__] = build
    return build


def missing(job: Job, how: str) -> Job:
    job.config.on_missing_references = OnMissing(how)
    return job


# ── static graphs ───────────────────────────────────────────────────────────────────────────────────────


@graph
def single_job() -> Any:
    return g.add(1, b=2)


@graph
def chain() -> Any:
    jobs = [g.add(1)]
    for _ in range(5):
        jobs.append(g.add(jobs[-1].output))
    return Flow(jobs, output=jobs[-1].output, name="a chain")


@graph
def fan_and_join() -> Any:
    fan = [g.add(i) for i in range(12)]
    join = g.total([job.output for job in fan])
    return [join, *fan]  # children before their parents


@graph
def diamond() -> Any:
    top = g.same({"a": [1, 2], "b": 3})
    left, right = g.add(top.output["a"][1]), g.add(top.output["b"], b=top.output["a"][0])
    return Flow([top, left, right, g.total([left.output, right.output])])


@graph
def same_reference_twice() -> Any:
    top = g.add(1)
    return Flow([top, g.add(top.output, top.output), g.same({"x": top.output, "y": [top.output]})])


@graph
def nested_flows() -> Any:
    a = g.add(1)
    inner = Flow([a, b := g.add(a.output)], output=b.output, name="inner")
    middle = Flow([inner, c := g.add(inner.output)], output={"b": b.output, "c": c.output}, name="middle")
    return Flow([middle, g.same(middle.output), g.add(middle.output["c"])], name="outer")


@graph
def linear() -> Any:
    return Flow([g.add(1), g.fail(), g.add(2), g.add(3)], order="linear")


@graph
def linear_nested() -> Any:
    first = Flow([g.add(1), a := g.add(2), g.add(a.output)], name="first")
    second = Flow([g.add(3), b := g.add(4), g.add(b.output)], order="linear", name="second")
    return Flow([first, g.add(5), second, missing(g.fail(), "none"), g.add(6)], order="linear")


@graph
def linear_within_auto() -> Any:
    a = g.add(1)
    inner = Flow([b := g.add(a.output), c := g.add(2)], order="linear", output=c.output)
    return Flow([a, inner, g.add(inner.output, b.output)])


@graph
def references() -> Any:
    top = g.same({"deep": [{"value": 5, "list": [1, 2, 3]}], "text": "ü"})
    model = values.summed([1.0, 2.0])
    return Flow(
        [
            top,
            model,
            g.add(top.output["deep"][0]["value"]),
            g.same([top.output["deep"], {"k": top.output["text"]}]),
            g.same(model.output.total),
            g.same(model.output.terms[1]),
            g.text_of(model.output),
            g.text_of((top.output["text"], 1)),
        ]
    )


@graph
def wrong_references() -> Any:
    top = g.same({"a": [1]})
    return Flow(
        [
            top,
            g.same(top.output["b"]),
            g.same(top.output["a"][7]),
            g.same(top.output.nothing),
            g.add(top.output),
        ]
    )


# ── failures ────────────────────────────────────────────────────────────────────────────────────────────


@graph
def failing_parent() -> Any:
    bad, good = g.fail(), g.add(1)
    jobs = [bad, good]
    for how in ("error", "none", "pass"):
        jobs += [
            missing(g.text_of([bad.output, good.output]), how),
            missing(g.text_of(bad.output["a"].b), how),
        ]
    return Flow(jobs)


@graph
def skip_cascade() -> Any:
    bad = g.fail()
    one = g.add(bad.output)
    two = g.add(one.output)
    three = missing(g.text_of(two.output), "none")
    return Flow([bad, one, two, three, g.add(three.output, "!"), g.add(two.output)])


@graph
def not_serialisable_output() -> Any:
    bad = values.not_serialisable()
    return Flow([bad, missing(g.text_of(bad.output), "none"), g.add(bad.output)])


@graph
def schemas() -> Any:
    jobs = [values.summed([1.0, 2.5]), values.summed_model([3.0]), wrong := values.summed_wrongly([1.0])]
    return Flow(
        [
            *jobs,
            g.same(wrong.output),
            missing(g.text_of(wrong.output.total), "none"),
            values.summed("no list"),
        ]
    )


@graph
def schema_after_replace() -> Any:
    right, wrong = values.summed_by_another([1.0, 2.0]), values.summed_by_another([1.0], wrong=True)
    return Flow([right, wrong, g.same(right.output.total), g.same(wrong.output)])


# ── dynamic graphs ──────────────────────────────────────────────────────────────────────────────────────


def brought(way: str, shape: str, *jobs: dict[str, Any], **top: Any) -> Flow:
    """A job that brings others, its parent, its child and grandchild."""
    parent = g.same("parent")
    bringer = g.act({"value": 1, way: {"jobs": list(jobs), "shape": shape}, **top}, parent.output)
    child = g.act({"value": "child"}, bringer.output)
    spared = missing(g.act({"value": "spared"}, bringer.output), "none")
    grandchild = g.act({"value": "grandchild"}, child.output)
    return Flow([parent, bringer, child, spared, grandchild, g.same("aside")], name="host", metadata={"m": 1})


SHAPES = ["job", "flow", "plain", "list", "dict"]
for _way in ("replace", "detour", "addition"):
    for _shape in SHAPES if _way == "replace" else SHAPES[:-1]:
        GRAPHS[f"{_way}_by_{_shape}"] = lambda w=_way, s=_shape: brought(
            w, s, {"value": 2}, {"value": 3, "after": [0]}
        )
    for _shape in ("job", "flow", "plain"):
        GRAPHS[f"{_way}_by_{_shape}_fails"] = lambda w=_way, s=_shape: brought(
            w, s, {"value": 2, "fails": True}, {"value": 3, "after": [0]}, {"value": 4}
        )
    GRAPHS[f"{_way}_within_{_way}"] = lambda w=_way: brought(
        w,
        "flow",
        {"value": 2, w: {"jobs": [{"value": 3}, {"value": 4, w: {"jobs": [{"value": 5}], "shape": "job"}}]}},
    )
    GRAPHS[f"{_way}_linear"] = lambda w=_way: Flow(
        [
            top := g.act(
                {
                    "value": 0,
                    w: {"jobs": [{"value": 1}, {"value": 2, "fails": True}, {"value": 3}], "order": "linear"},
                }
            ),
            g.act({"value": "child"}, top.output),
        ]
    )
for _shape in ("job", "list", "tuple", "dict", "flow"):
    GRAPHS[f"returned_{_shape}"] = lambda s=_shape: Flow(
        [a := g.bare(s), g.same(a.output), g.text_of(a.output)]
    )


@graph
def recursion() -> Any:
    down = g.countdown(6)
    return Flow([down, g.text_of(down.output), g.countdown(0)])


@graph
def detour_of_a_replacement() -> Any:
    return brought(
        "replace", "job", {"value": 2, "detour": {"jobs": [{"value": 3}, {"value": 4, "after": [0]}]}}
    )


@graph
def detour_held_across_a_replacement() -> Any:
    return brought(
        "detour",
        "flow",
        {"value": 2, "seconds": 0.05},
        {"value": 3, "after": [0]},
        replace={"jobs": [{"value": 5, "replace": {"jobs": [{"value": 6}], "shape": "job"}}], "shape": "job"},
    )


@graph
def all_three_ways() -> Any:
    plan = {"jobs": [{"value": 2}, {"value": 3, "after": [0]}]}
    return brought("replace", "flow", {"value": 9}, detour=plan, addition={**plan, "shape": "list"})


@graph
def all_three_ways_fail() -> Any:
    plan = {"jobs": [{"value": 2, "fails": True}, {"value": 3, "after": [0]}]}
    return brought("replace", "flow", {"value": 9, "fails": True}, detour=plan, addition=plan)


@graph
def replaced_map_reduce() -> Any:
    jobs = [g.map_reduce(6), g.map_reduce(3, fails=[1]), g.map_reduce(3, fails=[1], on_missing="none")]
    return Flow(
        [*jobs, *(g.same(job.output) for job in jobs), *(missing(g.text_of(j.output), "none") for j in jobs)]
    )


# ── stops ───────────────────────────────────────────────────────────────────────────────────────────────


@graph
def stops_children() -> Any:
    top = g.act({"value": 1, "stop_children": True})
    child = g.act({"value": 2}, top.output)
    spared = missing(g.act({"value": 3}, top.output), "none")
    grandchild = missing(g.act({"value": 4}, [child.output, spared.output]), "none")
    bad = g.fail()
    return Flow([top, child, spared, grandchild, bad, g.same([bad.output, grandchild.output]), g.add(7)])


for _way in ("replace", "detour", "addition"):
    GRAPHS[f"stops_children_with_{_way}"] = lambda w=_way: brought(
        w, "flow", {"value": 2}, {"value": 3, "after": [0]}, stop_children=True
    )
    GRAPHS[f"{_way}_stops_its_children"] = lambda w=_way: brought(
        w, "flow", {"value": 2, "stop_children": True}, {"value": 3, "after": [0]}
    )


@graph
def replacement_stops_children() -> Any:
    return brought("replace", "job", {"value": 2, "stop_children": True})


@graph
def stops_jobflow() -> Any:
    one = g.add(1)
    two = g.act({"value": 2, "stop_jobflow": True}, one.output)
    three = g.add(two.output)
    return Flow([one, two, three, g.add(three.output)])


@graph
def stops_jobflow_with_replacement() -> Any:
    top = g.act({"value": 2, "stop_jobflow": True, "replace": {"jobs": [{"value": 3}]}})
    return Flow([top, g.add(top.output)])


@graph
def replacement_stops_jobflow() -> Any:
    top = g.act({"value": 2, "replace": {"jobs": [{"value": 3, "stop_jobflow": True}], "shape": "job"}})
    return Flow([top, g.add(top.output)])
