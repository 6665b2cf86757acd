"""Work with a potential on structures of files and datasets, written back as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import Flow

from zonemelt.flows.atomistic import DynamicsMaker, RelaxMaker
from zonemelt.tasks.atomistic.written import write_relaxed_job, write_simulated_job
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.directories import check_directory
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.potentials.load import load_potential
from zonemelt.tasks.structure_files import read_structures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonemelt.tasks.structure_files import Read


def relax_structures(
    *,
    potential: str,
    files: list[str],
    directory: str,
    settings: dict[str, Any] | None = None,
    structures: int = 200,
    device: str = "cpu",
    dtype: str | None = None,
    trust: bool = False,
) -> Flow:
    """Relax the structures of files and datasets, and write them as one file.

    Args:
        potential: see :func:`.load_potential`.
        files: paths of structures or datasets; absolute.
        directory: of ``relaxed.extxyz`` and of checkpoints; absolute.
        settings: of :class:`.RelaxSettings`.
        structures: in a job.
        device: "cpu" or "cuda".
        dtype: "float32" or "float64".
        trust: see :func:`.load_potential`.

    Returns:
        A flow whose output is what :func:`.write_relaxed_job` returns.

    Raises:
        InputError: a file holds no structure, the potential does not know an element, or a setting makes no
            sense.
    """
    place = check_directory(directory)
    found = structures_of(files)
    check_known(potential, found, device=device, trust=trust)
    relaxed = RelaxMaker(
        potential=potential, settings=settings or {}, directory=str(place / "checkpoints"),
        structures=structures, device=device, dtype=dtype, trust=trust,
    ).make([one.geometry.model_dump(mode="json") for one in found if one.geometry is not None])  # fmt: skip
    last = write_relaxed_job(
        relaxed=relaxed.output, names=[one.name for one in found], potential=potential, directory=directory
    )
    last.name = "write"
    last.update_config({"manager_config": {"cache": False}})
    return Flow([relaxed, last], output=last.output, name="relax")


def simulate_structures(
    *,
    potential: str,
    files: list[str],
    directory: str,
    settings: dict[str, Any],
    extxyz: bool = False,
    structures: int = 50,
    device: str = "cpu",
    dtype: str | None = None,
    trust: bool = False,
) -> Flow:
    """Molecular dynamics of the structures of files and datasets.

    Args:
        potential: see :func:`.load_potential`; of a committee the spread is watched.
        files: paths of structures or datasets; absolute.
        directory: of ``md.json``, of trajectories and of checkpoints; absolute.
        settings: of :class:`.DynamicsSettings`.
        extxyz: whether trajectories are written as extended XYZ too.
        structures: in a job.
        device: "cpu" or "cuda".
        dtype: "float32" or "float64".
        trust: see :func:`.load_potential`.

    Returns:
        A flow whose output is what :func:`.write_simulated_job` returns.

    Raises:
        InputError: a file holds no structure, the potential does not know an element, or a setting makes no
            sense.
    """
    place = check_directory(directory)
    found = structures_of(files)
    check_known(potential, found, device=device, trust=trust)
    simulated = DynamicsMaker(
        potential=potential, settings=settings, directory=str(place / "checkpoints"), structures=structures,
        device=device, dtype=dtype, trust=trust,
    ).make([one.geometry.model_dump(mode="json") for one in found if one.geometry is not None])  # fmt: skip
    last = write_simulated_job(
        simulated=simulated.output, names=[one.name for one in found], potential=potential,
        directory=directory, extxyz=extxyz,
    )  # fmt: skip
    last.name = "write"
    last.update_config({"manager_config": {"cache": False}})
    return Flow([simulated, last], output=last.output, name="md")


def structures_of(files: Sequence[str]) -> list[Read]:
    """All structures of some files, each of which must be one.

    Raises:
        InputError: a structure cannot be used; with its name and the reason.
    """
    found = [one for file in files for one in read_structures(file)]
    if bad := next((one for one in found if one.geometry is None), None):
        raise InputError(bad.reason, where=bad.name, remedy="leave it out, or mend it")
    if not found:
        raise InputError("there are no structures", where=", ".join(files), remedy="give some")
    return found


def check_known(potential: str, found: Sequence[Read], *, device: str, trust: bool) -> None:
    """Refuse elements that a potential does not know, by the names of the structures.

    Raises:
        InputError: naming the first structure and its elements.
    """
    opened = load_potential(potential, device=device, trust=trust)
    for one in found:
        assert one.geometry is not None
        try:
            opened.check(Crystals.of([one.geometry]))
        except InputError as error:
            raise InputError(error.what, where=Path(one.name).name, remedy=error.remedy) from None
