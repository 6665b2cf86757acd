"""What is said of the present."""

from __future__ import annotations

import sqlite3
import time

import pytest

from zonemelt.workflows.engine.present import why_idle
from zonemelt.workflows.engine.states import JobState


@pytest.fixture
def jobs():
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE jobs(state INTEGER, not_before REAL)")
    yield connection
    connection.close()


def said(jobs, **counts):
    nothing = {state.name.lower(): 0 for state in JobState}
    return why_idle(jobs, {**nothing, **counts}, "running", alive=True, begun=0)


def test_jobs_that_are_sent_wait_for_workers(jobs):
    assert said(jobs, running=1) == "1 job is sent and waits for workers"
    assert said(jobs, running=2000) == "2,000 jobs are sent and wait for workers"


def test_a_job_may_be_sent_out_between_two_reads(jobs):
    assert said(jobs, ready=1) == "the head is about to send jobs out"


def test_jobs_that_rest_say_until_when(jobs):
    jobs.execute("INSERT INTO jobs VALUES (?, ?)", (int(JobState.READY), time.time() + 60))
    assert said(jobs, ready=1).startswith("1 job rests before another attempt, until ")
