"""Many structures on their way together: as some arrive, others join, and a checkpoint holds all of them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import numpy as np

from zonemelt.tasks.errors import InputError, JobError
from zonemelt.tasks.whole_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.potentials.potential import Potential

MovingT = TypeVar("MovingT")
ArrivedT = TypeVar("ArrivedT")

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
    members: dict[str, Mapping[int, Any]] = {"moving": moving, "arrived": arrived}
    for kind, of_kind in members.items():
        for index, member in of_kind.items():
            arrays[f"{kind}/{index}"] = np.array(0)  # a member all of whose fields are None is there too
            for field in fields(member):
                value = getattr(member, field.name)
                if value is not None:
                    arrays[f"{kind}/{index}/{field.name}"] = np.array(
                        str(value) if isinstance(value, StrEnum) else value
                    )
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_whole(path, buffer.getvalue())


def _read(fleet: Fleet[MovingT, ArrivedT], path: Path) -> tuple[dict[int, MovingT], dict[int, ArrivedT]]:
    members: dict[str, dict[int, dict[str, Any]]] = {"moving": {}, "arrived": {}}
    try:
        with np.load(path, allow_pickle=False) as file:
            key = str(file["key"])
            for name in file.files:
                if name == "key":
                    continue
                kind, index, *field = name.split("/")
                member = members[kind].setdefault(int(index), {})
                if field:
                    value = file[name]
                    member[field[0]] = value if value.ndim else value.item()
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"it cannot be read: {error}", where=str(path), remedy="remove it: the work begins anew"
        ) from error
    if key != fleet.key:
        raise InputError(
            "it is of other structures, settings, or another potential",
            where=str(path),
            remedy="remove it, or give another file",
        )
    return (
        {index: fleet.moving(**_whole(fleet.moving, of)) for index, of in members["moving"].items()},
        {index: fleet.arrived(**_whole(fleet.arrived, of)) for index, of in members["arrived"].items()},
    )


def _whole(kind: Any, of: dict[str, Any]) -> dict[str, Any]:
    return {field.name: of.get(field.name) for field in fields(kind)}
