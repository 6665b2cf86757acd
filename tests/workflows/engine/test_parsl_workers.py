"""What is said of blocks."""

from __future__ import annotations

from types import SimpleNamespace

from parsl.jobs.states import JobState, JobStatus

from zonemelt.workflows.engine.parsl_workers import _jobs_of_blocks


def test_blocks_that_have_ended_are_no_blocks_any_more():
    states = {"0": JobState.TIMEOUT, "1": JobState.SCALED_IN, "2": JobState.RUNNING, "3": JobState.PENDING}
    executor = SimpleNamespace(
        status_facade={block: JobStatus(state) for block, state in states.items()},
        blocks_to_job_id={"0": "70", "1": "71", "2": "72", "3": "73", "4": "74"},  # 4 was not asked about yet
    )
    assert _jobs_of_blocks(executor) == ["72", "73", "74"]
