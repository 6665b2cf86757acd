"""Structures with energies, forces and stresses to judge a potential on: of a dataset, or of a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.theory import Theory

KINDS: Final = ("config_type", "group")
"""Fields of extended XYZ, or properties of records, that say of which type a configuration is."""


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """One structure with what is known of it.

    Attributes:
        name: for tables.
        atoms: the structure.
        energy: eV, the whole cell; None where there is none, and so below.
        forces_A3: eV/Å.
        stress_33: eV/Å³, positive under tension.
        kind: of configuration; empty where nothing says it.
    """

    name: str
    atoms: Any
    energy: float | None = None
    forces_A3: NDArray[np.float64] | None = None
    stress_33: NDArray[np.float64] | None = None
    kind: str = ""


def read_labelled(
    source: Path | str,
    *,
    version: str | None = None,
    split: Mapping[str, Any] | None = None,
    part: str = "test",
    by: str = "",
    ignoring: Sequence[str] = (),
) -> tuple[list[Labelled], Theory | None]:
    """Read structures that have labels.

    Args:
        source: directory of a dataset, or a file that ASE reads with energies: extended XYZ, OUTCAR ….
        version: of the dataset.
        split: a split file or rows, see :func:`.split_of`, of which ``part`` is taken; all where it is None.
        part: of the split.
        ignoring: fields of the level of theory that may differ among the records.
        by: the field or property that says of which type a configuration is; one of :data:`KINDS` by default.

    Returns:
        The structures, and the one level of theory of their labels; None where nobody says it.

    Raises:
        InputError: there is no such file or dataset, no structure has a label, or levels of theory are mixed.
    """
    place = Path(source)
    found: list[Labelled]
    theory: Theory | None = None
    if place.is_dir():
        found, theory = _of_dataset(place, version, split, part, by, ignoring)
    elif split is not None:
        raise InputError(
            "a split is of a dataset", where=str(place), remedy="give the directory of a dataset"
        )
    else:
        found = list(_of_file(place, by))
    if not any(one.energy is not None or one.forces_A3 is not None for one in found):
        raise InputError(
            "no structure has an energy or forces", where=str(place), remedy="give what has been computed"
        )
    return found, theory


def _of_dataset(  # noqa: PLR0917  what says which records
    place: Path,
    version: str | None,
    split: Mapping[str, Any] | None,
    part: str,
    by: str,
    ignoring: Sequence[str],
) -> tuple[list[Labelled], Theory]:
    from zonemelt.tasks.datasets import open_dataset
    from zonemelt.tasks.potentials.fitting.collection import ENERGY, theory_of
    from zonemelt.tasks.train.collection import split_of
    from zonemelt.tasks.train.property_values import read_properties

    dataset = open_dataset(place, version)
    if not len(dataset):
        raise InputError("it has no records", where=str(place), remedy="ingest some")
    values = read_properties(dataset, [ENERGY], ignoring=ignoring)
    rows = np.arange(len(dataset))
    if split is not None:
        parts = split_of(split, values)
        if part not in parts:
            raise InputError(f"there is no part '{part}'", where="split", remedy=f"one of {', '.join(parts)}")
        rows = np.sort(parts[part])
    theory = theory_of(dataset, np.isin(np.arange(len(dataset)), rows))
    found = []
    for record in dataset.take(rows.tolist()):
        kind = next((record.properties[name].value for name in _names(by) if name in record.properties), "")
        found.append(
            Labelled(
                name=record.identifier,
                atoms=record.geometry.atoms(),
                energy=record.energy_free,
                forces_A3=None if record.forces is None else np.array(record.forces),
                stress_33=None if record.stress is None else np.array(record.stress),
                kind=str(kind),
            )
        )
    return found, theory


def _of_file(place: Path, by: str) -> Iterator[Labelled]:
    from zonemelt.tasks.structure_files import read_frames

    remedy = "give extended XYZ, or another text format that ASE reads, with energies and forces"
    for number, atoms in enumerate(read_frames(place, remedy=remedy)):
        results = {} if atoms.calc is None else atoms.calc.results
        yield Labelled(
            name=f"{place.name}#{number}",
            atoms=atoms,
            energy=results.get("free_energy", results.get("energy")),
            forces_A3=results.get("forces"),
            stress_33=atoms.get_stress(voigt=False) if "stress" in results else None,
            kind=str(next((atoms.info[name] for name in _names(by) if name in atoms.info), "")),
        )


def _names(by: str) -> tuple[str, ...]:
    return (by,) if by else KINDS
