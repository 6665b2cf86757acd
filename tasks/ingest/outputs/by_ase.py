"""Outputs that ASE reads: Quantum ESPRESSO, ABINIT, FHI-aims, CASTEP, GPAW, Gaussian, OUTCAR.

ASE gives eV, Å, eV/Å and eV/Å³ with tension positive. It reads unconverged and cut-off files without a
word: :mod:`zonemelt.tasks.ingest.outputs.markers` tells of both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.convert.origin import parser_of
from zonemelt.tasks.ingest.outputs.frames import Calculation
from zonemelt.tasks.ingest.outputs.headers import theory_of
from zonemelt.tasks.ingest.outputs.markers import said_in
from zonemelt.tasks.ingest.outputs.outcar import theory as outcar_theory
from zonemelt.tasks.theory import Theory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from zonemelt.tasks.convert.origin import BadRow, Origin
    from zonemelt.tasks.ingest.outputs.markers import Said
    from zonemelt.tasks.records import Record

_KEPT: Final = ("energy", "free_energy", "forces", "stress", "magmoms", "dipole", "magmom")
# Both energies that ASE gives for these are the one that is consistent with the forces.
_FREE_ONLY: Final = {"qe-out", "abinit-out"}


def espresso(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """Frames of the output of pw.x."""
    return _frames(path, origin, kind="qe-out", form="espresso-out")


def abinit(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """Frames of the text output of ABINIT."""
    return _frames(path, origin, kind="abinit-out", form="abinit-out")


def aims(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """Frames of the output of FHI-aims."""
    return _frames(path, origin, kind="aims-out", form="aims-output")


def castep(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """Frames of a .castep file."""
    return _frames(path, origin, kind="castep-out", form="castep-castep")


def gpaw(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """Frames of GPAW's text output, as it was before GPAW 26."""
    return _frames(path, origin, kind="gpaw-out", form="gpaw-out")


def gpw(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """The one frame of a .gpw file of ASE's own binary form: JSON and arrays, nothing is unpickled."""
    return _frames(path, origin, kind="gpw", form="gpw")


def gaussian(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """Frames of a log of Gaussian."""
    return _frames(path, origin, kind="gaussian-out", form="gaussian-out")


def vasprun(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """Frames of a vasprun.xml that pymatgen does not read; its level of theory is not known then."""
    return _frames(path, origin, kind="vasp-xml", form="vasp-xml")


def outcar(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """Frames of an OUTCAR, one at a time."""
    from ase.io.vasp_parsers.vasp_outcar_parsers import outcarchunks

    def frames() -> Iterator[Any]:
        with path.open(encoding="utf-8", errors="replace") as text:
            for chunk in outcarchunks(text):
                yield chunk.build()

    said = said_in(path, "vasp-outcar")
    calculation = _calculation(origin, outcar_theory(path), said, "vasp-out")
    yield from _records(frames(), calculation, said=said, count=len(said.cycles), free_only=False)


def _frames(path: Path, origin: Origin, *, kind: str, form: str) -> Iterator[Record | BadRow]:
    from ase.io import iread

    said = said_in(path, kind)
    level = _theory(path, kind)
    frames: list[Any] = []
    failed: Exception | None = None
    try:
        frames.extend(iread(str(path), ":", format=form, do_not_split_by_at_sign=True))
    except Exception as error:  # noqa: BLE001 (what came before is kept, and then it is raised)
        failed = error
    smeared = kind in _FREE_ONLY and level.smearing is not None
    calculation = _calculation(origin, level, said, form)
    yield from _records(frames, calculation, said=said, count=len(frames), free_only=smeared)
    if failed is not None:
        raise failed


def _calculation(origin: Origin, theory: Theory, said: Said, part: str) -> Calculation:
    parser = parser_of("ase", part)
    return Calculation(origin=origin, theory=theory, parser=parser, complete=said.complete)


def _theory(path: Path, kind: str) -> Theory:
    codes = {"vasp-xml": "vasp", "gpw": "gpaw"}
    return Theory(code=codes[kind]) if kind in codes else theory_of(path, kind)


def _records(
    frames: Iterable[Any], calculation: Calculation, *, said: Said, count: int, free_only: bool
) -> Iterator[Record | BadRow]:
    """Frames as records; the last one carries what is said of the relaxation.

    Args:
        frames: as ``ase.Atoms``.
        calculation: that they belong to.
        said: what the file says of its run.
        count: of the frames, as far as it is known before.
        free_only: both energies that ASE gives are the free one.
    """
    for number, (atoms, last) in enumerate(_with_last(frames)):
        held = dict(atoms.calc.results) if atoms.calc is not None else {}
        results = {name: held[name] for name in _KEPT if held.get(name) is not None}
        if calculation.theory.code == "gaussian":  # some of the spin densities of Mulliken, in no order
            results.pop("magmoms", None)
        if free_only:  # nothing tells the extrapolated one
            results["free_energy"] = results.pop("energy", results.get("free_energy"))
        elif "free_energy" not in results and "energy" in results and not calculation.theory.smearing:
            results["free_energy"] = results["energy"]  # without smearing they are one
        yield calculation.frame(
            number,
            atoms,
            results,
            electronic=said.electronic(number, count),
            ionic=said.relaxed if last else None,
        )


def _with_last(frames: Iterable[Any]) -> Iterator[tuple[Any, bool]]:
    """Frames, each with whether it is the last one; where reading fails, the one before has been yielded."""
    remaining = iter(frames)
    waiting = next(remaining, None)
    while waiting is not None:
        try:
            following = next(remaining, None)
        except Exception:
            yield waiting, False
            raise
        yield waiting, following is None
        waiting = following
