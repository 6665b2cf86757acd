"""What is on its way: the chunks that have gone out, the room they leave, and how a chunk is packed."""

from __future__ import annotations

import os
import sys
from collections import Counter
from typing import TYPE_CHECKING

from zonemelt.tasks.own_code import lists
from zonemelt.workflows.engine.dispatch import Room
from zonemelt.workflows.engine.inputs import Inputs
from zonemelt.workflows.engine.results import Cause, Chunk, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobflow import JobStore

    from zonemelt.workflows.engine.ledger import Ledger, ReadyJob

BUDGET = 1.0  # seconds after which a worker begins no further job of a chunk
_CHUNKS_PER_WORKER = 2  # on their way at once: one runs while the next is at hand


class Traffic:
    """The chunks that have gone out and not come back."""

    def __init__(self) -> None:
        self._chunks: dict[str, tuple[str, dict[int, ReadyJob]]] = {}  # id → pool, jobs by their ids
        self._per_pool: Counter[str] = Counter()
        self._slots: Counter[str] = Counter()  # pool → workers that what is on its way takes
        self.jobs = 0

    def __len__(self) -> int:
        return len(self._chunks)

    def __contains__(self, chunk: Chunk) -> bool:
        return chunk.id in self._chunks

    def add(self, pool: str, chunk: Chunk, jobs: Sequence[ReadyJob]) -> None:
        """A chunk goes out."""
        self._chunks[chunk.id] = pool, {job.id: job for job in jobs}
        self._count(pool, jobs, 1)

    def remove(self, chunk: Chunk) -> bool:
        """A chunk has come back; False where it was given up meanwhile."""
        if chunk.id not in self._chunks:
            return False
        pool, jobs = self._chunks.pop(chunk.id)
        self._count(pool, list(jobs.values()), -1)
        return True

    def _count(self, pool: str, jobs: Sequence[ReadyJob], sign: int) -> None:
        self._per_pool[pool] += sign
        self._slots[pool] += sign * max(job.resources.slots for job in jobs)
        self.jobs += sign * len(jobs)

    def job(self, chunk: Chunk, job: int) -> ReadyJob:
        """A job that went out with a chunk."""
        return self._chunks[chunk.id][1][job]

    def give_up(self) -> None:
        """Whatever is on its way will not come back."""
        self.__init__()  # type: ignore[misc]

    def room(self, pool: str, capacity: int) -> Room:
        """What a pool of so many workers can take now."""
        return Room(
            capacity=capacity,
            chunks=_CHUNKS_PER_WORKER * capacity - self._per_pool[pool],
            slots=capacity - self._slots[pool],
            idle=not self._per_pool[pool],
        )


class Packer:
    """Packs jobs, and everything they refer to, for their workers.

    Args:
        ledger: where outputs are.
        store: where outputs of other campaigns are; None: there are none.
        additional: names of the additional stores; None where any is allowed.
    """

    def __init__(self, ledger: Ledger, store: JobStore | None, additional: list[str] | None) -> None:
        self._ledger = ledger
        self._store = store
        self._additional = additional
        self._packed = 0
        self._created = ledger.get("created", 0.0)
        # What this head imports from, and what the one that began the campaign did.
        here = [entry or os.getcwd() for entry in sys.path]  # noqa: PTH109
        self._path = list(dict.fromkeys([*here, *ledger.get("path", [])]))

    def pack(self, jobs: Sequence[ReadyJob], epoch: int) -> Chunk:
        """Make a chunk of jobs."""
        self._packed += 1
        inputs = Inputs(self._ledger, self._store)
        for job in jobs:
            inputs.add(job.body)
        return Chunk(
            id=f"{epoch}-{self._packed}",
            epoch=epoch,
            directory=str(self._ledger.directory),
            created=self._created,
            budget=BUDGET,
            additional=self._additional,
            path=self._path,
            lists=lists(),
            outputs=inputs.outputs,
            blobs=inputs.blobs,
            tasks=[self._task(job) for job in jobs],
        )

    def _task(self, job: ReadyJob) -> Task:
        wanted = job.wanted
        if job.resources.memory and (times := self._ledger.failures(job.id, Cause.MEMORY)):
            wanted = {**wanted, "memory": job.resources.memory * 2**times}
        return Task(
            id=job.id, uuid=job.uuid, index=job.index, attempt=job.attempts + 1, body=job.body,
            resources=wanted, quorum=bool(job.resources.quorum), after=job.after,
        )  # fmt: skip
