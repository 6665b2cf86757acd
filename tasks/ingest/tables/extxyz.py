"""Read extended XYZ, ours and other people's, frame by frame.

The names that other people give their labels are in :data:`NAMES`; two of them in one frame that differ are
refused rather than chosen between. A frame with one energy has it as both, and a property says so: a file for
training potentials means the one that belongs to the forces, a file by ASE the extrapolated one.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.convert.atoms import full_stress, record_of_atoms
from zonemelt.tasks.convert.extxyz import record_of_frame
from zonemelt.tasks.convert.origin import BadRow, parser_of
from zonemelt.tasks.convert.structures import REST
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.tables.common import (
    NOTHING_KNOWN,
    both_energies,
    ingested,
    lines_of,
    properties_of,
    text_of,
    theory_unstated,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from zonemelt.tasks.convert.origin import Origin
    from zonemelt.tasks.records import Property, Record

NAMES: Final[dict[str, tuple[str, ...]]] = {
    "energy": ("energy", "REF_energy", "dft_energy", "DFT_energy", "ref_energy", "Energy"),
    "free_energy": ("free_energy", "REF_free_energy", "dft_free_energy", "DFT_free_energy"),
    "forces": ("forces", "REF_forces", "dft_forces", "DFT_forces", "ref_forces", "force"),
    "stress": ("stress", "REF_stress", "dft_stress", "DFT_stress", "ref_stress"),
    "virial": ("virial", "virials", "REF_virial", "REF_virials", "dft_virial", "DFT_virial"),
    "magmoms": ("magmoms", "REF_magmoms", "dft_magmoms"),
}
UNITS: Final = {
    "energy_unit": {"eV", "ev"},
    "forces_unit": {"eV/A", "eV/Å", "eV/Ang"},
    "stress_unit": {"eV/A^3", "eV/Å³", "eV/Å^3", "eV/Ang^3"},
}
IDENTIFIERS: Final = ("identifier", "id", "jid", "mp_id", "material_id", "mptrj_snapshot_id", "uid")


def read_extxyz(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """The frames of a file, streamed; a bad frame does not lose the others.

    Args:
        path: of the file; gzip, bzip2 and xz are read too.
        origin: where it came from.

    Raises:
        InputError: the file is empty or cannot be read to its end.
    """
    parser = parser_of("ase")
    for number, (line, atoms) in enumerate(frames_of(path)):
        where = f"{origin.source}, line {line} (frame {number})"
        if isinstance(atoms, str):
            yield BadRow(where=where, reason=atoms)
            continue
        try:
            if isinstance(atoms.info.get(REST), dict):
                yield record_of_frame(atoms, where=where)
                continue
            identifier, properties = _labelled(atoms, where=where)
            yield record_of_atoms(
                atoms,
                identifier=identifier or f"{origin.calculation}-{number}",
                theory=origin.theory or theory_unstated(origin),
                convergence=NOTHING_KNOWN,
                provenance=ingested(origin, parser=parser, row=number),
                properties=properties,
            )
        except InputError as error:
            yield BadRow(where=where, reason=error.what)
        except Exception as error:  # noqa: BLE001 (whatever its labels make ASE and NumPy raise)
            yield BadRow(where=where, reason=f"its labels make no sense: {type(error).__name__}: {error}")


def frames_of(path: Path) -> Iterator[tuple[int, Any]]:
    """The frames of a file one at a time, those after a blank line too, which ASE passes over.

    Yields:
        The number of a frame's first line, and the frame as ``ase.Atoms``, or in words why it is none.

    Raises:
        InputError: the file is empty or cannot be read to its end.
    """
    for line, text in _frames(path):
        if isinstance(text, ValueError):
            yield line, str(text)
            continue
        try:
            atoms = _atoms(text)
        except Exception as error:  # noqa: BLE001 (whatever ASE raises of one frame says that it is bad)
            atoms = f"ASE cannot read it: {type(error).__name__}: {error}"
        yield line, atoms


def _frames(path: Path) -> Iterator[tuple[int, str | ValueError]]:
    """The text of each frame with the number of its first line, or what is wrong with it.

    A frame goes from a line of one word to the next such line, so that a wrong number of atoms spoils no
    other frame. No row of an atom is one word; a comment may be.
    """
    body: list[bytes] = []
    first = rows = 0
    for number, line in enumerate(lines_of(path), start=1):
        if len(line.split()) == 1 and len(body) != 1:
            if body:
                yield first, _frame(body, rows)
            first, body, rows = number, [line], 0
        elif line.strip() or len(body) == 1:
            if not body:
                first = number
            rows += 0 if len(body) < 2 or line.lstrip().startswith(b"VEC") else 1  # noqa: PLR2004 (two heads)
            if len(body) < 2 or rows <= _atoms_said(body):  # noqa: PLR2004
                body.append(line)
    if body:
        yield first, _frame(body, rows)


def _atoms_said(body: list[bytes]) -> int:
    return int(body[0]) if body[0].strip().isdigit() else 0


def _frame(body: list[bytes], rows: int) -> str | ValueError:
    """The text of a frame, or what is wrong with it as a whole."""
    if not body[0].strip().isdigit():
        return ValueError(f"{body[0][:40]!r} is no number of atoms")
    if rows != int(body[0]):
        return ValueError(f"it says {int(body[0])} atoms and has {rows} rows")
    try:
        return "".join(map(text_of, body))
    except ValueError as error:
        return error


def _atoms(text: str) -> Any:
    """One frame as ASE reads it."""
    from ase.io.extxyz import read_xyz

    (atoms,) = read_xyz(io.StringIO(text), index=slice(None))
    return atoms


def _labelled(atoms: Any, *, where: str) -> tuple[str | None, dict[str, Property]]:
    """Give the atoms a calculator with what the frame calls its labels; the rest is returned.

    Returns:
        The frame's identifier, if it has one, and what else it says.
    """
    from ase.calculators.singlepoint import SinglePointCalculator

    held = dict(atoms.calc.results) if atoms.calc is not None else {}
    arrays = {name: a for name, a in atoms.arrays.items() if name not in {"numbers", "positions"}}
    loose = atoms.info | arrays | held
    _check_units(loose, where=where)
    found = {quantity: _one(loose, options, where=where) for quantity, options in NAMES.items()}
    if (virial := found.pop("virial")) is not None and found["stress"] is None:
        import numpy as np

        found["stress"] = -np.asarray(full_stress(virial, where=where)) / atoms.get_volume()
    found["energy"], found["free_energy"], notes = both_energies(found["energy"], found["free_energy"])
    if found["stress"] is not None:
        from ase.stress import full_3x3_to_voigt_6_stress

        found["stress"] = full_3x3_to_voigt_6_stress(full_stress(found["stress"], where=where))
    results = {name: value for name, value in found.items() if value is not None}
    atoms.calc = SinglePointCalculator(atoms, **results) if results else None
    identifier = next((str(loose.pop(name)) for name in IDENTIFIERS if name in loose), None)
    return identifier, notes | properties_of(loose.items())


def _one(loose: dict[str, Any], options: tuple[str, ...], *, where: str) -> Any:
    """The one value of a quantity, taken out under every name it has."""
    import numpy as np

    given = {name: loose.pop(name) for name in options if name in loose}
    if not given:
        return None
    first, *others = given
    if any(not np.array_equal(np.asarray(given[first]), np.asarray(given[other])) for other in others):
        raise InputError(
            f"{' and '.join(given)} differ", where=where, remedy="leave the one in the file that counts"
        )
    return given[first]


def _check_units(loose: Mapping[str, Any], *, where: str) -> None:
    """Refuse units that a frame states and that are not ours.

    Raises:
        InputError: there is such a unit.
    """
    for name, ours in UNITS.items():
        if name in loose and str(loose[name]) not in ours:
            raise InputError(
                f"{name} is {loose[name]}", where=where, remedy=f"convert it to {min(ours)} before"
            )
