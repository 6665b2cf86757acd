"""A campaign as it runs: retries by cause, quorum, priorities, limits, streams, graphs that cannot run."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import graphs_for_tests as g
import jobs_with_values as values
import pytest
from jobflow import Flow, Job
from ledgers_for_tests import events

from zonemelt import RetryPolicy, resume, run_flow
from zonemelt.tasks.errors import (
    CampaignError,
    GraphError,
    InputError,
    JobError,
    LedgerVersionError,
    UnknownKeyError,
)
from zonemelt.workflows.engine import control
from zonemelt.workflows.engine.worker import WORKER_VARIABLE

QUICK = {"backoff_s": 0.0}


def states(directory):
    with sqlite3.connect(directory / "ledger.db") as connection:
        return dict(connection.execute("SELECT name, state FROM jobs").fetchall())


def wants(job, **config):
    job.update_config({"manager_config": config})
    return job


class TestRetries:
    @pytest.mark.parametrize("cause", ["application", "memory", "infrastructure"])
    def test_each_cause_has_a_limit_of_its_own(self, tmp_path, notes, cause):
        error = "disk" if cause == "infrastructure" else cause
        job = g.fail_times(str(notes), 2, error)
        none = {"application": 0, "memory": 0, "infrastructure": 0, "walltime": 0}
        policy = RetryPolicy(**{**none, cause: 2}, **QUICK)
        responses = run_flow(job, site="inline", directory=tmp_path / "c", retry=policy)
        assert responses[job.uuid][1].output == 3
        assert [event["cause"] for event in events(tmp_path / "c", "retry")] == [cause] * 2

    def test_the_limit_ends_it_and_says_why(self, tmp_path, notes):
        job, other = g.fail_times(str(notes), 9, "application"), g.add(1, 1)
        responses = run_flow(
            Flow([job, other]),
            site="inline",
            directory=tmp_path / "c",
            retry=RetryPolicy(application=2, **QUICK),
        )
        assert list(responses) == [other.uuid]
        (failed,) = events(tmp_path / "c", "failed")
        assert (failed["error"], failed["message"]) == ("RuntimeError", "execution 3 fails")
        assert "raise RuntimeError" in failed["traceback"]
        assert "RuntimeError" in Path(failed["directory"], "error.txt").read_text()
        assert sum(g.executions(notes).values()) == 3

    def test_a_job_rests_before_it_goes_again(self, tmp_path, notes):
        job = g.fail_times(str(notes), 1, "application")
        begun = time.monotonic()
        run_flow(
            job, site="inline", directory=tmp_path / "c", retry=RetryPolicy(application=1, backoff_s=0.5)
        )
        assert time.monotonic() - begun >= 0.5

    def test_rests_grow_to_a_limit(self):
        policy = RetryPolicy(backoff_s=2.0, backoff_limit_s=10.0)
        assert [policy.delay(earlier) for earlier in range(5)] == [2.0, 4.0, 8.0, 10.0, 10.0]

    def test_the_walltime_of_a_job(self, tmp_path, notes):
        job = wants(g.fail_times(str(notes), 1, "walltime"), walltime=1)
        responses = run_flow(job, site="inline", directory=tmp_path / "c", retry=RetryPolicy(**QUICK))
        assert responses[job.uuid][1].output == 2
        (retry,) = events(tmp_path / "c", "retry")
        assert retry["cause"] == "walltime"
        assert "longer than its walltime of 1 s" in retry["message"]

    def test_memory_is_limited_and_doubled(self, workers, tmp_path):
        # The limit is of the worker's process, with what earlier jobs have left in it: some hundred MB.
        fits, too_much = (wants(g.ask_for_memory(n << 20), memory="1500MB") for n in (1600, 20_000))
        responses = run_flow(
            Flow([fits, too_much]), site=workers, directory=tmp_path / "c", retry=RetryPolicy(**QUICK)
        )
        assert responses[fits.uuid][1].output == 1600 << 20  # in its second attempt, with twice the memory
        assert too_much.uuid not in responses
        assert [event["cause"] for event in events(tmp_path / "c", "failed")] == ["memory"]

    def test_what_a_job_printed_comes_with_its_failure(self, workers, tmp_path):
        job = g.speak("the last words", fails=True)
        run_flow(job, site=workers, directory=tmp_path / "c")
        (failed,) = events(tmp_path / "c", "failed")
        assert "the last words" in failed["tail"]
        assert Path(failed["directory"], "kept.txt").read_text() == "the last words"

    def test_raise_immediately_and_ensure_success(self, tmp_path):
        with pytest.raises(JobError, match="on purpose"):
            run_flow(g.fail(), site="inline", directory=tmp_path / "a", raise_immediately=True)
        with pytest.raises(JobError, match="1 of 2 jobs did not succeed"):
            run_flow(Flow([g.fail(), g.add(1)]), site="inline", directory=tmp_path / "b", ensure_success=True)


class TestOrderAndLimits:
    def test_a_quorum_starts_without_the_stragglers(self, tmp_path):
        parts = [g.add(1, 1), g.fail(), g.add(2, 1)]
        join = wants(g.text_of([part.output for part in parts]), quorum=0.5)
        strict = g.text_of([part.output for part in parts])
        responses = run_flow(Flow([*parts, join, strict]), site="inline", directory=tmp_path / "c")
        assert responses[join.uuid][1].output == "[2, None, 3]"
        assert strict.uuid not in responses

    def test_a_quorum_that_cannot_be_reached(self, tmp_path):
        parts = [g.fail(), g.fail(), g.add(1)]
        join = wants(g.text_of([part.output for part in parts]), quorum=2)
        assert join.uuid not in run_flow(Flow([*parts, join]), site="inline", directory=tmp_path / "c")

    def test_priorities_go_first(self, tmp_path, notes):
        jobs = [wants(g.note(str(notes), name=f"p{i}"), priority=i % 5) for i in range(20)]
        run_flow(Flow(jobs), site="inline", directory=tmp_path / "c", max_jobs_in_flight=1)
        with sqlite3.connect(tmp_path / "c" / "ledger.db") as connection:
            rows = connection.execute(
                "SELECT priority FROM events JOIN jobs ON jobs.id = job WHERE events.kind = 'done'"
                " ORDER BY events.id"
            ).fetchall()
        order = [row[0] for row in rows]
        assert order == sorted(order, reverse=True)

    def test_a_spent_budget_pauses_and_more_of_it_goes_on(self, tmp_path):
        jobs = [g.rest(1.2) for _ in range(5)]
        first = run_flow(Flow(jobs), site="inline", directory=tmp_path / "c", budget_node_hours=1e-9)
        assert len(first) < len(jobs)
        assert "node-hours is spent" in events(tmp_path / "c", "paused")[0]["reason"]
        assert len(resume(tmp_path / "c", site="inline", budget_node_hours=1.0)) == len(jobs)

    def test_a_request_is_obeyed_while_jobs_run(self, tmp_path, workers):
        place = tmp_path / "c"
        pauses = Job(control.ask, function_args=(place, "pause"), name="pauses")
        rest = [g.rest(0.4, i) for i in range(12)]
        found = run_flow(Flow([pauses, *rest]), site=workers, directory=place, max_jobs_in_flight=2)
        assert 0 < len(found) < 13
        assert len(resume(place, site=workers)) == 13


class TestStreams:
    def graphs(self, count):
        for number in range(count):
            parts = [g.add(number, i) for i in range(5)]
            yield Flow([*parts, g.total([part.output for part in parts])])

    def test_graphs_are_taken_as_workers_become_free(self, tmp_path):
        assert len(run_flow(self.graphs(300), site="inline", directory=tmp_path / "c")) == 1800

    def test_resume_passes_over_what_was_taken(self, tmp_path):
        taken = []

        def interrupted():
            for number, graph in enumerate(self.graphs(200)):
                if number == 120:
                    raise KeyboardInterrupt
                taken.append(graph)
                yield graph

        with pytest.raises(KeyboardInterrupt):
            run_flow(interrupted(), site="inline", directory=tmp_path / "c")
        with pytest.raises(CampaignError, match="iterator that was not given"):
            resume(tmp_path / "c", site="inline")
        assert len(resume(tmp_path / "c", site="inline", flow=self.graphs(200))) == 1200


class TestBadInput:
    def test_functions_that_no_worker_can_import(self, tmp_path):
        def local():
            return 1

        for function in (local, lambda: 1):
            with pytest.raises(InputError, match="cannot be imported on a worker"):
                run_flow(Job(function=function, name="f"), site="inline", directory=tmp_path / "c")
        assert not (tmp_path / "c" / "ledger.db").exists()

    def test_a_module_that_is_missing_on_the_worker(self, tmp_path, monkeypatch):
        (tmp_path / "soon_gone.py").write_text("from jobflow import job\n\n@job\ndef one():\n    return 1\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        import soon_gone

        job = soon_gone.one()
        (tmp_path / "soon_gone.py").unlink()
        monkeypatch.delitem(sys.modules, "soon_gone")
        run_flow(job, site="inline", directory=tmp_path / "c")
        (failed,) = events(tmp_path / "c", "failed")
        assert failed["error"] == "ModuleNotFoundError"
        assert "soon_gone" in failed["message"]

    def test_arguments_and_outputs_that_are_no_json(self, tmp_path):
        job = g.same(1)
        job.function_args = (object(),)
        with pytest.raises(InputError, match="cannot be serialised"):
            run_flow(job, site="inline", directory=tmp_path / "a")
        run_flow(values.not_serialisable(), site="inline", directory=tmp_path / "b")
        assert "not MSONable" in events(tmp_path / "b", "failed")[0]["message"]

    def test_resources_that_no_site_has(self, tmp_path):
        with pytest.raises(InputError, match="no pool 'gpu'"):
            run_flow(wants(g.add(1), pool="gpu"), site="inline", directory=tmp_path / "a")
        with pytest.raises(UnknownKeyError, match="did you mean 'walltime'"):
            run_flow(wants(g.add(1), waltime=3), site="inline", directory=tmp_path / "b")
        with pytest.raises(InputError, match="no such site"):
            run_flow(g.add(1), site="nowhere", directory=tmp_path / "d")

    def test_a_dynamic_job_that_asks_for_what_there_is_not(self, tmp_path):
        parent = g.countdown(1)
        parent.update_config({"response_manager_config": {"pool": "gpu"}})
        responses = run_flow(Flow([parent, g.add(2)]), site="inline", directory=tmp_path / "c")
        assert len(responses) == 1
        assert "no pool 'gpu'" in events(tmp_path / "c", "failed")[0]["message"]

    def test_cycles_and_missing_parents(self, tmp_path):
        one, two = g.add(1), g.add(2)
        one.function_args, two.function_args = (two.output,), (one.output,)
        with pytest.raises(GraphError, match="cycles"):
            run_flow(Flow([one, two]), site="inline", directory=tmp_path / "a")
        with pytest.raises(GraphError, match="allow_external_references"):
            run_flow(g.add(g.add(1).output), site="inline", directory=tmp_path / "b")

    def test_a_directory_that_is_taken_or_empty_or_of_another_version(self, tmp_path):
        run_flow(g.add(1), site="inline", directory=tmp_path / "c")
        with pytest.raises(CampaignError, match="holds a campaign already"):
            run_flow(g.add(1), site="inline", directory=tmp_path / "c")
        with pytest.raises(CampaignError, match="no campaign here"):
            resume(tmp_path / "empty", site="inline")
        with sqlite3.connect(tmp_path / "c" / "ledger.db") as connection:
            connection.execute("PRAGMA user_version = 99")
        with pytest.raises(LedgerVersionError, match="schema 99"):
            resume(tmp_path / "c", site="inline")

    def test_a_script_without_its_guard(self, tmp_path, monkeypatch):
        monkeypatch.setenv(WORKER_VARIABLE, "1")
        with pytest.raises(InputError, match="while a worker imports this module"):
            run_flow(g.add(1), site="inline", directory=tmp_path / "c")

    def test_jobs_of_a_script_are_found_and_those_of_a_session_refused(self, tmp_path):
        code = (
            "from jobflow import job\nfrom zonemelt import run_flow\n\n@job\ndef one():\n    return 1\n\n"
            "if __name__ == '__main__':\n    done = one()\n"
            "    print(run_flow(done, site='inline', directory='c')[done.uuid][1].output)\n"
        )
        (tmp_path / "script.py").write_text(code)
        command = {"cwd": tmp_path, "capture_output": True, "text": True, "check": False}
        found = subprocess.run([sys.executable, "script.py"], **command)  # noqa: PLW1510
        assert found.stdout.strip() == "1", found.stderr
        refused = subprocess.run([sys.executable], input=code.replace("'c'", "'d'"), **command)  # noqa: PLW1510
        assert "interactive session cannot be imported" in refused.stderr


def test_a_job_that_does_not_fit_what_is_left_of_a_block_waits_for_another(tmp_path, monkeypatch):
    from zonemelt.workflows.engine import commit
    from zonemelt.workflows.engine.worker import END_VARIABLE, run_jobs

    monkeypatch.setattr(commit, "_POSTPONED", 0.1)
    monkeypatch.setenv(END_VARIABLE, str(time.time() + 50))
    offered = []

    def run_and_count(chunk, **more):
        results = run_jobs(chunk, **more)
        offered.extend(task.uuid for task in chunk.tasks)
        if len(offered) > 4:  # the next block has begun
            monkeypatch.setenv(END_VARIABLE, str(time.time() + 500))
        return results

    monkeypatch.setattr("zonemelt.workflows.engine.pools.run_jobs", run_and_count)
    long, short, free = wants(g.add(1, 1), walltime=60), wants(g.add(2, 2), walltime=10), g.add(3, 3)
    responses = run_flow(Flow([long, short, free]), site="inline", directory=tmp_path / "c")
    assert len(responses) == 3
    assert offered.count(long.uuid) > 1
    assert offered.count(short.uuid) == offered.count(free.uuid) == 1
    assert not events(tmp_path / "c", "retry")
    assert all(event["attempt"] == 1 for event in events(tmp_path / "c", "done"))
