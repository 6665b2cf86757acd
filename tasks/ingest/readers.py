"""Which readers read which kind of file, the best first.

Every reader takes a plain file and where it came from, and yields records as it reads. Where one fails, the
next one is tried, and what failed is kept in the report.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.ingest.outputs import by_ase, by_dpdata, by_gpaw, outcar, vasprun
from zonemelt.tasks.ingest.tables.addresses import read_address
from zonemelt.tasks.ingest.tables.ase_db import read_ase_db
from zonemelt.tasks.ingest.tables.cif import read_cif
from zonemelt.tasks.ingest.tables.csv_table import read_csv
from zonemelt.tasks.ingest.tables.extxyz import read_extxyz
from zonemelt.tasks.ingest.tables.jsonl import read_jsonl
from zonemelt.tasks.ingest.tables.matminer_json import read_matminer_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from zonemelt.tasks.convert.origin import Origin
    from zonemelt.tasks.records import Record


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One way to read a kind of file.

    Attributes:
        name: library and what of it reads; for the report.
        read: yields records, and :class:`~zonemelt.tasks.convert.origin.BadRow` for what is none.
        check: looks at the file again with another parser; why its last record is not to be believed, or
            nothing.
        beside: patterns of the files it wants beside the one it reads.
        called: the name that it wants a file to have which is called so.
    """

    name: str
    read: Callable[[Path, Origin], Iterator[Any]]
    check: Callable[[Path, Record], str] | None = None
    beside: tuple[str, ...] = ()
    called: Callable[[str], str] = str


READERS: Final[dict[str, tuple[Reader, ...]]] = {
    "vasp-xml": (
        Reader(name="pymatgen Vasprun", read=vasprun.vasprun),
        Reader(name="ase vasp-xml", read=by_ase.vasprun),
        Reader(name="dpdata vasp/xml", read=by_dpdata.vasprun),
    ),
    "vasp-h5": (Reader(name="pymatgen Vaspout", read=vasprun.vaspout),),
    "vasp-outcar": (
        Reader(name="ase vasp-out", read=by_ase.outcar, check=outcar.second_opinion),
        Reader(name="dpdata vasp/outcar", read=by_dpdata.outcar, check=outcar.second_opinion),
    ),
    "qe-out": (
        Reader(name="ase espresso-out", read=by_ase.espresso),
        Reader(name="dpdata qe/pw/scf", read=by_dpdata.espresso, beside=("{stem}.in*",)),
    ),
    "cp2k-out": (
        Reader(name="dpdata cp2k/aimd_output", read=by_dpdata.cp2k_dynamics, beside=("*pos*.xyz*",)),
        Reader(name="dpdata cp2k/output", read=by_dpdata.cp2k),
    ),
    "abinit-out": (Reader(name="ase abinit-out", read=by_ase.abinit),),
    "aims-out": (
        Reader(name="ase aims-output", read=by_ase.aims),
        Reader(name="dpdata fhi_aims/output", read=by_dpdata.aims),
        Reader(name="dpdata fhi_aims/scf", read=by_dpdata.aims_static),
    ),
    "castep-out": (Reader(name="ase castep-castep", read=by_ase.castep),),
    "gpaw-out": (
        Reader(name="ase gpaw-out", read=by_ase.gpaw),
        Reader(name="gpaw log_file_reader", read=by_gpaw.gpaw_log),
    ),
    "gpw": (Reader(name="ase gpw", read=by_ase.gpw),),
    "siesta-out": (
        Reader(name="dpdata siesta/output", read=by_dpdata.siesta),
        Reader(name="dpdata siesta/aimd_output", read=by_dpdata.siesta_dynamics),
    ),
    "abacus-log": (
        Reader(
            name="dpdata abacus",
            read=by_dpdata.abacus,
            beside=("../INPUT*", "../STRU*", "STRU_ION*_D*", "MD_dump*"),
            called=by_dpdata.abacus_log,
        ),
    ),
    "gaussian-out": (
        Reader(name="ase gaussian-out", read=by_ase.gaussian),
        Reader(name="dpdata gaussian/md", read=by_dpdata.gaussian),
    ),
    "pwmat-movement": (Reader(name="dpdata pwmat/movement", read=by_dpdata.pwmat),),
}  # fmt: skip
# Recognised, and read by no library that is installed here.
UNREAD: Final = {
    "qe-xml": "no library here reads Quantum ESPRESSO's XML; keep the text output of the run",
}


def _at_address(path: Path, origin: Origin) -> Iterator[Any]:  # noqa: ARG001 (an address is no path)
    return read_address(origin.source)


ADDRESS: Final = Reader(name="address", read=_at_address)
TABLES: Final[dict[str, tuple[Reader, ...]]] = {
    "extxyz": (Reader(name="ase extxyz", read=read_extxyz),),
    "ase-db": (Reader(name="ase db", read=read_ase_db),),
    "aselmdb": (Reader(name="ase-db-backends aselmdb", read=read_ase_db),),
    "cif": (Reader(name="pymatgen CIF", read=read_cif),),
    "csv": (Reader(name="CSV", read=read_csv),),
    "jsonl": (Reader(name="JSON lines", read=read_jsonl),),
    "matminer-json": (Reader(name="matminer JSON", read=read_matminer_json),),
}


def is_table(kind: str) -> bool:
    """Whether a kind of file holds records of many calculations, which say where they come from."""
    return kind in TABLES or kind == "address"


def readers_of(kind: str) -> tuple[Reader, ...]:
    """The readers of a kind of file, the best first; none where it is read by nothing here."""
    return READERS.get(kind) or TABLES.get(kind, ())
