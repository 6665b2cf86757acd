"""Structures from files of any common format, or from a dataset; what is none is told with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.errors import InputError, ZonemeltError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.tasks.records import Geometry

# ASE's names of what is read with ASE: text formats. Trajectories of ASE may hold pickles and are not read.
FORMATS: Final = frozenset({
    "abinit-in", "abinit-out", "aims", "aims-output", "castep-castep", "castep-cell", "castep-geom",
    "cfg", "crystal", "elk-in", "espresso-in", "espresso-out", "extxyz", "gen", "gpaw-out",
    "lammps-data", "proteindatabank", "res", "siesta-xv", "struct", "turbomole", "v-sim", "vasp",
    "vasp-out", "vasp-xdatcar", "vasp-xml", "xsd", "xsf", "xtd", "xyz",
})  # fmt: skip
_REMEDY: Final = (
    "give CIF, POSCAR, extxyz or another text format that ASE reads, or the directory of a dataset"
)


@dataclass(frozen=True, kw_only=True)
class Read:
    """One structure of a file, or why it is none.

    Attributes:
        name: the file and, where it holds several, the place in it; the identifier of a dataset's record.
        geometry: None where there is a reason.
        reason: empty where there is a geometry.
    """

    name: str
    geometry: Geometry | None = None
    reason: str = ""


def read_structures(path: Path | str) -> Iterator[Read]:
    """The structures of a file or of a dataset, in their order.

    CIF is read by pymatgen, which refuses partial occupation; all else by ASE.

    Raises:
        InputError: there is no such file, or it is of no format that can be read.
        StoreError: the dataset is damaged.
    """
    place = Path(path)
    if place.is_dir():
        from zonemelt.tasks.datasets import open_dataset

        for record in open_dataset(place).records():
            yield Read(name=record.identifier, geometry=record.geometry)
    elif not place.exists():
        raise InputError("there is no such file", where=str(place), remedy=_REMEDY)
    elif ".cif" in place.suffixes:
        yield from _of_cif(place)
    else:
        yield from _by_ase(place)


def _of_cif(place: Path) -> Iterator[Read]:
    from zonemelt.tasks.ingest.origin import BadRow, Origin
    from zonemelt.tasks.ingest.tables.cif import read_cif

    found = list(read_cif(place, Origin(source=str(place))))
    for number, one in enumerate(found):
        name = _called(place, number, of=len(found))
        if isinstance(one, BadRow):
            yield Read(name=name, reason=one.reason)
        else:
            yield Read(name=name, geometry=one.geometry)


def read_frames(place: Path, *, remedy: str = _REMEDY) -> list[Any]:
    """All frames of a file as ``ase.Atoms``, with what the file says was computed.

    Raises:
        InputError: there is no such file, it is of no format that is read, or it holds nothing.
    """
    from ase.io import read
    from ase.io.formats import UnknownFileTypeError, filetype

    if not place.is_file():
        raise InputError("there is no such file", where=str(place), remedy=remedy)
    try:
        kind = filetype(str(place))
    except (UnknownFileTypeError, OSError, UnicodeDecodeError) as error:
        raise InputError(f"its format is not known: {error}", where=str(place), remedy=remedy) from None
    if kind not in FORMATS:
        raise InputError(f"format '{kind}' is not read", where=str(place), remedy=remedy)
    try:
        frames: Any = read(str(place), index=":", format=kind)
    except Exception as error:  # noqa: BLE001 (ASE's readers raise many kinds)
        raise InputError(
            f"ASE cannot read it as {kind}: {type(error).__name__}: {error}", where=str(place), remedy=remedy
        ) from None
    if not frames:
        raise InputError("it holds no structure", where=str(place), remedy=remedy)
    return list(frames)


def _by_ase(place: Path) -> Iterator[Read]:
    frames = read_frames(place)
    for number, atoms in enumerate(frames):
        name = _called(place, number, of=len(frames))
        try:
            yield Read(name=name, geometry=_geometry(atoms, name))
        except ZonemeltError as error:
            yield Read(name=name, reason=error.what)


def _geometry(atoms: Any, name: str) -> Geometry:
    from zonemelt.tasks.convert.checked import new_geometry

    return new_geometry(atoms, where=name)


def _called(place: Path, number: int, *, of: int) -> str:
    return str(place) if of == 1 else f"{place}#{number}"
