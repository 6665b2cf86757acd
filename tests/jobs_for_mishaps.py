"""Job functions that harm what runs them, wait for one another, or leave files."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

from graphs_for_tests import add, executions, named, note, wrote
from jobflow import Flow, Response, job
from ledgers_for_tests import events
from waiting import until


@job
def text_of_type(value: Any) -> str:
    return type(value).__name__


@job
def map_reduce_list(n: int, times: int) -> Any:
    """Be replaced by so many jobs; each of their outputs is referred to so many times."""
    mapped = [named(add(i), f"map {i}") for i in range(n)]
    return Response(replace=Flow(mapped, output=[new.output for new in mapped for _ in range(times)]))


@job
def stops_when(folder: str, mark: str) -> Any:
    """Stop the jobflow as soon as another job runs."""
    until(Path(folder, mark).exists, f"another job leaves {mark}", seconds=60, step=0.01)
    return Response("stopped", stop_jobflow=True)


@job
def brings_when(folder: str, mark: str, campaign: str) -> Any:
    """Bring a job, but only after another has stopped the jobflow."""
    Path(folder, mark).touch()
    until(lambda: events(Path(campaign), "stop_jobflow"), "the jobflow is stopped", seconds=60, step=0.05)
    return Response(
        "brought", replace=Flow([note(folder, name="replacement")]), addition=note(folder, name="added")
    )


@job
def write_file(name: str, content: str) -> dict[str, Any]:
    """Write a file into the job's directory and keep it."""
    from zonemelt.tasks.kept_files import keep_file

    Path(name).write_text(content)
    return {"file": keep_file(name)}


@job
def exists(path: str) -> str:
    """The path of a file that must be there."""
    if not Path(path).exists():
        raise FileNotFoundError(path)
    return path


@job
def read_file(path: Path) -> list[str]:
    """The name and content of a kept file."""
    return [path.name.partition("-")[2], path.read_text()]


@job
def kill_once(folder: str, victim: str, _after: Any = None) -> str:
    """Kill a part of the machinery that runs this job, the first time."""
    import psutil

    wrote(folder, victim)
    if executions(folder)[f"{victim}_1"] > 1:
        return "survived"
    me = psutil.Process()
    if victim == "worker":
        me.kill()
    if victim == "manager":
        me.parent().kill()
    if victim == "interchange":
        mark = os.environ["ZONEMELT_CAMPAIGN"]
        for process in psutil.process_iter():
            try:
                if (
                    "interchange" in " ".join(process.cmdline())
                    and process.environ().get("ZONEMELT_CAMPAIGN") == mark
                ):
                    process.kill()
            except psutil.Error:
                continue
    time.sleep(300)
    return "not killed"


@job
def fill_disk(folder: str, path: str) -> int:
    """Leave no room on a disk, the first time."""
    wrote(folder, "full")
    if executions(folder)["full_1"] == 1:
        file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        for size in (1 << 16, 1):
            with contextlib.suppress(OSError):
                while True:
                    os.write(file, bytes(size))
        os.close(file)
    return 0


@job
def big_output(folder: str, _: Any, n: int) -> Any:
    import numpy as np

    wrote(folder, f"big {n}")
    return {"n": n, "values": np.random.default_rng(n).random(50_000)}


@job
def overtake(directory: str) -> int:
    """Do as another head would that takes the campaign over."""
    epoch = Path(directory, "epoch")
    epoch.write_text(str(int(epoch.read_text()) + 1))
    return 0


@job
def listeners(head: int) -> list[str]:
    """Addresses at which the head, its workers and all that was started for them listen."""
    import psutil

    processes = [psutil.Process(head), *psutil.Process(head).children(recursive=True)]
    connections = [one for each in processes for one in each.net_connections()]
    return sorted({one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN})


@job
def tell(words: str) -> str:
    print("said", words)
    return words
