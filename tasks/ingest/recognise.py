"""What kind of file something is, by its content first and by its name second.

A file is one of the kinds that :mod:`zonemelt.tasks.ingest.readers` reads, an archive, or not a
calculation, with the reason in words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.files import bare_name, head_of

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Recognised:
    """What a file is.

    Attributes:
        kind: of calculation or table, ``archive``, or None.
        reason: why it is no calculation; empty where it is one.
        broken: it ought to be a calculation by its name, but its content is not.
    """

    kind: str | None = None
    reason: str = ""
    broken: bool = False


# Bytes that a file begins with, whatever its name.
MAGIC: Final = (
    (b"PK\x03\x04", "archive", ""),
    (b"PK\x05\x06", "archive", ""),
    (b"- of Ulm", "ulm", ""),
    (b"\x89HDF\r\n\x1a\n", "hdf5", ""),
    (b"SQLite format 3\x00", "ase-db", ""),
    (b"CDF", None, "a NetCDF file, which no library here reads"),
    (b"\x89PNG", None, "an image"),
    (b"\xff\xd8\xff", None, "an image"),
    (b"GIF8", None, "an image"),
    (b"%PDF", None, "a PDF document"),
    (b"\x80\x02", None, "a pickle: nothing is unpickled here"),
    (b"\x80\x03", None, "a pickle: nothing is unpickled here"),
    (b"\x80\x04", None, "a pickle: nothing is unpickled here"),
    (b"\x80\x05", None, "a pickle: nothing is unpickled here"),
    (b"\x7fELF", None, "a program"),
    (b"PAR1", None, "a Parquet file: open it as a data set"),
)
# Words of a text's beginning; the first that is found counts.
WORDS: Final = tuple(
    (re.compile(pattern), kind, reason)
    for pattern, kind, reason in (
        (rb"<modeling>", "vasp-xml", ""),
        (rb"^\s*vasp\.\d[^\n]*\n(?:[^\n]*\n){0,3}?\s*executed on", "vasp-outcar", ""),
        (rb"<qes:espresso|<espresso |<\?iotk|<Root>", "qe-xml", ""),
        (rb"Program NEB ", None, "the log of a NEB run of pw.x: its images have logs of their own"),
        (rb"Program (?:PHONON|PWCOND|TDDFPT|CP|BANDS|DOS|PROJWFC|PP)[ 0-9]",
         None, "the log of a program of Quantum ESPRESSO other than pw.x"),
        (rb"Program PWSCF|(?m:^ *bravais-lattice index)|^\s*coordinates at iteration", "qe-out", ""),
        (rb"CP2K\| version|PROGRAM STARTED AT|DBCSR\| ", "cp2k-out", ""),
        (rb"\.Version +\S+ +of ABINIT", "abinit-out", ""),
        (rb"Invoking FHI-aims", "aims-out", ""),
        (rb"CASTEP version|CCC   AA    SSS  TTTTT  EEEEE  PPPP", "castep-out", ""),
        (rb"\|__ \|  _\|___\|_____\||\|__\|\|  \| \|\|/", "gpaw-out", ""),
        (rb"[Ss]iesta [Vv]ersion *:", "siesta-out", ""),
        (rb"WELCOME TO ABACUS|ABACUS v\d", "abacus-log", ""),
        (rb"Entering Gaussian System", "gaussian-out", ""),
        (rb"^ *\d+ +atoms, *Iteration", "pwmat-movement", ""),
        (rb"^ *\d+[^\n]*\r?\n[^\n]*(?i:lattice=|properties=)", "extxyz", ""),
        (rb"POSCAR found|running on +\d+ total cores|^ *vasp\.\d|entering main loop",
         None, "what VASP writes to its standard output: no structures"),
        (rb"^srun: |slurmstepd|^mpirun|Traceback \(most recent call last\)", None, "a log of standard error"),
        (rb"(?i)^\s*&(?:control|system|inputph|global|force_eval|cp_eval)", None, "an input file"),
        (rb"^INPUT_PARAMETERS", None, "an input file"),
    )
)  # fmt: skip
# Names that tell of what lies beside calculations.
NAMES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), reason)
    for pattern, reason in (
        (
            r"^(INCAR|KPOINTS|POTCAR|POSCAR|CONTCAR|STRU|KPT|INPUT)(\b|[._].*|bak.*)$",
            "an input or a structure",
        ),
        (
            r"^(CHG|CHGCAR|WAVECAR|WAVEDER|AECCAR\d|ELFCAR|LOCPOT|PROCAR|DOSCAR|XDATCAR|OSZICAR)([._].*)?$",
            "an output of VASP without a whole label",
        ),
        (
            r"^(EIGENVAL|PCDAT|REPORT|IBZKPT)([._].*)?$",
            "an output of VASP without a whole label",
        ),
        (r"std_?err|stderr|\.err$", "a log of standard error"),
        (r"(^|\W)vasp6?\.[a-z_]+$|^vasp\.out", "what VASP writes to its standard output: no structures"),
        (r"\.(in|inp|cell|param|fdf|gjf|com|config|restart|nml)$|^aiida\.in", "an input or restart file"),
        (r"\.xyz$", "coordinates without a cell and without labels"),
        (r"\.(py|sh|slurm|pbs|job|ipynb)$", "a script"),
        (r"\.(md|rst|txt|pdf|html)$|^README", "a text"),
    )
)
# Names by which a person means a kind.
MEANT: Final = (
    (re.compile(r"vasprun.*\.xml", re.IGNORECASE), "vasp-xml"),
    (re.compile(r"OUTCAR"), "vasp-outcar"),
    (re.compile(r"vaspout.*\.h5$", re.IGNORECASE), "vasp-h5"),
    (re.compile(r"\.castep$"), "castep-out"),
    (re.compile(r"^running_[\w-]+\.log"), "abacus-log"),
    (re.compile(r"\.extxyz$", re.IGNORECASE), "extxyz"),
    (re.compile(r"\.gpw$"), "gpw"),
)
# Tables are known by their names: their text may hold anything.
TABLES: Final = {
    ".cif": "cif", ".mcif": "cif", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json",
    ".db": "ase-db", ".aselmdb": "aselmdb", ".extxyz": "extxyz",
}  # fmt: skip
ARCHIVES: Final = (".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".zip")
_TAR_MAGIC: Final = slice(257, 262)


def recognise(path: Path) -> Recognised:
    """What a file is; compressed ones are looked into.

    Raises:
        OSError: it cannot be opened.
    """
    if not path.stat().st_size:
        return Recognised(reason="it is empty", broken=meant_by(path.name) is not None)
    name = bare_name(path.name)
    if path.name.lower().endswith(ARCHIVES):
        return Recognised(kind="archive")
    try:
        head = head_of(path)
    except InputError as error:
        return Recognised(reason=error.what, broken=True)
    if not head:
        return Recognised(reason="it is empty", broken=meant_by(name) is not None)
    return recognised_head(head, name)


def recognised_head(head: bytes, name: str) -> Recognised:
    """What a file is that begins so and is called so, without the endings of compressed files."""
    if head[_TAR_MAGIC] == b"ustar":
        return Recognised(kind="archive")
    for magic, kind, reason in MAGIC:
        if head.startswith(magic):
            return _binary(kind, reason, name)
    suffix = f".{name.rpartition('.')[2].lower()}" if "." in name else ""
    if suffix == ".aselmdb":
        return Recognised(kind="aselmdb")
    if b"\x00" in head:
        return Recognised(
            reason="it holds binary data of no form known here", broken=meant_by(name) is not None
        )
    return _text(head, name, suffix)


def _text(head: bytes, name: str, suffix: str) -> Recognised:
    for pattern, kind, reason in WORDS:
        if pattern.search(head):
            return Recognised(kind=kind, reason=reason)
    meant = meant_by(name)
    if suffix in TABLES:
        return _table(TABLES[suffix], head)
    if meant is not None:
        return Recognised(reason=f"by its name it ought to be {meant}, but it does not begin so", broken=True)
    for words, reason in NAMES:
        if words.search(name):
            return Recognised(reason=reason)
    return Recognised(reason="a text that begins like no output known here")


def meant_by(name: str) -> str | None:
    """The kind that a person means by a name."""
    return next((kind for pattern, kind in MEANT if pattern.search(bare_name(name))), None)


def _binary(kind: str | None, reason: str, name: str) -> Recognised:
    if kind == "hdf5":
        return (
            Recognised(kind="vasp-h5")
            if "vaspout" in name.lower()
            else Recognised(reason="an HDF5 file that is no vaspout.h5 by its name")
        )
    if kind == "ulm":
        return (
            Recognised(kind="gpw")
            if name.endswith(".gpw")
            else Recognised(reason="a trajectory or another binary file of ASE; write it as extxyz")
        )
    return Recognised(kind=kind, reason=reason, broken=kind is None and meant_by(name) is not None)


def _table(kind: str, head: bytes) -> Recognised:
    """A table whose beginning does not contradict its name."""
    begins = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if kind in {"json", "jsonl"} and begins not in {b"{", b"["}:
        return Recognised(reason="by its name it ought to be JSON, but it does not begin so", broken=True)
    if kind == "extxyz":
        return Recognised(reason="coordinates without a cell and without labels")
    if kind == "cif" and not re.search(rb"(?im)^\s*(data_|_cell_|loop_)", head):
        return Recognised(reason="by its name it ought to be CIF, but it does not begin so", broken=True)
    if kind == "ase-db":
        return Recognised(
            reason="by its name it ought to be a data base, but it does not begin so", broken=True
        )
    if kind == "json":
        return (
            Recognised(kind="matminer-json")
            if re.search(rb'"(?:columns|index)"\s*:', head)
            else Recognised(reason="JSON of no form known here; documents one a line are read as .jsonl")
        )
    return Recognised(kind=kind)
