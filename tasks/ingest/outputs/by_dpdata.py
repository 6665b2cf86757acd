"""Outputs that dpdata reads: CP2K, SIESTA, ABACUS, PWmat, and what ASE does not read of other codes.

dpdata gives eV, Å, eV/Å and virials in eV, which are minus the stress times the volume. Its format classes
are asked directly: a ``LabeledSystem`` would turn cells and forces. Its energies are the ones that are
consistent with the forces; it leaves frames out whose electronic cycle did not converge.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.convert.origin import parser_of
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.files import mapped
from zonemelt.tasks.ingest.outputs.frames import Calculation
from zonemelt.tasks.ingest.outputs.headers import theory_of
from zonemelt.tasks.ingest.outputs.markers import said_in
from zonemelt.tasks.ingest.outputs.outcar import theory as outcar_theory
from zonemelt.tasks.theory import Theory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zonemelt.tasks.convert.origin import BadRow, Origin
    from zonemelt.tasks.ingest.outputs.markers import Said
    from zonemelt.tasks.records import Record


STRESS_IN_BAR: Final = rb"(?i)stress tensor \[bar\]"  # dpdata takes it for GPa


def cp2k(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """The one frame of a log of CP2K that prints its coordinates and forces."""
    return _frames(path, origin, kind="cp2k-out", form="cp2k/output")


def cp2k_dynamics(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """Frames of a run of CP2K from its log and the ``*pos*.xyz`` beside it.

    Raises:
        InputError: there is no such trajectory, or it is not this log's.
    """
    if not any(path.parent.glob("*pos*.xyz")):
        raise InputError(
            "there is no *pos*.xyz beside it", where=origin.source, remedy="keep it beside the log"
        )
    if path.suffix != ".log" or sorted(path.parent.glob("*.log")) != [path]:
        raise InputError(
            "it is not the one .log of its directory", where=origin.source, remedy="keep runs apart"
        )
    return _frames(path, origin, kind="cp2k-out", form="cp2k/aimd_output", given=str(path.parent))


def siesta(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """The one frame of a static run of SIESTA."""
    return _frames(path, origin, kind="siesta-out", form="siesta/output", smeared=True)


def siesta_dynamics(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """Frames of a run of SIESTA that moves atoms."""
    return _frames(path, origin, kind="siesta-out", form="siesta/aimd_output", smeared=True)


def abacus(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """Frames of a log of ABACUS in ``OUT.<suffix>`` below the directory that holds INPUT and STRU.

    Raises:
        InputError: they are not there.
    """
    folder = path.parent.parent
    if not (folder / "INPUT").is_file():
        raise InputError(
            "there is no INPUT in the directory above, which its structure is told in",
            where=origin.source,
            remedy="ingest the whole directory of the calculation",
        )
    mode = path.name.removeprefix("running_").removesuffix(".log")
    form = {"scf": "abacus/scf", "md": "abacus/md"}.get(mode, "abacus/relax")
    return _frames(path, origin, kind="abacus-log", form=form, given=str(folder))


def abacus_log(name: str) -> str:
    """The name that dpdata wants for a log: ``running_scf.log.2`` is read as ``running_scf.log``."""
    head, log, _ = name.partition(".log")
    return head + log


def pwmat(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """Frames of PWmat's MOVEMENT and OUT.MLMD; nothing there says whether they converged."""
    return _frames(path, origin, kind="pwmat-movement", form="pwmat/movement", convergence_check=False)


