"""What an OUTCAR says of its level of theory, and whether a second parser reads the same energy in it."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.ingest.files import SETTINGS, mapped
from zonemelt.tasks.vasp_theory import vasp_theory

if TYPE_CHECKING:
    from zonemelt.tasks.ingest.files import Mapped
    from zonemelt.tasks.records import Record
    from zonemelt.tasks.theory import Theory

SAME: Final = 1e-4  # eV/atom; OUTCAR tells energies to 1e-8 eV
BEGIN: Final = 1 << 20  # bytes of a large file that the second parser is shown …
END: Final = 4 << 20  # … and from its end


def theory(path: Path) -> Theory:
    """The level of theory that an OUTCAR tells."""
    with mapped(path, SETTINGS) as text:
        return _theory(text)


def _theory(text: Mapped) -> Theory:
    def word(pattern: bytes) -> str | None:
        found = re.search(pattern, text)
        return found[1].decode(errors="replace").strip() if found else None

    def number(pattern: bytes) -> float | None:
        said = word(pattern + rb" *= *(-?[0-9.]+)")
        return None if said is None else float(said)

    def numbers(name: bytes) -> list[float]:
        return [float(value) for value in (word(name + rb" = +(.+)") or "").split()]

    titles = [found.decode(errors="replace").split() for found in re.findall(rb"TIT..  = +(\S.*)", text)]
    elements = [title[:2][-1].partition("_")[0] for title in titles]  # one a potential: some come twice
    u_values, j_values = numbers(rb"LDAUU"), numbers(rb"LDAUJ") or [0.0] * len(titles)
    names = ("IVDW", "ISMEAR", "SIGMA", "ISPIN", "KSPACING")
    tags: dict[str, Any] = {name: number(rb"\b" + name.encode()) for name in names}
    tags |= {
        "GGA": word(rb"GGA +=  +(\S+) +GGA type"),
        "METAGGA": word(rb"METAGGA *= *(\S+)"),
        "LEXCH": word(rb"LEXCH  = +(\S+)"),
        "LHFCALC": word(rb"LHFCALC = +([TF])") == "T",
        "LUSE_VDW": word(rb"LUSE_VDW = +([TF])") == "T",
        "ENCUT": number(rb"ENCUT "),
    }
    return vasp_theory(
        tags,
        version=word(rb"^ ?vasp\.([0-9]+\.[0-9]+(?:\.[0-9]+)?)"),
        titles=[" ".join(title) for title in titles],
        hubbard_u={e: u - j for e, u, j in zip(elements, u_values, j_values, strict=False)},
    )


def _ends(path: Path, folder: Path) -> Path:
    """An OUTCAR, or of a large one its two ends: pymatgen reads all of a file into memory."""
    size = path.stat().st_size
    if size <= BEGIN + END:
        return path
    target = folder / "OUTCAR"
    with path.open("rb") as file, target.open("wb") as out:
        out.write(file.read(BEGIN))
        file.seek(size - END)
        out.write(b"\n" + file.read())
    return target


def second_opinion(path: Path, last: Record) -> str:
    """Why the energy of the last frame is not to be believed; empty where two parsers agree.

    Args:
        path: the OUTCAR, plain.
        last: the record that the first parser made of its last frame.
    """
    from pymatgen.io.vasp.outputs import Outcar

    try:
        with tempfile.TemporaryDirectory(prefix="zonemelt-") as folder:
            other = Outcar(str(_ends(path, Path(folder))))
        energies = [other.final_fr_energy, other.final_energy, other.final_energy_wo_entrp]
    except Exception as error:  # noqa: BLE001 (whatever a parser raises is its answer)
        return f"pymatgen's Outcar cannot check it: {type(error).__name__}: {error}"
    extrapolated = last.energy_sigma0 is not None
    ours = last.energy_sigma0 if extrapolated else last.energy_free
    theirs = energies[1] if extrapolated else energies[0]
    if ours is None or theirs is None:
        return "two parsers cannot be compared: one of them finds no energy"
    parser = getattr(last.provenance, "parser", "the first")
    if abs(ours - float(theirs)) > SAME * len(last.geometry.symbols):
        return (
            f"two parsers disagree about the last energy: {ours:.6f} eV by {parser}"
            f" and {float(theirs):.6f} eV by pymatgen's Outcar"
        )
    return ""
