"""The course of a training as lines of JSON, one an epoch, that a resumed training goes on with."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

from zonemelt.tasks.whole_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from zonemelt.tasks.train.ranks import Ranks
    from zonemelt.tasks.train.state import TrainState

METRICS: Final = "metrics.jsonl"


class MetricsLog:
    """Writes ``metrics.jsonl``; rank 0 alone does.

    Args:
        directory: of the training.
        ranks: who trains.
        epoch: the one that comes next: lines of it and of later ones, written by a call that died before its
            checkpoint, are removed.
    """

    def __init__(self, directory: Path, *, ranks: Ranks, epoch: int) -> None:
        self._path = directory / METRICS
        self._writes = ranks.writes
        if not self._writes:
            return
        kept = [line for line in read_metrics(directory) if line["epoch"] < epoch]
        write_whole(self._path, "".join(f"{json.dumps(line)}\n" for line in kept).encode())

    def write(self, state: TrainState, found: Mapping[str, float], *, rate: float) -> None:
        """Add the epoch that has just ended.

        Args:
            state: its sums are those of the epoch.
            found: the metrics of its model.
            rate: of learning, at its end.
        """
        if not self._writes:
            return
        losses = {f"train {name}": total / max(count, 1.0) for name, (total, count) in state.sums.items()}
        line = {
            "epoch": state.epoch - 1, **losses, **found,
            "learning_rate": rate, "parts": state.parts, "at": time.time(),
        }  # fmt: skip
        with self._path.open("a") as file:
            file.write(f"{json.dumps(line)}\n")


def read_metrics(directory: Path) -> list[dict[str, float]]:
    """The lines so far; none where there is no log. A torn last line is left out."""
    path = directory / METRICS
    found = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found
