"""Many structures on their way together: as some arrive, others join, and a checkpoint holds all of them."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import numpy as np

from zonemelt.tasks.errors import InputError, JobError
from zonemelt.tasks.whole_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.potentials.potential import Potential

MovingT = TypeVar("MovingT")
ArrivedT = TypeVar("ArrivedT")
Member = TypeVar("Member")

ATOMS_IN_FLIGHT: Final = 2000
"""About how many atoms are on their way together where nobody says."""


class OutOfTimeError(JobError):
    """There was no time to finish; what was done is in the checkpoint."""


def _always() -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How a run keeps what it did, and when it stops.

    Attributes:
        directory: of checkpoints, one for each stage of a calculation; None: none are kept.
        go_on: asked before every evaluation; once it says no, what is on its way is kept.
        every: after how many evaluations a checkpoint is written.
    """

    directory: Path | None = None
    go_on: Callable[[], bool] = _always
    every: int = 50

    def checkpoint(self, stage: str) -> Path | None:
        """The file of a stage."""
        return None if self.directory is None else self.directory / f"{stage}.npz"


@dataclass(frozen=True, kw_only=True)
class Fleet(Generic[MovingT, ArrivedT]):
    """What there is to move, and how.

    Attributes:
        atoms: of each member, evaluated together.
        most: about how many atoms are on their way together.
        begin: a member's state before its first step.
        step: takes all that are on their way, evaluates them once, and says for each where it is now; what is
            of the type ``arrived`` goes no further.
        moving, arrived: dataclasses of arrays, numbers, words and None.
        key: what a checkpoint belongs to; see :func:`key_of`.
    """

    atoms: Sequence[int]
    most: int
    begin: Callable[[int], MovingT]
    step: Callable[[dict[int, MovingT]], Mapping[int, MovingT | ArrivedT]]
    moving: type[MovingT]
    arrived: type[ArrivedT]
    key: str


def run(
    fleet: Fleet[MovingT, ArrivedT], *, checkpoint: Path | None, pace: Pace
) -> tuple[dict[int, MovingT], dict[int, ArrivedT]]:
    """Bring all members home, or as far as time allows.

    A run that goes on from a checkpoint does what it would have done without the stop, to the last bit: the
    same members are evaluated together.

    Returns:
        Those still on their way, and those that arrived, by their place in the given order.

    Raises:
        InputError: the checkpoint is of something else, or damaged.
    """
    moving: dict[int, MovingT] = {}
    arrived: dict[int, ArrivedT] = {}
    if checkpoint is not None and checkpoint.is_file():
        moving, arrived = _read(fleet, checkpoint)
    waiting = [index for index in range(len(fleet.atoms)) if index not in moving and index not in arrived]
    waiting.reverse()
    evaluations = 0
    while _fill(fleet, moving, waiting) and pace.go_on():
        for index, now in fleet.step(dict(sorted(moving.items()))).items():
            if isinstance(now, fleet.arrived):  # which may be a kind of what is moving
                del moving[index]
                arrived[index] = now
            else:
                assert isinstance(now, fleet.moving)
                moving[index] = now
        evaluations += 1
        if checkpoint is not None and evaluations % pace.every == 0:
            _write(fleet, checkpoint, moving, arrived)
    if checkpoint is not None and (evaluations or not checkpoint.is_file()):
        _write(fleet, checkpoint, moving, arrived)
    return moving, arrived


def key_of(potential: Potential, crystals: Crystals, settings: str) -> str:
    """What a checkpoint belongs to: a digest of the potential's name, the settings and every structure."""
    said = hashlib.sha256(f"{potential.name} {settings}".encode())
    for field in fields(crystals):
        said.update(np.ascontiguousarray(getattr(crystals, field.name)).tobytes())
    return said.hexdigest()


def _fill(fleet: Fleet[MovingT, ArrivedT], moving: dict[int, MovingT], waiting: list[int]) -> bool:
    """Let members join while there is room; whether any is on its way."""
    atoms = sum(fleet.atoms[index] for index in moving)
    while waiting and (not moving or atoms + fleet.atoms[waiting[-1]] <= fleet.most):
        index = waiting.pop()
        moving[index] = fleet.begin(index)
        atoms += fleet.atoms[index]
    return bool(moving)


def _write(
    fleet: Fleet[MovingT, ArrivedT],
    path: Path,
    moving: Mapping[int, MovingT],
    arrived: Mapping[int, ArrivedT],
) -> None:
    arrays: dict[str, Any] = {"key": np.array(fleet.key)}
    for kind, of_kind, members in (("moving", fleet.moving, moving), ("arrived", fleet.arrived, arrived)):
        arrays[f"{kind}/index"] = np.array(list(members), np.int64)
        for name in _names(of_kind):
            values = [getattr(member, name) for member in members.values()]
            arrays |= {f"{kind}/{name}/{part}": array for part, array in _packed(values).items()}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_whole(path, buffer.getvalue())


def _names(kind: Any) -> list[str]:
    return [field.name for field in fields(kind)]


def _packed(values: Sequence[Any]) -> dict[str, NDArray[Any]]:
    """One field of many members as three arrays: an entry of a file for each value would take 50 µs."""
    some = [np.asarray(str(one) if isinstance(one, StrEnum) else one) for one in values if one is not None]
    return {
        "there": np.array([one is not None for one in values], bool),
        "flat": np.concatenate([one.ravel() for one in some]) if some else np.empty(0),
        "shapes": np.array([one.shape for one in some], np.int64),
    }


def _unpacked(there: NDArray[Any], flat: NDArray[Any], shapes: NDArray[Any]) -> list[Any]:
    """What :func:`_packed` packed: arrays, numbers, words and None."""
    ends = np.cumsum(shapes.prod(axis=1)) if len(shapes) else shapes
    parts = iter(np.split(flat, ends[:-1]))
    values = (next(parts).reshape(shape) for shape in shapes.tolist())
    found = (value if value.ndim else value.item() for value in values)
    return [next(found) if one else None for one in there]


def _read(fleet: Fleet[MovingT, ArrivedT], path: Path) -> tuple[dict[int, MovingT], dict[int, ArrivedT]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            key = str(file["key"])
            arrays = {name: file[name] for name in file.files if key == fleet.key}
    except Exception as error:  # whatever numpy, zipfile and zlib raise of altered bytes
        raise _unreadable(path, error) from error
    if key != fleet.key:
        raise InputError(
            "it is of other structures, settings, or another potential",
            where=str(path),
            remedy="remove it, or give another file",
        )
    try:
        return _members(arrays, "moving", fleet.moving), _members(arrays, "arrived", fleet.arrived)
    except (ValueError, KeyError, StopIteration, RuntimeError, TypeError) as error:
        raise _unreadable(path, error) from error


def _members(arrays: Mapping[str, NDArray[Any]], kind: str, of_kind: type[Member]) -> dict[int, Member]:
    columns = {
        name: _unpacked(*(arrays[f"{kind}/{name}/{part}"] for part in ("there", "flat", "shapes")))
        for name in _names(of_kind)
    }
    return {
        index: of_kind(**{name: column[row] for name, column in columns.items()})
        for row, index in enumerate(arrays[f"{kind}/index"].tolist())
    }


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"it cannot be read: {error}", where=str(path), remedy="remove it: the work begins anew"
    )
