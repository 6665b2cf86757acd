"""Checkpoints: a training as it stood after a step, to go on from it to the last bit.

A checkpoint is a folder of two files: ``state.safetensors`` (weights, averages, moments, the random
numbers of every rank) and ``state.json`` (the rest). It appears whole or not at all. Nothing in it is
unpickled.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.whole_files import settle, settle_names, write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch

    from zonemelt.tasks.train.ranks import Ranks
    from zonemelt.tasks.train.state import TrainState

FOLDER: Final = "checkpoints"
TENSORS, REST = "state.safetensors", "state.json"


def save(state: TrainState, directory: Path, *, ranks: Ranks, card: Mapping[str, Any]) -> None:
    """Write a checkpoint; every rank calls it, rank 0 writes.

    Args:
        state: of the training, the same on every rank but for random numbers.
        directory: of the training.
        ranks: who trains.
        card: what the model is: it must be the same when the training goes on.
    """
    random = ranks.gather([found.tolist() for found in random_states(ranks)])
    if not ranks.writes:
        return
    from safetensors.torch import save_file

    tensors, rest = _taken_apart(state)
    place = directory / FOLDER / _named(state.epoch, state.step)
    part = place.with_name(f".{place.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    save_file(tensors, part / f".{TENSORS}")
    settle(part / f".{TENSORS}", part / TENSORS)
    write_whole(part / REST, json.dumps({**rest, "card": dict(card), "random": random}).encode())
    shutil.rmtree(place, ignore_errors=True)  # of an earlier training in this directory
    part.replace(place)
    settle_names(place.parent)  # before older ones are removed


def prune(directory: Path, *, keep: int, best_epoch: int) -> None:
    """Remove all checkpoints but the newest and that of the best epoch."""
    best = after_epoch(directory, best_epoch)
    for folder in _numbered(directory)[:-keep]:
        if folder != best:
            shutil.rmtree(folder)


def after_epoch(directory: Path, epoch: int) -> Path:
    """The checkpoint that is taken when an epoch has ended."""
    return directory / FOLDER / _named(epoch + 1, 0)


def _named(epoch: int, step: int) -> str:
    return f"{epoch:06d}-{step:08d}"


def latest(directory: Path) -> Path | None:
    """The newest checkpoint of a training; None where there is none."""
    found = _numbered(directory)
    return found[-1] if found else None


def load(state: TrainState, place: Path, *, ranks: Ranks, card: Mapping[str, Any]) -> None:
    """Put a training back to where a checkpoint was taken.

    With as many ranks as then it goes on to the last bit; with others, each has new random numbers, and the
    samples of every step are still the same.

    Raises:
        InputError: it is damaged, or of another model.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        rest = json.loads((place / REST).read_text())
        tensors = load_file(place / TENSORS, device=str(ranks.device))
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(
            f"it cannot be read: {error}", where=str(place), remedy="remove it: the one before is used"
        ) from None
    if differing := _differing(rest["card"], json.loads(json.dumps(card))):
        raise InputError(
            f"it belongs to another training: {', '.join(differing)} "
            f"{'is' if len(differing) == 1 else 'are'} not the same",
            where=str(place),
            remedy="train in another directory, or with the settings of that training",
        )
    _put_together(state, tensors, rest)
    if len(rest["random"]) == ranks.world_size:
        restore_random(rest["random"][ranks.rank], ranks)


def _differing(one: Any, other: Any, name: str = "") -> list[str]:
    """What is not the same in two cards, by its full name."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return [name] if one != other else []
    keys = sorted({*one, *other})
    return [
        found
        for key in keys
        for found in _differing(one.get(key), other.get(key), f"{name}.{key}".removeprefix("."))
    ]


def weights_of(place: Path, *, averaged: bool) -> dict[str, torch.Tensor]:
    """The weights in a checkpoint, or their moving average."""
    from safetensors.torch import load_file

    return _of("average.module." if averaged else "model.", load_file(place / TENSORS))


def random_states(ranks: Ranks) -> list[torch.Tensor]:
    """The states of the generators this rank draws from."""
    import torch

    found = [torch.get_rng_state()]
    if ranks.device.type == "cuda":
        found.append(torch.cuda.get_rng_state(ranks.device))
    elif ranks.device.type == "xpu":
        found.append(torch.xpu.get_rng_state(ranks.device))
    return found


def restore_random(states: list[list[int]], ranks: Ranks) -> None:
    """Let this rank draw what it would have drawn then."""
    import torch

    first, *others = [torch.tensor(state, dtype=torch.uint8) for state in states]
    torch.set_rng_state(first)
    for state in others:
        module = torch.cuda if ranks.device.type == "cuda" else torch.xpu
        module.set_rng_state(state, ranks.device)


def _numbered(directory: Path) -> list[Path]:
    return sorted(path for path in (directory / FOLDER).glob("[0-9]*-[0-9]*") if path.is_dir())


def _taken_apart(state: TrainState) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """All tensors by a name, and all that is none."""
    import torch

    tensors = {f"model.{name}": value for name, value in state.model.state_dict().items()}
    if state.average is not None:
        tensors |= {f"average.{name}": value for name, value in state.average.state_dict().items()}
    optimizer = state.optimizer.state_dict()
    numbers: dict[str, dict[str, Any]] = {}
    for parameter, moments in optimizer["state"].items():
        for name, value in moments.items():
            if isinstance(value, torch.Tensor):
                tensors[f"optimizer.{parameter}.{name}"] = value
            else:
                numbers.setdefault(str(parameter), {})[name] = value
    # A clone: safetensors refuses tensors that share memory, as tied weights do.
    whole = {name: value.detach().clone().contiguous() for name, value in tensors.items()}
    schedule = {key: value for key, value in state.schedule.state_dict().items() if not callable(value)}
    return whole, {
        "epoch": state.epoch, "step": state.step, "best": state.best, "best_epoch": state.best_epoch,
        "sums": state.sums, "parts": state.parts, "judging": state.judging, "schedule": schedule,
        "optimizer": {"groups": optimizer["param_groups"], "numbers": numbers},
    }  # fmt: skip


def _put_together(state: TrainState, tensors: Mapping[str, torch.Tensor], rest: Mapping[str, Any]) -> None:
    moments: dict[int, dict[str, Any]] = {
        int(parameter): dict(found) for parameter, found in rest["optimizer"]["numbers"].items()
    }
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, parameter, moment = name.split(".", 2)
            # Adam counts its steps on the processor, wherever the weights are.
            moments.setdefault(int(parameter), {})[moment] = value.cpu() if moment == "step" else value
    state.model.load_state_dict(_of("model.", tensors))
    if state.average is not None:
        state.average.load_state_dict(_of("average.", tensors))
    state.optimizer.load_state_dict({"state": moments, "param_groups": rest["optimizer"]["groups"]})
    state.schedule.load_state_dict(rest["schedule"])
    state.epoch, state.step = rest["epoch"], rest["step"]
    state.best, state.best_epoch, state.sums = rest["best"], rest["best_epoch"], rest["sums"]
    # A person may have asked for smaller parts since then.
    state.parts, state.judging = max(rest["parts"], state.parts), rest["judging"]


def _of(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
