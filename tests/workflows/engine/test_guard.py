"""A head that is killed leaves no process behind, even if nobody ever resumes its campaign."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys

import pytest
from waiting import until

from zonemelt.workflows.engine.reap import orphans
from zonemelt.workflows.engine.spool import FOLDER, SpoolWriter, busy

SCRIPT = """
import sys, time
from jobflow import Flow
from graphs_for_tests import add
from zonemelt import run_flow

def graphs():
    for number in range(100_000):
        yield Flow([add(number, other) for other in range(50)])

if __name__ == "__main__":
    run_flow(graphs(), directory=sys.argv[1])
"""


@pytest.mark.slow
def test_workers_of_a_killed_head_finish_and_end(tmp_path):
    script = tmp_path / "endless.py"
    script.write_text(SCRIPT)
    place = tmp_path / "campaign"
    head = subprocess.Popen(
        [sys.executable, str(script), str(place)], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )

    def value(sql):
        try:
            with sqlite3.connect(f"file:{place}/ledger.db?mode=ro", uri=True) as connection:
                return connection.execute(sql).fetchone()[0]
        except sqlite3.Error:
            return None

    until(lambda: (value("SELECT COUNT(*) FROM outputs") or 0) > 100)
    token = json.loads(value("SELECT value FROM campaign WHERE key = 'workers'"))
    assert orphans(token)
    head.send_signal(signal.SIGKILL)
    head.wait()
    until(lambda: not orphans(token))


def test_busy_tells_a_begun_job_of_a_living_process(tmp_path):
    (tmp_path / FOLDER).mkdir()
    assert not busy(tmp_path)
    spool = SpoolWriter(tmp_path / FOLDER / "1-1.spool")
    spool.write({"begun": 7, "attempt": 1, "host": os.uname().nodename, "pid": os.getpid()})
    assert busy(tmp_path)
    spool.write({"job": 7, "ok": True})
    assert not busy(tmp_path)
    spool.write({"begun": 8, "attempt": 1, "host": "elsewhere", "pid": os.getpid()})
    assert not busy(tmp_path)
    assert busy(tmp_path, elsewhere=True)
    spool.close()
