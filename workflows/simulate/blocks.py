"""The blocks of a pool: asked for, waited for, filled with jobs, and given back, as Parsl does it."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from zonemelt.workflows.simulate.clock import Clock
    from zonemelt.workflows.simulate.journey import Chances, Journey
    from zonemelt.workflows.simulate.machine import PoolModel


@dataclass(eq=False, slots=True)
class Block:
    """One batch allocation.

    Attributes:
        started: when its nodes became ours.
        nodes: that are left of it.
        workers: that are left of it.
        owed: workers that waited for a job when their node was lost, and still stand among those that do.
        working: chunks that its workers have.
        up: its workers take jobs.
        draining: it takes no more.
        over: it has ended.
        idle_since: since when none of its workers has a job.
    """

    started: float
    nodes: int
    workers: int
    owed: int = 0
    working: set[Journey] = field(default_factory=set)
    up: bool = False
    draining: bool = False
    over: bool = False
    idle_since: float = 0.0


class Blocks:
    """One pool of the machine.

    Args:
        model: its sizes and times.
        clock: the virtual time.
        chances: what its workers meet with.
        chance: where queue waits and node losses are drawn from.
        node_losses: per node-hour.
        returned: called with each chunk that comes back, or is known to be lost.

    Attributes:
        outstanding: chunks that were sent and have not come back.
        blocks_started: how many blocks there were.
        nodes_lost: how many nodes were lost.
        node_seconds: of blocks that have ended.
        worker_seconds: the same for their workers.
        busy_seconds: of workers that had a job.
        working: how many workers have one.
    """

    def __init__(
        self,
        model: PoolModel,
        clock: Clock,
        chances: Chances,
        *,
        chance: Random,
        node_losses: float,
        returned: Callable[[Journey], None],
    ) -> None:
        self.model = model
        self.outstanding = self.blocks_started = self.nodes_lost = self.working = 0
        self.node_seconds = self.worker_seconds = self.busy_seconds = 0.0
        self._clock = clock
        self._chances = chances
        self._chance = chance
        self._losses = node_losses / 3600
        self._returned = returned
        self._queue: deque[Journey] = deque()
        self._free: list[Block] = []  # a block for each worker that waits for a job
        self._up: dict[Block, None] = {}  # those that run, in order
        self._starts = 0.0  # the sum of when they started
        self._counted = 0  # blocks that Parsl believes to wait or to run
        self._idle_since: float | None = None
        self._look_at: float | None = None
        self._ask(model.init_blocks)
        self._look_later(0.0)

    # ── chunks ──────────────────────────────────────────────────────────────────────────────────────

    def submit(self, journey: Journey) -> None:
        """Take a chunk from the head."""
        self.outstanding += 1
        self._queue.append(journey)
        self._hand_out()
        self._look_later(self._clock.now)

    def _hand_out(self) -> None:
        """Give chunks to workers that wait, any of them, as Parsl does."""
        free, now = self._free, self._clock.now
        while self._queue and free:
            place = int(self._chance.random() * len(free))
            free[place], free[-1] = free[-1], free[place]
            block = free.pop()
            if block.owed:
                block.owed -= 1
                continue
            if block.draining or block.over:
                continue
            journey = self._queue.popleft()
            journey.block = block
            block.working.add(journey)
            self.working += 1
            self._chances.run(journey, now)
            self._clock.at(journey.end, self._finish, journey)

    def _finish(self, journey: Journey) -> None:
        if journey.lost:
            return
        block = journey.block
        assert block is not None
        block.working.remove(journey)
        self._back(journey)
        if block.draining:
            if not block.working:
                self._end(block)
            return
        if not block.working:
            block.idle_since = self._clock.now
        self._free.append(block)
        self._hand_out()

    def _back(self, journey: Journey) -> None:
        self.working -= 1
        self.busy_seconds += self._clock.now - journey.begun
        self._give_back(journey)

    def _give_back(self, journey: Journey) -> None:
        self.outstanding -= 1
        self._returned(journey)
        self._look_later(self._clock.now)

    # ── blocks ──────────────────────────────────────────────────────────────────────────────────────

    @property
    def nodes(self) -> int:
        """Nodes that are allocated now."""
        return self.model.nodes * len(self._up)

    def allocated(self, now: float) -> float:
        """Node-seconds so far, those of blocks that run included."""
        running = len(self._up) * now - self._starts
        return self.node_seconds + self.model.nodes * running

    def _ask(self, count: int) -> None:
        for _ in range(count):
            self._counted += 1
            self._clock.at(self._clock.now + self.model.wait.draw(self._chance), self._begin)

    def _begin(self, _: object) -> None:
        now, model = self._clock.now, self.model
        self.blocks_started += 1
        block = Block(started=now, nodes=model.nodes, workers=model.workers)
        self._up[block] = None
        self._starts += now
        self._clock.at(now + model.start.draw(self._chance), self._workers_up, block)
        if math.isfinite(model.walltime):
            self._clock.at(now + model.walltime, self._end, block)
        self._lose_later(block)

    def _workers_up(self, block: Block) -> None:
        if block.over:
            return
        block.up, block.idle_since = True, self._clock.now
        if math.isfinite(self.model.walltime):  # Parsl counts from here, not from when the block began
            self._clock.at(self._clock.now + self.model.walltime - self.model.drain, self._drain, block)
        self._free += [block] * block.workers
        self._hand_out()
        self._look_later(self._clock.now)

    def _drain(self, block: Block) -> None:
        block.draining = True
        if not block.working:
            self._end(block)

    def _lose_later(self, block: Block) -> None:
        if self._losses and block.nodes:  # the pool beside the head has none
            wait = self._chance.expovariate(self._losses * block.nodes)
            self._clock.at(self._clock.now + wait, self._lose, block)

    def _lose(self, block: Block) -> None:
        """A node is lost: with the block, or with those of its workers that were on it."""
        if block.over:
            return
        self.nodes_lost += 1
        if not self.model.outlives_nodes or block.nodes == 1:
            self._end(block)
            return
        gone = block.workers // block.nodes
        hit = sum(place < len(block.working) for place in self._chance.sample(range(block.workers), gone))
        for journey in self._chance.sample(_in_order(block.working), hit):
            block.working.remove(journey)
            self._cut(journey)
        block.nodes -= 1
        block.workers -= gone
        if block.up:
            block.owed += gone - hit
        self._lose_later(block)

    def _cut(self, journey: Journey) -> None:
        journey.cut(self._clock.now)
        self.working -= 1
        self.busy_seconds += self._clock.now - journey.begun
        self._clock.at(self._clock.now + self.model.notice, self._give_back, journey)

    def _end(self, block: Block) -> None:
        """A block ends, by its walltime, a lost node, or because it is not needed any more."""
        if block.over:
            return
        now, poll = self._clock.now, self.model.poll
        block.over = True
        del self._up[block]
        self._starts -= block.started
        self._account(block)
        for journey in _in_order(block.working):
            self._cut(journey)
        block.working.clear()
        self._clock.at((now // poll + 1) * poll, self._notice_end)

    def _account(self, block: Block) -> None:
        lasted = self._clock.now - block.started
        self.node_seconds += lasted * self.model.nodes  # a lost one is charged, too
        self.worker_seconds += lasted * self.model.workers

    def _notice_end(self, _: object) -> None:
        self._counted -= 1
        self._look_later(self._clock.now)

    def close(self) -> None:
        """Give every block back: the campaign is over."""
        for block in list(self._up):
            self._account(block)
        self._up.clear()

    # ── Parsl's strategy ────────────────────────────────────────────────────────────────────────────

    def _look_later(self, time: float) -> None:
        """See to it that somebody looks at the blocks at the next full period; nobody looks in vain."""
        period = self.model.period
        at = math.ceil(time / period) * period
        if self._look_at is None or at < self._look_at:
            self._look_at = at
            self._clock.at(at, self._look, at)

    def _look(self, asked: float) -> None:
        """Ask for blocks where chunks outnumber workers, give them back where nothing was to do for a while.

        The rules are those of Parsl's ``simple`` and ``htex_auto_scale``.
        """
        if asked != self._look_at:
            return  # somebody wanted it earlier, and looked
        self._look_at = None
        model, now, tasks = self.model, self._clock.now, self.outstanding
        slots = self._counted * model.workers
        if tasks:
            self._idle_since = None
        if tasks == 0:
            if self._counted > model.min_blocks:
                if self._idle_since is None:
                    self._idle_since = now
                if now - self._idle_since >= model.idle:
                    self._release(list(self._up), self._counted - model.min_blocks)
                else:
                    self._look_later(self._idle_since + model.idle)
        elif slots < tasks:
            wanted = math.ceil((tasks - slots) / model.workers)
            self._ask(min(wanted, model.max_blocks - self._counted))
        elif model.give_back_some and slots > tasks and self._counted > model.min_blocks:
            most = min((slots - tasks) // model.workers, self._counted - model.min_blocks)
            idle = [block for block in self._up if not block.working]
            ripe = [block for block in idle if now - block.idle_since >= model.idle]
            unripe = [block.idle_since for block in idle if now - block.idle_since < model.idle]
            self._release(ripe, most)
            if most and unripe:
                self._look_later(min(unripe) + model.idle)

    def _release(self, blocks: list[Block], most: int) -> None:
        for block in blocks[:most]:
            self._end(block)


def _in_order(journeys: set[Journey]) -> list[Journey]:
    return sorted(journeys, key=lambda journey: journey.jobs[0].id)
