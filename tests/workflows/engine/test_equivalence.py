"""Any jobflow graph leaves here what it leaves by ``run_locally``: every document, blob and response."""

from __future__ import annotations

from typing import Any

import graphs_for_tests as g
import jobs_with_values as values
import pytest
from compared_graphs import GRAPHS, graph
from comparing_runs import assert_same, built, memory_store, ours, reference, taken
from jobflow import Flow, Job, OnMissing

from zonemelt.workflows.engine.run import run_flow

pytestmark = [
    pytest.mark.filterwarnings("ignore:Job .* contains an Flow or Job as an input:UserWarning"),
    pytest.mark.filterwarnings("ignore:Some jobs are not connected:UserWarning"),
    pytest.mark.filterwarnings("ignore:Response.stored_data is not supported:UserWarning"),
]


# ── data ────────────────────────────────────────────────────────────────────────────────────────────────


@graph
def additional_stores() -> Any:
    jobs = [values.trajectory(4), values.all_data(3), values.many_data(2), values.trajectory_by_another(2)]
    return Flow(
        [
            *jobs,
            *(g.text_of(job.output) for job in jobs),
            g.same(jobs[0].output["trajectory"][1]),
            g.add(jobs[0].output["energy"]),
            g.same(jobs[1].output["frames"]),
            g.same(jobs[3].output["trajectory"]["total"]),
        ]
    )


@graph
def odd_values() -> Any:
    odd = values.odd_values()
    return Flow(
        [
            odd,
            g.text_of(odd.output["nan"]),
            g.text_of(odd.output["date"]),
            g.same(odd.output),
            g.same(odd.output["enum"]),
            g.same(odd.output["key with spaces"]),
            g.same(values.Colour.BLUE),
            g.text_of(values.Colour.BLUE),
        ]
    )


@graph
def responses_of_all_kinds() -> Any:
    jobs = [
        g.respond({"a": 1}, stored_data={"k": [1, 2]}),
        g.respond(None),
        g.same(None),
        g.respond([], stop_children=True),
    ]
    return Flow([*jobs, *(g.text_of(job.output) for job in jobs)])


@graph
def arrays() -> Any:
    import numpy as np

    jobs = [values.array(n, kind) for n in (0, 3, 1023, 1024, 5000) for kind in ("float64", "int32", "bool")]
    jobs += [values.bare_array(10), values.bare_array(4000)]
    means = [values.mean_of(job.output["values"]) for job in jobs[:-2]] + [
        values.mean_of(job.output) for job in jobs[-2:]
    ]
    given = [
        values.mean_of(np.arange(6.0)),
        values.mean_of(np.arange(6000.0)),
        g.same({"a": np.arange(6000)}),
    ]
    return Flow([*jobs, *means, *given, g.same(jobs[4].output), g.same(jobs[-1].output)])


@graph
def structures() -> Any:
    jobs = [values.structure(1), values.structure(8)]  # 8 and 512 sites
    again = [g.same({"s": job.output, "n": [job.output]}) for job in jobs]
    return Flow(
        [
            *jobs,
            *again,
            *(values.about_structure(job.output) for job in jobs),
            values.about_structure(again[1].output["n"][0]),
        ]
    )


# ── what travels with jobs ──────────────────────────────────────────────────────────────────────────────


@graph
def makers() -> Any:
    chain = g.ChainMaker()
    plain = chain.make(1.0)
    changed = g.ChainMaker(name="changed").make(1.0)
    changed.update_maker_kwargs({"number": 5.0}, name_filter="second")
    bringers = [
        g.BringMaker(way=way, maker=m).make(2.0)
        for way in ("replace", "detour", "addition")
        for m in (chain, g.AddMaker())
    ]
    for job in bringers[::2]:
        job.update_maker_kwargs({"number": 3.0}, class_filter=g.AddMaker)
        job.update_metadata({"tag": "all"})
        job.update_metadata({"tag2": 1}, name_filter="second")
        job.append_name(" more")
        job.append_name("pre ", prepend=True, dynamic=False)
        job.update_config({"manager_config": {"_note": "x"}}, name_filter="add")
        job.update_config({"on_missing_references": OnMissing.NONE}, name_filter="second", dynamic=True)
    return Flow([plain, changed, *bringers, *(g.same(job.output) for job in bringers), g.add(plain.output)])


@graph
def functions_as_arguments() -> Any:
    top = g.add(1)
    return Flow(
        [
            top,
            g.called(g.power, 3.0),
            g.called(g.given(g.power, exponent=3), top.output),
            g.called(g.given(g.given(g.power, 2.0), exponent=5)),
            g.called_as_job(g.add, 4),
            g.called_as_job(g.given(g.add, b=10), top.output),
        ]
    )


@graph
def manager_configs() -> Any:
    def bringer(**config: Any) -> Job:
        top = g.act(
            {
                "value": 1,
                "replace": {"jobs": [{"value": 2}, {"value": 3, "config": {"_own": 1}}]},
                "detour": {"jobs": [{"value": 4, "addition": {"jobs": [{"value": 5}]}}]},
            }
        )
        top.update_config({"manager_config": {"_a": 1, "priority": 2}, **config}, dynamic=False)
        return top

    return Flow(
        [
            bringer(),
            bringer(pass_manager_config=False),
            bringer(response_manager_config={"_b": 2, "walltime": 60}),
            g.respond(1, replace=None),
            values.current_job(),
        ]
    )


@graph
def current_jobs() -> Any:
    job = values.current_job()
    job.metadata = {"a": {"b": [1]}}
    job.update_config({"manager_config": {"_x": {"y": 1}}})
    return Flow(
        [job, Flow([values.current_job()], name="inner"), values.current_job()],
        name="outer",
        metadata={"f": 1},
    )


@graph
def unresolved_references() -> Any:
    top = g.same([1, 2])
    return Flow(
        [
            top,
            values.unresolved(top.output[0]),
            values.both(top.output[1]),
            values.unresolved({"x": [top.output]}),
            values.both([1]),
        ]
    )


@graph
def exposed_store() -> Any:
    top = g.same([1, 2])
    seen = values.look_up(top.uuid)
    order = Flow([top, seen, values.look_up("nobody")], order="linear")
    return Flow([order, g.same(seen.output)])


@graph
def identical_jobs() -> Any:
    jobs = [g.add(1, 2) for _ in range(4)]
    return Flow([*jobs, g.total([job.output for job in jobs])])


@graph
def decorated_functions_of_all_kinds() -> Any:
    return Flow(
        [
            Job(sum, ([1, 2, 3],)),
            Job(max, (1, 2), name="ü 😀"),
            g.AddMaker(number=4.0).make(a=1.0),
            Job(g.fingerprint, function_kwargs={"value": "x"}),
            g.add("Ångström ", "☃"),
        ]
    )


@pytest.mark.parametrize("name", list(GRAPHS))
def test_same_as_run_locally(name, site, tmp_path) -> None:
    expected = reference(built(GRAPHS[name]), root=tmp_path)
    found = ours(built(GRAPHS[name]), tmp_path / "campaign", site)
    assert_same(found, expected)


@pytest.mark.parametrize(
    "name", ["additional_stores", "arrays", "structures", "all_three_ways", "odd_values", "exposed_store"]
)
def test_same_in_a_store_elsewhere(name, tmp_path) -> None:
    expected = reference(built(GRAPHS[name]), root=tmp_path)
    store = memory_store()
    responses = run_flow(built(GRAPHS[name]), site="inline", store=store, directory=tmp_path / "campaign")
    assert_same(taken(store, responses), expected)
