"""The trainer: one readable loop, for one process or many, that can stop and go on at every step."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.train import checkpoint
from zonemelt.tasks.train.metrics_log import MetricsLog
from zonemelt.tasks.train.state import TrainState, begin
from zonemelt.tasks.train.step import Stepper

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import torch

    from zonemelt.tasks.train.objective import Objective
    from zonemelt.tasks.train.ranks import Ranks
    from zonemelt.tasks.train.settings import TrainSettings
    from zonemelt.tasks.train.step import Samples

_SPARE = 5.0  # seconds to write a checkpoint and to end, when time runs out


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a call of :func:`train` ended.

    Attributes:
        finished: False where time ran out: call it again.
        epochs: that have ended.
        best: the lowest value of the metric of record.
        best_epoch: the epoch after which it was reached, from 0.
        waiting: share of the time of this call's steps that was spent waiting for data.
        seconds: that this call's steps took.
        samples: that this call's steps saw on all ranks.
        position: steps of the training so far, in this call and before.
        parts: in which each rank takes its share of a step; above ``accumulate`` where memory was used up.
        hurried: time was up before the first step of this call, which was taken nonetheless.
    """

    finished: bool
    epochs: int
    best: float | None
    best_epoch: int
    waiting: float
    seconds: float
    samples: int
    position: int
    parts: int
    hurried: bool


def train(
    model: torch.nn.Module,
    objective: Objective,
    samples: Samples,
    validate: Callable[[torch.nn.Module], Mapping[str, float]] | None,
    settings: TrainSettings,
    *,
    ranks: Ranks,
    directory: Path,
    card: Mapping[str, Any],
    metric: str,
    deadline: float = math.inf,
    rates: Mapping[str, float] | None = None,
) -> Outcome:
    """Train a model, from where an earlier call stopped, until it is finished or time runs out.

    Args:
        model: with the same initial weights on every rank.
        objective: what is minimised.
        samples: what it is trained on.
        validate: metrics of a model on samples that are not trained on, the same on every rank; None where
            there are no such samples: then the mean loss of the epoch is the metric of record.
        settings: how.
        ranks: who trains.
        directory: where checkpoints and ``metrics.jsonl`` go.
        card: what the model is; checkpoints of another are refused.
        metric: the one of record among those of ``validate``; lower is better, and the checkpoint after the
            epoch in which it was lowest is kept.
        deadline: when to stop, in the seconds of ``time.time``.
        rates: beginning of a parameter's name → factor of its learning rate; 1 for all others.

    Raises:
        DivergedError: the gradient is no longer finite; the last checkpoint is from before.
        TooLargeError: a step does not fit into memory, in parts of half the size neither.
        InputError: the checkpoints in the directory are of another training.
    """
    state = begin(model, settings, steps=samples.steps, ranks=ranks, rates=rates)
    # Rank 0 says which: on a network file system others may see an older one for a while.
    if (place := ranks.gather(checkpoint.latest(directory))[0]) is not None:
        checkpoint.load(state, place, ranks=ranks, card=card)
    stepper = Stepper(state, objective, samples, settings, ranks=ranks)
    log = MetricsLog(directory, ranks=ranks, epoch=state.epoch)
    saved = time.monotonic()
    saving, hurried = 0.0, time.time() + _SPARE > deadline
    while state.epoch < settings.epochs and not _patience_is_over(state, settings):
        while state.step < samples.steps:
            needed = _SPARE + 2 * saving + stepper.longest
            if state.step + 1 == samples.steps:
                needed += state.judging  # after the last step of an epoch there is no stopping before its end
            late = time.time() + needed > deadline
            due = time.monotonic() - saved > settings.checkpoint_seconds
            stop, save = stepper.step(stop=late, save=due)
            if stop or save:
                stepper.collect()
                began = time.monotonic()
                checkpoint.save(state, directory, ranks=ranks, card=card)
                saved = time.monotonic()
                saving = max(saving, saved - began)
            if stop:
                return _outcome(state, stepper, samples.steps, finished=False, hurried=hurried)
        stepper.collect()
        began = time.monotonic()
        found = {metric: _mean_loss(state)} if validate is None else dict(validate(state.evaluated))
        state.judging = max(state.judging, time.monotonic() - began)
        _end_epoch(state, found[metric], settings)
        log.write(state, found, rate=state.optimizer.param_groups[0]["lr"])
        state.sums = {}
        checkpoint.save(state, directory, ranks=ranks, card=card)
        saved = time.monotonic()
        if ranks.writes:
            checkpoint.prune(directory, keep=settings.keep, best_epoch=state.best_epoch)
    return _outcome(state, stepper, samples.steps, finished=True, hurried=hurried)


def _mean_loss(state: TrainState) -> float:
    return sum(total / max(count, 1.0) for total, count in state.sums.values()) / len(state.sums)


def _end_epoch(state: TrainState, value: float, settings: TrainSettings) -> None:
    """Count an epoch, and note it where its model is the best so far."""
    if settings.schedule == "plateau":
        state.schedule.step(value)
    if not math.isnan(value) and (state.best is None or value < state.best):
        state.best, state.best_epoch = value, state.epoch
    state.epoch, state.step = state.epoch + 1, 0


def _patience_is_over(state: TrainState, settings: TrainSettings) -> bool:
    return settings.patience is not None and state.epoch - 1 - state.best_epoch >= settings.patience


def _outcome(state: TrainState, stepper: Stepper, steps: int, *, finished: bool, hurried: bool) -> Outcome:
    seconds = stepper.waited + stepper.worked
    return Outcome(
        finished=finished,
        epochs=state.epoch,
        best=state.best,
        best_epoch=state.best_epoch,
        waiting=stepper.waited / seconds if seconds else 0.0,
        seconds=seconds,
        samples=stepper.seen,
        position=state.epoch * steps + state.step,
        parts=state.parts,
        hurried=hurried,
    )
