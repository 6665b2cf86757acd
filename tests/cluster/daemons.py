"""Processes that a test cluster consists of: started, found again, killed, and never left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Waits for an end of file on its standard input, which comes when whoever started the cluster dies, however
# it dies; then the daemons whose ids are in the directory are killed.
_KEEPER = 'read -r _; for f in "$0"/*.pid; do [ -e "$f" ] && kill -KILL "$(cat "$f")" 2>/dev/null; done'


class Daemons:
    """The processes of one cluster, by name; their ids and logs are files."""

    def __init__(self, directory: Path) -> None:
        self.run, self.log = directory / "run", directory / "log"
        for place in (self.run, self.log):
            place.mkdir(parents=True, exist_ok=True)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._keeper: subprocess.Popen[bytes] | None = None

    def start(self, name: str, *command: str | Path, environment: dict[str, str] | None = None) -> None:
        """Start a daemon in the foreground of a session of its own, unless it is running."""
        if self.running(name):
            return
        if self._keeper is None:
            self._keeper = subprocess.Popen(
                ["bash", "-c", _KEEPER, str(self.run)], stdin=subprocess.PIPE, start_new_session=True
            )
        with (self.log / f"{name}.out").open("ab") as output:
            process = subprocess.Popen(
                list(map(str, command)), env=environment, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self._processes[name] = process
        (self.run / f"{name}.pid").write_text(str(process.pid))

    def running(self, name: str) -> bool:
        process = self._processes.get(name)
        return process is not None and process.poll() is None

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM, seconds: float = 20) -> None:
        """Signal a daemon and wait until it has gone; kill it when it does not go."""
        process = self._processes.pop(name, None)
        if process is not None:
            process.send_signal(number)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        (self.run / f"{name}.pid").unlink(missing_ok=True)

    def close(self) -> None:
        """Kill what is left, and the one who keeps watch."""
        for name in list(self._processes):
            self.stop(name, signal.SIGKILL)
        if self._keeper is not None:
            self._keeper.kill()
            self._keeper.communicate()
            self._keeper = None

    def last_words(self, name: str) -> str:
        """The end of a daemon's output and log, for the message of an error."""
        texts = []
        for path in (self.log / f"{name}.out", self.log / f"{name}.log"):
            with contextlib.suppress(OSError):
                texts.append(path.read_text(errors="replace")[-1500:])
        return "\n".join(texts)


def missing_programs(*names: str) -> list[str]:
    """Those of some programs that are not installed; daemons are in sbin, which is not always in PATH."""
    return [name for name in names if shutil.which(name, path=path_with_sbin()) is None]


def path_with_sbin() -> str:
    """PATH with the places where distributions put daemons."""
    known = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join([*known, *(p for p in ("/usr/sbin", "/sbin") if p not in known)])
