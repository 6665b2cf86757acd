"""Where a durable, parallel run cannot or should not do what ``run_locally`` does: what it does instead."""

from __future__ import annotations

from typing import Any

import graphs_for_tests as g
import jobs_for_mishaps as mishaps
import jobs_with_values as values
import numpy as np
import pytest
from ase.build import bulk
from comparing_runs import memory_store, ours, reference, taken
from inline_runs import last_output
from jobflow import Flow, OnMissing, OutputReference, Response
from pymatgen.io.ase import MSONAtoms

from zonemelt.tasks.errors import InputError
from zonemelt.workflows.engine.run import run_flow

pytestmark = [
    pytest.mark.filterwarnings("ignore:Some jobs are not connected:UserWarning"),
    pytest.mark.filterwarnings("ignore:Flow output contains external references:UserWarning"),
]


def outputs(responses: Any) -> dict[str, Any]:
    return {uuid: last_output(responses, uuid) for uuid in responses}


def test_arguments_travel_as_json(tmp_path) -> None:
    """As in every other manager: a tuple arrives as a list, a key as text; run_locally hands them over."""
    job = g.text_of({"tuple": (1, (2,)), 1: "one"})
    assert outputs(run_flow(job, site="inline", directory=tmp_path / "c")) == {
        job.uuid: "{'tuple': [1, [2]], '1': 'one'}"
    }


def test_arrays_are_lists_whatever_their_size(tmp_path, site) -> None:
    """As in run_locally; that large ones travel as files does not show."""
    small, large = values.array(10), values.array(5000)
    seen = [mishaps.text_of_type(job.output["values"]) for job in (small, large)]
    found = outputs(run_flow(Flow([small, large, *seen]), site=site, directory=tmp_path / "c"))
    assert [found[job.uuid] for job in seen] == ["list", "list"]
    assert isinstance(found[large.uuid]["values"], np.ndarray)


def test_nothing_is_stored_for_a_job_that_failed(tmp_path) -> None:
    """run_locally leaves a document that refers to an additional store there is not."""

    def graph() -> Flow:
        bad = values.unknown_store(1)
        child = g.text_of(bad.output)
        child.config.on_missing_references = OnMissing.NONE
        return Flow([bad, child, g.same(bad.output)])

    names = lambda run: sorted(d["name"] for d in run.documents)  # noqa: E731
    assert names(reference(graph(), root=tmp_path)) == ["unknown_store"]
    store = memory_store()
    responses = run_flow(graph(), site="inline", directory=tmp_path / "c", store=store)
    assert names(taken(store, responses)) == ["text_of"]


def test_any_name_will_do_for_data_in_the_campaign_directory(tmp_path, site) -> None:
    job = values.unknown_store(7)
    responses = run_flow(
        Flow([job, child := g.same(job.output["frames"])]), site=site, directory=tmp_path / "c"
    )
    assert outputs(responses) == {job.uuid: {"frames": 7}, child.uuid: 7}


def test_a_linear_flow_may_contain_flows_with_references(tmp_path, site) -> None:
    """run_locally finds a cycle where a flow in a linear flow refers to one before it."""

    def graph() -> Flow:
        first = g.add(1)
        second = Flow([one := g.add(first.output), g.add(one.output)])
        return Flow([first, g.add(5), second], order="linear")

    with pytest.raises(ValueError, match="cycles"):
        reference(graph(), root=tmp_path)
    assert sorted(outputs(run_flow(graph(), site=site, directory=tmp_path / "c")).values()) == [2, 3, 4, 6]


def test_stop_jobflow_also_stops_what_running_jobs_bring(tmp_path, workers) -> None:
    """run_locally runs one job at a time: nothing is on its way when a job stops the rest."""
    marks = tmp_path / "marks"
    marks.mkdir()
    stopper = mishaps.stops_when(str(marks), "begun")
    bringer = mishaps.brings_when(str(marks), "begun", str(tmp_path / "c"))
    child = g.note(str(marks), stopper.output, name="child")
    responses = run_flow(Flow([stopper, bringer, child]), site=workers, directory=tmp_path / "c")
    assert set(responses) == {stopper.uuid, bringer.uuid}
    assert isinstance(responses[bringer.uuid][1].replace, Flow)
    assert [path.name for path in marks.iterdir() if "begun" not in path.name] == []


def test_more_references_than_fit_a_document(tmp_path, site) -> None:
    """An output of more than 1 MB goes to a file, unless it leads to other outputs."""
    many = mishaps.map_reduce_list(200, 30)
    total = g.total(many.output)
    responses = run_flow(Flow([many, total]), site=site, directory=tmp_path / "c")
    assert responses[total.uuid][1].output == 30 * sum(range(1, 201))


def test_large_documents(tmp_path, site) -> None:
    job = g.same({"text": "ü" * 2_000_000, "n": 1})
    big = values.summed_plain(list(range(200_000)))
    ends = [g.same(big.output["terms"][-1]), g.same(big.output["total"])]
    responses = run_flow(Flow([job, big, *ends]), site=site, directory=tmp_path / "c")
    assert [responses[end.uuid][1].output for end in ends] == [199_999, sum(range(200_000))]
    assert responses[job.uuid][1].output == {"text": "ü" * 2_000_000, "n": 1}
    assert responses[big.uuid][1].output["terms"] == list(range(200_000))


def test_an_empty_flow(tmp_path) -> None:
    assert dict(run_flow(Flow([]), site="inline", directory=tmp_path / "c", ensure_success=True)) == {}


