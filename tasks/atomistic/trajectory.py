"""Frames of a simulation in memory and in a compact file, named by its content, that becomes ASE's atoms."""

# T frames, N atoms

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.theory import Document
from zonemelt.tasks.whole_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Frames:
    """What happened, at the beginning and after every so many steps, and where it ended.

    Attributes:
        steps_T: of each frame.
        positions_TN3: single precision, not wrapped into the cell, Å.
        cells_T33: rows, Å.
        energies_T: potential, eV.
        kinetic_T: eV.
        pressures_T: of atoms and their motion, eV/Å³; NaN where no stress was asked for.
        spreads_T: largest of the committee on an atom, eV/Å; NaN where none looked.
    """

    steps_T: NDArray[np.int64]
    positions_TN3: NDArray[np.float32]
    cells_T33: NDArray[np.float64]
    energies_T: NDArray[np.float64]
    kinetic_T: NDArray[np.float64]
    pressures_T: NDArray[np.float64]
    spreads_T: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.steps_T)


def empty(atoms: int) -> Frames:
    """No frames of so many atoms."""
    return Frames(
        steps_T=np.empty(0, np.int64),
        positions_TN3=np.empty((0, atoms, 3), np.float32),
        cells_T33=np.empty((0, 3, 3)),
        energies_T=np.empty(0),
        kinetic_T=np.empty(0),
        pressures_T=np.empty(0),
        spreads_T=np.empty(0),
    )


def joined(parts: Sequence[Frames]) -> Frames:
    """Put frames one after the other; at least one part."""
    return Frames(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(Frames)
        }
    )


def encoded(frames: Frames, **more: Any) -> bytes:
    """Frames as a compressed ``.npz``, with what else belongs to them; the same frames, the same bytes."""
    buffer = io.BytesIO()
    arrays = {field.name: getattr(frames, field.name) for field in fields(Frames)} | more
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asarray(array), allow_pickle=False)
            file.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def decoded(content: bytes, where: str) -> tuple[Frames, dict[str, Any]]:
    """Frames, and what else was stored with them.

    Raises:
        InputError: it is damaged, or something else.
    """
    names = {field.name for field in fields(Frames)}
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
        frames = Frames(**{name: found.pop(name) for name in names})
    except Exception as error:  # whatever numpy, zipfile and zlib raise of altered bytes
        raise _no_trajectory(f"{error}", where) from error
    return frames, found


def _no_trajectory(why: str, where: str) -> InputError:
    return InputError(
        f"it is no trajectory: {why}", where=where, remedy="restore it, or run the simulation again"
    )


class TrajectoryFile(Document):
    """Where the frames of a simulation are."""

    path: str
    sha256: str = Field(description="of the file, which it is named by")
    nbytes: int
    frames: int


def written(frames: Frames, atoms: Any, *, timestep: float, directory: Path) -> TrajectoryFile:
    """Write frames to a file named by its content.

    Args:
        frames: of one structure.
        atoms: whose they are, an ``ase.Atoms``.
        timestep: fs.
        directory: of trajectories.

    Raises:
        StoreError: it cannot be written.
    """
    content = encoded(frames, numbers_N=atoms.numbers, periodic_3=atoms.pbc, timestep=np.array(timestep))
    digest = hashlib.sha256(content).hexdigest()
    path = directory / digest[:2] / f"{digest}.npz"
    if not path.is_file():
        write_whole(path, content)
    return TrajectoryFile(path=str(path), sha256=digest, nbytes=len(content), frames=len(frames))


def trajectory_atoms(path: str | Path) -> list[Any]:
    """The frames of a file as ``ase.Atoms`` with their energies.

    ``info`` holds ``step``, ``time`` (fs), ``kinetic`` (eV) and, where they are known, ``pressure`` (eV/Å³)
    and ``spread`` (eV/Å). ``ase.io.write("run.extxyz", trajectory_atoms(path))`` gives them to others.

    Raises:
        InputError: the file is not there, damaged, or no trajectory.
    """
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator

    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(
            f"it cannot be read: {error.strerror}", where=str(path), remedy="is it there?"
        ) from error
    frames, more = decoded(content, str(path))
    if lacking := {"numbers_N", "periodic_3", "timestep"} - set(more):
        raise _no_trajectory(f"it has no {min(lacking)}, as the segments of a checkpoint", str(path))
    answer = []
    for row in range(len(frames)):
        step = int(frames.steps_T[row])
        known = {
            "kinetic": float(frames.kinetic_T[row]),
            "pressure": float(frames.pressures_T[row]),
            "spread": float(frames.spreads_T[row]),
        }
        atoms = Atoms(
            more["numbers_N"],
            positions=frames.positions_TN3[row].astype(float),
            cell=frames.cells_T33[row],
            pbc=more["periodic_3"],
            info={"step": step, "time": step * float(more["timestep"])}
            | {name: value for name, value in known.items() if np.isfinite(value)},
        )
        atoms.calc = SinglePointCalculator(atoms, energy=float(frames.energies_T[row]))
        answer.append(atoms)
    return answer
