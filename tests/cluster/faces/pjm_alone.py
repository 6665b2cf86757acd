"""PJM's commands without any scheduler: jobs are processes here, their states are files in ``PJM_FACE_DIR``.

A file ``outage`` there makes pjstat fail, or hang if ``hang`` is in it. While there is a file
``closed``, no job starts. ``lose_node`` is what a power cut does.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from cluster.faces import pjm
from cluster.faces.install import program


class Alone:
    """Processes on this machine as the machine behind PJM's words."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def submit(self, request: pjm.Request) -> str:
        number = str(1000 + len(list(self.directory.glob("*.json"))))
        name = request.name
        request.out = request.out or f"{name}.{number}.out"
        request.err = request.err or f"{name}.{number}.err"
        self._write(
            pjm.Record(number=number, name=name, state="QUE", nodes=request.nodes, elapse=request.elapse)
        )
        (self.directory / f"{number}.request").write_text(json.dumps(dataclasses.asdict(request)))
        subprocess.Popen(
            [*program("pjm_alone"), "run", number], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        return number

    def run(self, number: str) -> None:
        """What a node does with a job: wait, run its script, write down how it ended."""
        request = pjm.Request(**json.loads((self.directory / f"{number}.request").read_text()))
        time.sleep(0.2)
        while (self.directory / "closed").exists():
            time.sleep(0.05)
        record = self.record(number)
        if record.state != "QUE":  # deleted while it waited
            return
        environment = {
            **_exported(), **request.variables, "PJM_JOBID": number, "PJM_JOBNAME": request.name,
            "PJM_FACE_NODES": str(request.nodes), "PJM_FACE_PER_NODE": str(request.max_per_node),
            "PJM_ENVIRONMENT": "BATCH", "PJM_O_WORKDIR": str(Path.cwd()),
        }  # fmt: skip
        with Path(request.out).open("w") as out, Path(request.err).open("w") as err:
            process = subprocess.Popen(
                ["bash", request.script], env=environment, stdout=out, stderr=err, start_new_session=True
            )
        (self.directory / f"{number}.pid").write_text(str(process.pid))
        self._write(dataclasses.replace(record, state="RUN"))
        try:
            process.wait(request.elapse)
        except subprocess.TimeoutExpired:
            _kill(process.pid)
            ended = {"state": "EXT", "reason": "ELAPSE LIMIT EXCEEDED", "code": 11}
        else:
            ended = {"state": "EXT"}
        process.wait()
        if self.record(number).state == "RUN":  # else: deleted, or its node was lost
            self._write(dataclasses.replace(record, **ended))

    def record(self, number: str) -> pjm.Record | None:
        try:
            return pjm.Record(**json.loads((self.directory / f"{number}.json").read_text()))
        except OSError:
            return None

    def numbers(self) -> list[str]:
        return sorted(path.stem for path in self.directory.glob("*.json"))

    def delete(self, number: str) -> None:
        self._end(number, state="CCL", code=1)

    def lose_node(self, number: str) -> None:
        """What happens to a job whose node loses its power."""
        self._end(number, state="ERR", reason="LOST COMM", code=20)

    def mpiexec(self, ranks: int, out: str, err: str, program: list[str]) -> int:
        per_node = int(os.environ["PJM_FACE_PER_NODE"])
        processes = []
        with contextlib.ExitStack() as files:
            for rank in range(ranks):
                variables = {"PMIX_RANK": str(rank), "PLE_RANK_ON_NODE": str(rank % per_node)}
                opened = [
                    files.enter_context(Path(f"{p}.{rank}").open("w")) if p else None for p in (out, err)
                ]
                processes.append(
                    subprocess.Popen(
                        program, env={**os.environ, **variables}, stdout=opened[0], stderr=opened[1]
                    )
                )
            return max(process.wait() for process in processes)

    def _end(self, number: str, **ended: object) -> None:
        record = self.record(number)
        self._write(dataclasses.replace(record, **ended))
        if record.state == "RUN":
            _kill(int((self.directory / f"{number}.pid").read_text()))

    def _write(self, record: pjm.Record) -> None:
        path = self.directory / f"{record.number}.json"
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(dataclasses.asdict(record)))
        part.replace(path)


def _exported() -> dict[str, str]:
    """PJM does not hand the environment of pjsub on to a job."""
    return {k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG"} or k.startswith("PJM_FACE")}


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _main() -> int:
    machine = Alone(Path(os.environ["PJM_FACE_DIR"]))
    outage = machine.directory / "outage"
    if sys.argv[1] == "run":
        machine.run(sys.argv[2])
        return 0
    if sys.argv[1] == "pjstat" and outage.exists():
        if outage.read_text() == "hang":
            time.sleep(600)
        print("[ERR.] PJM 0900 pjstat The service is not available.", file=sys.stderr)
        return 1
    return pjm.main(machine)


if __name__ == "__main__":
    sys.exit(_main())