def espresso(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """The last frame of the output of pw.x, with the input beside it.

    Raises:
        InputError: the input is not there.
    """
    given = path.with_suffix(".in")
    if not given.is_file():
        raise InputError(
            f"there is no {given.name} beside it, which dpdata needs",
            where=origin.source,
            remedy="keep it there",
        )
    return _frames(path, origin, kind="qe-out", form="qe/pw/scf", given=[str(given), str(path)])


def aims(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """Frames of the output of FHI-aims."""
    return _frames(path, origin, kind="aims-out", form="fhi_aims/output", convergence_check=False)


def aims_static(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """The frame of a static run of FHI-aims."""
    return _frames(path, origin, kind="aims-out", form="fhi_aims/scf")


def gaussian(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """Frames of a log of Gaussian."""
    return _frames(path, origin, kind="gaussian-out", form="gaussian/md")


def outcar(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """Frames of an OUTCAR."""
    level = outcar_theory(path)
    return _frames(
        path, origin, kind="vasp-outcar", form="vasp/outcar", theory=level, convergence_check=False
    )


def vasprun(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """Frames of a vasprun.xml; its level of theory is not known then."""
    level = Theory(code="vasp")
    return _frames(path, origin, kind="vasp-xml", form="vasp/xml", theory=level, convergence_check=False)


def _frames(
    path: Path,
    origin: Origin,
    *,
    kind: str,
    form: str,
    given: Any = None,
    theory: Theory | None = None,
    smeared: bool | None = None,
    **options: Any,
) -> Iterator[Record | BadRow]:
    """Frames that one format class of dpdata reads.

    Args:
        path: of the file, plain.
        origin: where it comes from.
        kind: of file.
        form: the format's name in dpdata.
        given: what dpdata is given instead of the path.
        theory: its level; by default what the file's header says.
        smeared: whether the extrapolated energy differs from the free one; by default what the theory says.
        options: of the format.
    """
    import dpdata.plugins  # noqa: F401 (registers the formats)
    from dpdata.format import Format

    said = said_in(path, kind)
    level = theory or theory_of(path, kind)
    calculation = Calculation(
        origin=origin, theory=level, parser=parser_of("dpdata", form), complete=said.complete
    )
    formats: dict[str, Any] = Format.get_formats()  # type: ignore[no-untyped-call]
    found = formats[form]().from_labeled_system(given or str(path), **options)
    systems = [found] if isinstance(found, dict) else list(found)
    if kind == "cp2k-out":
        with mapped(path) as text:
            in_bar = re.search(STRESS_IN_BAR, text)
        for system in systems if in_bar else []:
            system.pop("virials", None)
    frames = sum(len(system["energies"]) for system in systems)
    alike = not (level.smearing or smeared or kind in {"vasp-outcar", "vasp-xml", "pwmat-movement"})
    number = 0
    for system in systems:
        for index in range(len(system["energies"])):
            atoms, results = _frame(system, index, sigma0=alike)
            yield calculation.frame(
                number,
                atoms,
                results,
                electronic=_electronic(said, number, frames, kind),
                ionic=said.relaxed if number == frames - 1 else None,
            )
            number += 1


def _electronic(said: Said, number: int, frames: int, kind: str) -> bool | None:
    """Whether a frame converged; formats that leave the others out yield only frames that did."""
    leaves_out = kind in {"cp2k-out", "abacus-log", "gaussian-out"}
    if leaves_out and len(said.cycles) != frames and any(said.cycles):
        return True
    return said.electronic(number, frames)


def _element(kind: str) -> str:
    """The element of a kind of atom as CP2K numbers them: ``Fe1``."""
    return str(kind).rstrip("0123456789_")


def _frame(system: dict[str, Any], index: int, *, sigma0: bool) -> tuple[Any, dict[str, Any]]:
    """One frame as an ``ase.Atoms`` and results in ASE's units."""
    import numpy as np
    from ase import Atoms

    names = [_element(name) for name in system["atom_names"]]
    symbols = [names[kind] for kind in system["atom_types"]]
    molecule = bool(system.get("nopbc", False))
    cell = np.asarray(system["cells"][index], float)
    positions = np.asarray(system["coords"][index], float).reshape(-1, 3)
    atoms = Atoms(symbols, positions=positions, cell=None if molecule else cell, pbc=not molecule)
    energy = float(system["energies"][index])
    forces = system.get("forces")
    virials = None if molecule else system.get("virials")
    return atoms, {
        "free_energy": energy,
        "energy": energy if sigma0 else None,
        "forces": None if forces is None or not len(forces) else np.asarray(forces[index]).reshape(-1, 3),
        "stress": None if virials is None else -np.asarray(virials[index]) / abs(np.linalg.det(cell)),
    }
