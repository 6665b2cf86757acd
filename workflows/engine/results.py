"""What a worker is given and what it gives back: plain values only, so that they survive any transport."""

from __future__ import annotations

import enum
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from zonemelt.tasks.own_code import take_lists

if TYPE_CHECKING:
    from zonemelt.workflows.engine.graph import JobRow

CONTAINER_VARIABLE = "ZONEMELT_CONTAINER"  # set by sites/environment.py
_PACKAGES = frozenset({"site-packages", "dist-packages"})


class Cause(enum.StrEnum):
    """Why an attempt did not succeed; retries are granted by cause."""

    INFRASTRUCTURE = "infrastructure"  # a worker, a node or the network was lost; nobody's fault
    WALLTIME = "walltime"  # the job ran out of its own time
    MEMORY = "memory"
    APPLICATION = "application"  # the function raised


class Task(NamedTuple):
    """One job as it travels to a worker."""

    id: int
    uuid: str
    index: int  # type: ignore[assignment]  # tuple.index is not needed, jobflow's word is
    attempt: int
    body: str
    resources: dict[str, Any]
    quorum: bool  # parents may be missing
    after: str  # the uuid in the same chunk whose output it needs; "" where all it needs travels with it


class Chunk(NamedTuple):
    """What one Parsl task carries: a few short jobs, or one long one.

    Attributes:
        id: names the spool file.
        epoch: the head's generation; a worker stops when the campaign has moved on to another.
        directory: the campaign directory.
        created: when the campaign was, which tells it from one that was in the same directory before.
        budget: seconds after which no further job of the chunk is begun.
        additional: names of the additional stores, None where any is allowed.
        path: what the head can import from, for modules beside a user's script.
        lists: code of a person's own that files may name, see :mod:`zonemelt.tasks.own_code`.
        outputs: uuid → document of everything that references in the jobs reach.
        blobs: blob_uuid → document of additional stores, likewise.
        tasks: the jobs.
    """

    id: str
    epoch: int
    directory: str
    created: float
    budget: float
    additional: list[str] | None
    path: list[str]
    lists: dict[str, str]
    outputs: dict[str, str]
    blobs: dict[str, str]
    tasks: list[Task]

    def encode(self) -> bytes:
        """The chunk as JSON, to travel: Parsl would pickle a tuple item by item."""
        return json.dumps(self, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, data: bytes) -> Chunk:
        """The chunk that :meth:`encode` wrote."""
        chunk = cls(*json.loads(data))
        return chunk._replace(tasks=[Task(*task) for task in chunk.tasks])

    def open_path(self) -> None:
        """Let this process import what the head can, and what its lists name.

        In a container not the head's packages: the image has others.
        """
        path = self.path
        if os.environ.get(CONTAINER_VARIABLE):
            path = [entry for entry in path if not _PACKAGES & set(Path(entry).parts)]
        sys.path.extend(entry for entry in path if entry not in sys.path)
        take_lists(self.lists)


class Result(TypedDict, total=False):
    """What became of one attempt."""

    job: int
    attempt: int
    ok: bool
    start: float  # seconds since the epoch
    end: float
    host: str
    pid: int
    directory: str | None  # None: the job left no file behind, its directory is gone
    tail: str  # the end of what it printed
    postponed: bool  # nothing was attempted: what is left of the block is less than the job may take
    source: tuple[str, str]  # function and digest of its source, when a process first runs it in a campaign
    under: str  # the digest of what it ran under, see circumstances.py
    circumstances: list[tuple[str, str, str]]  # of which the campaign was not told before
    given: str  # the digest of the job as it stands in the ledger
    made: str  # the digest of the output document
    joules: float  # what the node used meanwhile, where it says so
    reused: str  # the earlier campaign and job whose result this is
    # of a success
    uuid: str
    index: int
    document: str  # the output document, JSON
    blobs: dict[str, list[str]]  # additional store → documents, JSON
    response: dict[str, Any]  # what the Response holds besides the output; absent: nothing
    rows: dict[str, list[JobRow]]  # "replace", "detour", "addition" → the jobs each brings
    # of a failure
    cause: str
    error: str  # the exception's class
    message: str
    traceback: str


def is_plain(result: Result) -> bool:
    """Whether a result is an output and no more: no jobs, no documents elsewhere, no orders."""
    return result["ok"] and not result.get("response") and not result.get("rows") and not result.get("blobs")
