"""A small regression that any number of ranks can train: real data parallelism over gloo, in moments."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from pathlib import Path

import torch
from processes_for_tests import run_ranks

from zonemelt.tasks.train.checkpoint import TENSORS, after_epoch, latest
from zonemelt.tasks.train.loop import train
from zonemelt.tasks.train.metrics_log import read_metrics
from zonemelt.tasks.train.objective import MaskedProperties
from zonemelt.tasks.train.ranks import joined
from zonemelt.tasks.train.settings import TrainSettings

SAMPLES, FEATURES = 48, 5
OBJECTIVE = MaskedProperties(names=("a", "b"), weights={"a": 1.0, "b": 0.5})
CARD = {"architecture": "net-1"}


class Net(torch.nn.Module):
    def __init__(self, dropout=0.0):
        super().__init__()
        self.trunk = torch.nn.Sequential(
            torch.nn.Linear(FEATURES, 16), torch.nn.SiLU(), torch.nn.Dropout(dropout)
        )
        self.heads = torch.nn.ModuleList([torch.nn.Linear(16, 1), torch.nn.Linear(16, 1)])

    def forward(self, batch):
        hidden = self.trunk(batch["x"].to(next(self.parameters()).dtype))
        return torch.cat([head(hidden) for head in self.heads], dim=1)


class Rows:
    """Rows of a table: drawn anew each epoch, shared out among ranks in turn, some labels missing."""

    def __init__(self, batch_size, *, slow=0.0, spoilt=None):
        draw = torch.Generator().manual_seed(0)
        self.x = torch.randn(SAMPLES, FEATURES, generator=draw, dtype=torch.float64)
        self.y = torch.stack([(0.4 * self.x.sum(1)).sin(), self.x.prod(1)], dim=1)
        self.y[::3, 1] = math.nan
        if spoilt is not None:
            self.x[spoilt] = math.inf
        self.batch_size, self.slow = batch_size, slow

    @property
    def steps(self):
        return SAMPLES // self.batch_size

    def _rows(self, epoch, step):
        order = torch.randperm(SAMPLES, generator=torch.Generator().manual_seed(epoch))
        return order[step * self.batch_size : (step + 1) * self.batch_size]

    def parts(self, epoch, step, *, parts, ranks):
        time.sleep(self.slow)
        own = self._rows(epoch, step)[ranks.rank :: ranks.world_size]
        return [
            {"x": self.x[rows], "labels_GP": self.y[rows], "ptr": torch.arange(len(rows) + 1)}
            for rows in own.chunk(parts)
        ]

    def names(self, epoch, step):
        return [f"row {row}" for row in self._rows(epoch, step).tolist()]

    def sizes(self, epoch, step):
        return self._rows(epoch, step).tolist()  # a row is as large as its number


class ShortOfMemory:
    """Memory of one rank is used up wherever more than so many rows are taken at a time.

    Args:
        rows: at most.
        rank: whose memory.
        where: ``parts``, ``forward`` or ``backward``.
        processor: whether it is the processor that says so, which has no error of its own.
    """

    def __init__(self, rows, *, rank=0, where="forward", processor=False):
        self.rows, self.where, self.processor = rows, where, processor
        self.here = rank == int(os.environ.get("RANK", "0"))
        self.times = 0

    def check(self, where, rows):
        if not self.here or where != self.where or rows <= self.rows:
            return
        self.times += 1
        if self.processor:
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: "
                "you tried to allocate 4096 bytes. Error code 12 (Cannot allocate memory)"
            )
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    def give(self, net, rows):
        """Let a training have it."""
        forward, parts = net.forward, rows.parts

        def short_forward(batch):
            found = forward(batch)
            if net.training:
                self.check("forward", len(found))
                found.register_hook(lambda gradient: self.check("backward", len(gradient)))
            return found

        def short_parts(epoch, step, **more):
            found = parts(epoch, step, **more)
            for part in found:
                self.check("parts", len(part["x"]))
            return found

        net.forward, rows.parts = short_forward, short_parts


def run(directory, *, rows=None, dropout=0.0, short=None, deadline=math.inf, **settings):
    """Train; returns the outcome."""
    values = {"seed": 3, "epochs": 4, "batch_size": 12, "learning_rate": 0.01, **settings}
    chosen = TrainSettings(**values)
    torch.manual_seed(chosen.seed)
    rows = rows or Rows(chosen.batch_size)

    def validate(model):
        model.eval()
        with torch.no_grad():
            error = (model({"x": rows.x}) - rows.y)[:, 0].abs().mean()
        return {"mae": float(error)}

    net = Net(dropout)
    if short is not None:
        short.give(net, rows)
    with joined(device="cpu") as ranks:
        return train(
            net, OBJECTIVE, rows, validate, chosen,
            ranks=ranks, directory=Path(directory), card=CARD, metric="mae", deadline=deadline,
        )  # fmt: skip


def ranks(directory, count, *, fails=False, **settings):
    """Train in so many processes; returns what each says."""
    done = run_ranks(count, __file__, directory, json.dumps(settings))
    said = [one.stderr for one in done]
    assert fails == any(one.returncode for one in done), said
    return said


def course(directory):
    """What a training noted of each epoch, but when."""
    return [{key: value for key, value in line.items() if key != "at"} for line in read_metrics(directory)]


class Clock:
    """A second passes whenever somebody asks for the time; stands where the loop looks at it."""

    now = 0.0
    monotonic = staticmethod(time.monotonic)

    @classmethod
    def time(cls):
        cls.now += 1.0
        return cls.now


def hurry(monkeypatch, seconds):
    """Every job of a training has so many looks at the clock, and then goes on as another."""
    monkeypatch.setattr(Clock, "now", 0.0)
    monkeypatch.setattr("zonemelt.tasks.train.loop.time", Clock)
    monkeypatch.setattr("zonemelt.tasks.train.jobs.deadline_of_job", lambda: Clock.now + seconds)


def weights(directory, epoch=None):
    """The tensors of a checkpoint: the one after an epoch, or the newest."""
    from safetensors.torch import load_file

    directory = Path(directory)
    place = latest(directory) if epoch is None else after_epoch(directory, epoch)
    return load_file(place / TENSORS)


if __name__ == "__main__":  # as a rank: python trainings_for_tests.py DIRECTORY '{"settings": …}'
    torch.set_num_threads(1)
    given = json.loads(sys.argv[2])
    kill_at = given.pop("kill_at", None)
    slow = Rows(given.get("batch_size", 12), slow=given.pop("slow", 0.0))
    if kill_at is not None:
        parts = slow.parts

        def dying(epoch, step, **more):
            if [epoch, step] == kill_at and os.environ.get("RANK", "0") == "1":
                os._exit(9)
            return parts(epoch, step, **more)

        slow.parts = dying
    short = ShortOfMemory(**given.pop("short")) if "short" in given else None
    run(sys.argv[1], rows=slow, short=short, **given)
