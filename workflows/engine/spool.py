"""What workers have finished, on disk before they report it: the truth after a crash.

A worker writes each result to the spool file of its chunk, then returns it; the returned message is only
the faster way. The head removes a file once the results are in the ledger and the ledger is on disk: after
a crash, or a loss of power, the files that are left hold all that the ledger may not know. A record is a
line of its own: length, CRC-32 and JSON. A torn tail, from a worker killed in the middle of a write, is
recognised and ignored.
"""

from __future__ import annotations

import json
import os
import socket
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import psutil

from zonemelt.tasks.whole_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.workflows.engine.results import Result

FOLDER = "spool"
EPOCH_FILE = "epoch"


_ENCODER = json.JSONEncoder(separators=(",", ":"))


def spool_path(directory: str | Path, chunk: str) -> Path:
    """Where the results of a chunk are spooled."""
    return Path(directory, FOLDER, f"{chunk}.spool")


class SpoolWriter:
    """Appends the records of one chunk."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, record: dict[str, Any]) -> None:
        """Append one record: it survives the death of this process as soon as this returns.

        Raises:
            OSError: the disk is full, say; what follows is not lost behind half a record.
        """
        data = _encoded(record)
        line = b"%d %d " % (len(data), zlib.crc32(data)) + data + b"\n"
        start = os.lseek(self._file, 0, os.SEEK_END)
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except OSError:
            os.ftruncate(self._file, start)
            raise

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _encoded(record: dict[str, Any]) -> bytes:
    """A record as JSON, fast where it is flat: what a job brings or orders may hold any number, NaN too."""
    if "rows" not in record and "response" not in record:
        with suppress(TypeError):  # half of a surrogate pair in what a job printed
            return orjson.dumps(record)
    return _ENCODER.encode(record).encode()


class Recorded:
    """Spool files whose results are in the ledger: removed when it is on disk, not only in memory.

    A commit in SQLite's write-ahead log outlives the process at once, a loss of power only once the log is
    synchronised, which is done for many commits together.

    Args:
        ledger: the file.
    """

    def __init__(self, ledger: Path) -> None:
        self._log = ledger.with_name(f"{ledger.name}-wal")
        self._paths: list[Path] = []

    def add(self, *paths: Path) -> None:
        """Files that are not needed any more once what was committed is on disk."""
        self._paths += paths

    def remove(self) -> None:
        """Have the ledger on disk, then remove the files."""
        if not self._paths:
            return
        with suppress(FileNotFoundError):  # a journal of another kind, which is on disk already
            log = os.open(self._log, os.O_RDONLY)
            try:
                os.fsync(log)
            finally:
                os.close(log)
        for path in self._paths:
            path.unlink(missing_ok=True)
        self._paths.clear()


def read_spool(path: Path) -> Iterator[dict[str, Any]]:
    """The whole records of a spool file, up to the first torn one."""
    data = path.read_bytes()
    at = 0
    while at < len(data):
        try:
            size, crc, _ = data[at : at + 40].split(b" ", 2)
            start = at + len(size) + len(crc) + 2
            record = data[start : start + int(size)]
            if len(record) < int(size) or zlib.crc32(record) != int(crc):
                return
            yield json.loads(record)
            at = start + int(size) + 1
        except ValueError:
            return


def results_in(path: Path) -> list[Result]:
    """The results that a spool file holds; none where there is none."""
    return [r for r in read_spool(path) if "job" in r] if path.exists() else []  # type: ignore[misc]


def begun_in(path: Path) -> set[int]:
    """The ids of the jobs that a worker has begun, by its spool file; none where it made none."""
    return {record["begun"] for record in read_spool(path) if "begun" in record} if path.exists() else set()


def busy(directory: Path, *, elsewhere: bool = False) -> bool:
    """Whether a worker has begun a job and not finished it.

    Args:
        directory: the campaign directory.
        elsewhere: what workers on other machines have begun counts too, though they may be dead.
    """
    for path in (directory / FOLDER).glob("*.spool"):
        begun: dict[int, tuple[str, int]] = {}
        for record in read_spool(path):
            if "job" in record:
                begun.pop(record["job"], None)
            else:
                begun[record["begun"]] = record["host"], record["pid"]
        for host, pid in begun.values():
            if _runs(pid) if host == socket.gethostname() else elsewhere:
                return True
    return False


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def write_epoch(directory: Path, epoch: int) -> None:
    """Move the campaign to a new generation: workers of older ones stop before their next job."""
    write_whole(directory / EPOCH_FILE, str(epoch).encode())  # on disk: an empty one fences nobody


def read_epoch(directory: str | Path) -> int:
    """The campaign's generation; 0 before the first."""
    try:
        file = os.open(f"{directory}/{EPOCH_FILE}", os.O_RDONLY)  # before every job: no more than it takes
    except FileNotFoundError:
        return 0
    try:
        return int(os.read(file, 32))
    finally:
        os.close(file)
