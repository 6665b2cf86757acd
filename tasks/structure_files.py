"""Structures from files of any common format, or from a dataset; what is none is told with its reason."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.convert.checked import checked, new_geometry
from zonemelt.tasks.errors import InputError, ZonemeltError
from zonemelt.tasks.records import Geometry

if TYPE_CHECKING:
    from collections.abc import Iterator

# ASE's names of what is read with ASE: text formats. Trajectories of ASE may hold pickles and are not read.
FORMATS: Final = frozenset({
    "abinit-in", "abinit-out", "aims", "aims-output", "castep-castep", "castep-cell", "castep-geom",
    "cfg", "crystal", "elk-in", "espresso-in", "espresso-out", "extxyz", "gen", "gpaw-out",
    "lammps-data", "proteindatabank", "res", "siesta-xv", "struct", "turbomole", "v-sim", "vasp",
    "vasp-out", "vasp-xdatcar", "vasp-xml", "xsd", "xsf", "xtd", "xyz",
})  # fmt: skip
_REMEDY: Final = (
    "give CIF, POSCAR, extxyz or another text format that ASE reads, JSON of candidates, or a dataset"
)
_LISTS: Final = ("candidates", "verdicts", "records")  # of documents, in JSON


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

    CIF is read by pymatgen, which refuses partial occupation; JSON holds documents with a ``geometry``, such
    as candidates; all else is read by ASE. A bad frame among others is one with a reason.

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
    elif place.suffix in {".json", ".jsonl"}:
        yield from _of_json(place)
    elif ".cif" in place.suffixes:
        yield from _of_cif(place)
    else:
        yield from _by_ase(place)


def read_below(path: Path | str) -> Iterator[Read]:
    """The structures of a file, of a dataset, or of every file below a directory that can be read.

    Raises:
        InputError: there is no such file, or it is of no format that can be read. A file below a directory
            that cannot be read is a structure with a reason.
        StoreError: the dataset is damaged.
    """
    from zonemelt.tasks.datasets.versions import VERSIONS
    from zonemelt.tasks.ingest.walk import walk

    place = Path(path)
    if not place.is_dir() or (place / VERSIONS).is_dir():
        yield from read_structures(place)
        return
    for file in walk(place):
        if file.verdict is not None:
            yield Read(name=file.source, reason=file.reason)
            continue
        try:
            yield from read_structures(file.path)
        except InputError as error:
            yield Read(name=file.source, reason=error.what)


def _of_json(place: Path) -> Iterator[Read]:
    """Documents with a geometry: in a list, under ``candidates`` or the like, or one a line."""
    try:
        text = place.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"it cannot be read: {error.strerror}", where=str(place), remedy=_REMEDY) from None
    found: Any
    try:
        if place.suffix == ".jsonl":
            found = [_line(line) for line in text.splitlines() if line.strip()]
        else:
            found = json.loads(text)
    except ValueError as error:
        raise InputError(f"it is no JSON: {error}", where=str(place), remedy=_REMEDY) from None
    if isinstance(found, dict):
        found = next((found[key] for key in _LISTS if isinstance(found.get(key), list)), [found])
    if not isinstance(found, list) or not found:
        raise InputError("it holds no list of structures", where=str(place), remedy=_REMEDY)
    for number, document in enumerate(found):
        name = _called(place, number, of=len(found))
        if not isinstance(document, dict) or "geometry" not in document:
            yield Read(name=name, reason="it is no document with a 'geometry'")
            continue
        name = str(document.get("identifier") or name)
        try:
            make = partial(Geometry.model_validate, document["geometry"])
            yield Read(name=name, geometry=checked(make, where=name))
        except ZonemeltError as error:
            yield Read(name=name, reason=error.what)


def _line(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _of_cif(place: Path) -> Iterator[Read]:
    from zonemelt.tasks.convert.origin import BadRow, Origin
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
        InputError: there is no such file, it is of no format that is read, it holds nothing, or a frame of it
            is none.
    """
    frames = _frames(place, remedy=remedy)
    if bad := next((one for one in frames if isinstance(one, str)), None):
        raise InputError(bad, where=str(place), remedy=remedy)
    return frames


def _frames(place: Path, *, remedy: str) -> list[Any]:
    """Each frame as ``ase.Atoms``, or in words why it is none; only extended XYZ tells of single frames."""
    from ase.io import read

    kind = _kind(place, remedy)
    try:
        found: Any = _of_extxyz(place) if kind == "extxyz" else read(str(place), index=":", format=kind)
    except Exception as error:  # noqa: BLE001 (ASE's readers raise many kinds)
        said = error.what if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        raise InputError(f"ASE cannot read it as {kind}: {said}", where=str(place), remedy=remedy) from None
    if not found:
        raise InputError("it holds no structure", where=str(place), remedy=remedy)
    return list(found)


def _kind(place: Path, remedy: str) -> str:
    """The format of a file as ASE calls it, one of :data:`FORMATS`."""
    from ase.io.formats import UnknownFileTypeError, filetype

    if not place.is_file():
        raise InputError("there is no such file", where=str(place), remedy=remedy)
    try:
        kind = str(filetype(str(place)))
    except (UnknownFileTypeError, OSError, UnicodeDecodeError) as error:
        raise InputError(f"its format is not known: {error}", where=str(place), remedy=remedy) from None
    if kind not in FORMATS:
        raise InputError(f"format '{kind}' is not read", where=str(place), remedy=remedy)
    return kind


def _of_extxyz(place: Path) -> list[Any]:
    from zonemelt.tasks.ingest.tables.extxyz import frames_of

    return [
        f"the frame at line {line}: {atoms}" if isinstance(atoms, str) else atoms
        for line, atoms in frames_of(place)
    ]


def _by_ase(place: Path) -> Iterator[Read]:
    frames = _frames(place, remedy=_REMEDY)
    if all(isinstance(one, str) for one in frames):
        raise InputError(frames[0], where=str(place), remedy=_REMEDY)
    for number, atoms in enumerate(frames):
        name = _called(place, number, of=len(frames))
        if isinstance(atoms, str):
            yield Read(name=name, reason=atoms)
            continue
        try:
            yield Read(name=name, geometry=new_geometry(atoms, where=name))
        except ZonemeltError as error:
            yield Read(name=name, reason=error.what)


def _called(place: Path, number: int, *, of: int) -> str:
    return str(place) if of == 1 else f"{place}#{number}"
