"""Programs of others: found by their command, and ended with all that they started."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from zonemelt.tasks.errors import OracleAbsentError
from zonemelt.tasks.executables import Executable
from zonemelt.tasks.programs import run_program

TRUE = Executable(oracle="x", program="true", variable="X_COMMAND", install="install it", version="x")


def is_running(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("ending", ["exit 0", "trap 'exit 0' TERM; while :; do sleep 0.05; done"])
def test_what_a_program_leaves_running_is_ended(tmp_path, ending):
    """A child that does not mind being asked, of a program that ends well or is asked to."""
    script = "sh -c 'trap \"\" TERM; echo $$; exec sleep 60' & while [ ! -s out ]; do sleep 0.02; done; "
    run_program(["sh", "-c", script + ending], folder=tmp_path, stdout="out", stderr="err", timeout=2.0)
    child = int((tmp_path / "out").read_text())
    for _ in range(100):
        if not is_running(child):
            break
        time.sleep(0.02)
    assert not is_running(child)


def test_a_command_of_the_settings(monkeypatch):
    assert TRUE.find()[0].endswith("/true")
    assert TRUE.find("  ")[0].endswith("/true")
    assert TRUE.find("true -v 'a b'")[1:] == ["-v", "a b"]
    monkeypatch.setenv("X_COMMAND", "no-such-program")
    with pytest.raises(OracleAbsentError, match=r"no program 'no-such-program'[\s\S]*X_COMMAND"):
        TRUE.find()
    with pytest.raises(OracleAbsentError, match=r"cannot be split into words: No closing quotation"):
        TRUE.find("mpirun 'pw.x")
