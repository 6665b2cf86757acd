"""All that changes while a model is trained, and that a checkpoint must hold."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from torch.optim.swa_utils import AveragedModel

    from zonemelt.tasks.train.ranks import Ranks
    from zonemelt.tasks.train.settings import TrainSettings


@dataclass(kw_only=True)
class TrainState:
    """What one rank holds of a training.

    Attributes:
        model: the weights, on the rank's device, not wrapped.
        average: their exponential moving average; None where none is kept.
        optimizer: with its moments.
        schedule: of the learning rate.
        epoch: the one under way, from 0.
        step: steps taken in it.
        best: the best value of the metric of record so far; None before the first epoch has ended.
        best_epoch: when that was.
        sums: of the losses of the epoch under way, and their counts.
        parts: in which a rank takes its share of a step: ``accumulate``; twice that since memory was used up.
        judging: seconds that the longest validation took.
    """

    model: torch.nn.Module
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    schedule: Any
    epoch: int = 0
    step: int = 0
    best: float | None = None
    best_epoch: int = 0
    sums: dict[str, list[float]] = field(default_factory=dict)
    parts: int = 1
    judging: float = 0.0

    @property
    def evaluated(self) -> torch.nn.Module:
        """The model that is validated and kept: the averaged one, where there is one."""
        return self.model if self.average is None else self.average.module


def begin(
    model: torch.nn.Module,
    settings: TrainSettings,
    *,
    steps: int,
    ranks: Ranks,
    rates: Mapping[str, float] | None = None,
) -> TrainState:
    """Everything for the first step.

    Args:
        model: with initial weights, the same on every rank.
        settings: of the training.
        steps: in an epoch.
        ranks: who trains.
        rates: factors of the learning rate, by the beginning of a parameter's name.
    """
    import torch
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    if ranks.device.type != "cpu":  # there sums are taken in whatever order threads arrive
        torch.use_deterministic_algorithms(settings.deterministic)
    model = model.to(ranks.device, torch.float64 if settings.precision == "fp64" else torch.float32)
    average = (
        AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(settings.ema))  # type: ignore[no-untyped-call]
        if settings.ema is not None
        else None
    )
    torch.manual_seed(settings.seed * 1_000_003 + ranks.rank)  # dropout differs between ranks
    optimizer = _optimizer(model, settings, rates or {})
    return TrainState(
        model=model,
        average=average,
        optimizer=optimizer,
        schedule=_schedule(optimizer, settings, steps=steps),
        parts=settings.accumulate,
    )


def _optimizer(
    model: torch.nn.Module, settings: TrainSettings, rates: Mapping[str, float]
) -> torch.optim.Optimizer:
    import torch

    rate, decay = settings.learning_rate, settings.weight_decay
    groups: dict[float, list[torch.nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            factor = next((found for start, found in rates.items() if name.startswith(start)), 1.0)
            groups.setdefault(factor, []).append(parameter)
    parameters = [{"params": found, "lr": rate * factor} for factor, found in groups.items()]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=0.9, weight_decay=decay)
    kind = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
    return kind(parameters, lr=rate, weight_decay=decay)


def _schedule(optimizer: torch.optim.Optimizer, settings: TrainSettings, *, steps: int) -> Any:
    """A schedule that is stepped after each step; that of the plateau after each epoch."""
    from torch.optim import lr_scheduler

    total, end = settings.epochs * steps, settings.final_rate
    if settings.schedule == "one-cycle":
        return lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=[group["lr"] for group in optimizer.param_groups],
            total_steps=total + 1,  # it is stepped once more after the last step
            final_div_factor=max(1 / (25 * max(end, 1e-12)), 1e-12),
        )
    if settings.schedule == "cosine":
        return lr_scheduler.LambdaLR(
            optimizer, lambda step: end + (1 - end) * (1 + math.cos(math.pi * step / total)) / 2
        )
    if settings.schedule == "linear":
        return lr_scheduler.LinearLR(optimizer, start_factor=1.0, end_factor=end, total_iters=total)
    if settings.schedule == "plateau":
        return lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=0.5, patience=10, min_lr=[group["lr"] * end for group in optimizer.param_groups]
        )
    return lr_scheduler.ConstantLR(optimizer, factor=1.0)
