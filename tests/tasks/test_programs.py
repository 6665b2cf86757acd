"""Programs of others: found by their command, and ended with all that they started."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest
from processes_for_tests import has_ended
from waiting import until

from zonemelt.tasks.deadline import DEADLINE_VARIABLE
from zonemelt.tasks.errors import OracleAbsentError
from zonemelt.tasks.executables import Executable
from zonemelt.tasks.programs import run_program

TRUE = Executable(oracle="x", program="true", variable="X_COMMAND", install="install it", version="x")


@pytest.mark.parametrize(
    ("ending", "timeout"), [("exit 0", 60.0), ("trap 'exit 0' TERM; while :; do sleep 0.05; done", 5.0)]
)
def test_what_a_program_leaves_running_is_ended(tmp_path, ending, timeout):
    """A child that does not mind being asked, of a program that ends well or is asked to."""
    script = "sh -c 'trap \"\" TERM; echo $$; exec sleep 60' & while [ ! -s out ]; do sleep 0.02; done; "
    ended = run_program(
        ["sh", "-c", script + ending], folder=tmp_path, stdout="out", stderr="err", timeout=timeout
    )
    assert (ended.status, ended.timed_out) == (0, timeout == 5.0)
    child = int((tmp_path / "out").read_text())
    until(lambda: has_ended(child), "the child is gone", seconds=20)


def test_a_command_of_the_settings(monkeypatch):
    assert TRUE.find()[0].endswith("/true")
    assert TRUE.find("  ")[0].endswith("/true")
    assert TRUE.find("true -v 'a b'")[1:] == ["-v", "a b"]
    monkeypatch.setenv("X_COMMAND", "no-such-program")
    with pytest.raises(OracleAbsentError, match=r"no program 'no-such-program'[\s\S]*X_COMMAND"):
        TRUE.find()
    with pytest.raises(OracleAbsentError, match=r"cannot be split into words: No closing quotation"):
        TRUE.find("mpirun 'pw.x")


def test_a_program_is_ended_when_the_time_of_its_job_is_up(tmp_path, monkeypatch):
    monkeypatch.setenv(DEADLINE_VARIABLE, "1.0")  # long ago
    ended = run_program(["sleep", "600"], folder=tmp_path, stdout="out", stderr="err", timeout=600.0)
    assert (ended.timed_out, ended.status) == (True, -signal.SIGTERM)


def test_there_is_no_such_program(tmp_path):
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        run_program(["no-such-program"], folder=tmp_path, stdout="out", stderr="err", timeout=60.0)


def test_a_program_says_its_version_on_either_output(tmp_path):
    program = tmp_path / "code"
    program.write_text('#!/bin/sh\necho hello\necho "code, version $1.3 of today" >&2\n')
    program.chmod(0o755)
    given = replace(TRUE, question=("7",), version=r"version (\S+)")
    assert given.ask([str(program)]) == "7.3"