def test_a_job_may_speak_of_unresolved_references(tmp_path, site) -> None:
    """The words "resolve_references: false" among a job's arguments are not about the job."""
    top = g.same(3)
    job = g.same({"resolve_references": False, "value": top.output})
    job.update_config({"resolve_references": False}, name_filter="nobody")
    responses = run_flow(Flow([top, job]), site=site, directory=tmp_path / "c", ensure_success=True)
    assert responses[job.uuid][1].output["value"] == 3


def test_the_directory_of_a_job_is_in_its_response(tmp_path, site) -> None:
    spoke, silent = g.speak("something"), g.add(1)
    responses = run_flow(Flow([spoke, silent]), site=site, directory=tmp_path / "c")
    directory = responses[spoke.uuid][1].job_dir
    assert (directory / "kept.txt").read_text() == "something"
    assert directory.is_relative_to(tmp_path / "c" / "jobs")
    assert responses[silent.uuid][1].job_dir is None  # it left nothing behind


class TestExternalReferences:
    def test_are_refused(self, tmp_path) -> None:
        with pytest.raises(ValueError, match="allow_external_references") as mine:
            run_flow(g.add(OutputReference("elsewhere")), site="inline", directory=tmp_path / "c")
        with pytest.raises(ValueError, match="allow_external_references") as theirs:
            reference(g.add(OutputReference("elsewhere")))
        assert str(mine.value) == str(theirs.value)
        assert not (tmp_path / "c" / "ledger.db").exists()

    def test_are_found_in_the_store(self, tmp_path, site) -> None:
        earlier = Flow(
            [
                a := g.same({"x": [1, 2]}),
                data := values.trajectory(3),
                many := g.map_reduce(3),
                g.countdown(2),
            ]
        )
        later = [
            lambda: g.add(a.output["x"][1]),
            lambda: g.same(data.output["trajectory"]),
            lambda: g.same(many.output),
            lambda: g.text_of(many.output),
        ]
        store = memory_store()
        run_flow(earlier, site="inline", directory=tmp_path / "earlier", store=store)
        jobs = [make() for make in later]
        chained = g.same(jobs[0].output)
        responses = run_flow(
            Flow([*jobs, chained]),
            site=site,
            directory=tmp_path / "later",
            store=store,
            allow_external_references=True,
        )
        expected = [3, [[0, 0.5], [1, 1.5], [2, 2.5]], [1, 2, 3], "[1, 2, 3]"]
        assert [responses[job.uuid][1].output for job in jobs] == expected
        assert responses[chained.uuid][1].output == 3

    def test_that_are_not_there_follow_on_missing(self, tmp_path, site) -> None:
        gone = OutputReference("00000000-0000-4000-8000-00000000dead")
        jobs = [g.text_of(gone) for _ in range(3)]
        for job, how in zip(jobs, OnMissing, strict=True):
            job.config.on_missing_references = how
        expected = reference(Flow(jobs), allow_external_references=True)
        jobs = [g.text_of(gone) for _ in range(3)]
        for job, how in zip(jobs, OnMissing, strict=True):
            job.config.on_missing_references = how
        found = ours(Flow(jobs), tmp_path / "c", site, allow_external_references=True)
        assert sorted(d["output"] for d in found.documents) == sorted(d["output"] for d in expected.documents)
        assert len(found.documents) == 2


def test_a_function_that_no_worker_can_import_is_refused(tmp_path) -> None:
    """run_locally hands it on; elsewhere there is only its name."""
    with pytest.raises(InputError, match=r"function .*<lambda> cannot be imported on a worker"):
        run_flow(g.called(lambda x: x, 1.0), site="inline", directory=tmp_path / "c")


def test_atoms_arrive_whole(tmp_path, site) -> None:
    """Also arrays that ASE does not know, which pymatgen's way through JSON leaves behind."""
    atoms = bulk("Cu", cubic=True)
    atoms.set_array("layer", np.array([0, 0, 1, 1]))
    atoms.set_tags([1, 2, 3, 4])
    atoms.info["from"] = {"here": [1, 2]}
    job = g.about_atoms(MSONAtoms(atoms))
    job.function_args = (atoms,)
    found = outputs(run_flow(job, site=site, directory=tmp_path / "c", ensure_success=True))[job.uuid]
    assert found == {
        "numbers": [29] * 4, "positions": atoms.positions.tolist(), "layer": [0, 0, 1, 1],
        "tags": [1, 2, 3, 4], "info": {"from": {"here": [1, 2]}},
    }  # fmt: skip


def test_responses_are_a_mapping(tmp_path) -> None:
    job = g.respond({"a": 1}, stored_data={"k": 1})
    responses = run_flow(Flow([job, bad := g.fail()]), site="inline", directory=tmp_path / "c")
    assert len(responses) == 1
    assert list(responses) == [job.uuid]
    assert isinstance(responses[job.uuid][1], Response)
    assert bad.uuid not in responses
    with pytest.raises(KeyError):
        responses["nobody"]


def test_a_reference_in_an_additional_store_does_not_stop_reuse(tmp_path) -> None:
    def graph() -> Flow:
        job = values.trajectory_by_another(2)
        return Flow([job, g.text_of(job.output)])

    earlier = run_flow(graph(), site="inline", directory=tmp_path / "a", ensure_success=True)
    later = run_flow(
        graph(), site="inline", directory=tmp_path / "b", reuse=[tmp_path / "a"], ensure_success=True
    )
    assert [text for text in outputs(later).values() if isinstance(text, str)] == [
        text for text in outputs(earlier).values() if isinstance(text, str)
    ]
