"""What is stored of one labelled structure: its geometry, its numbers and where they come from.

Absent quantities are None, never zero. Two records may be used together only when their levels of
theory are the same (:func:`one_theory`).
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]


class Document(BaseModel):
    """The base of what is stored: frozen, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Geometry(Document):
    """A crystal: lattice vectors as rows, one symbol and one Cartesian position for each atom."""

    cell: Matrix = Field(description="lattice vectors as rows, Å")
    symbols: tuple[str, ...] = Field(min_length=1)
    positions: tuple[Vector, ...] = Field(description="Cartesian, Å")
    supercell: tuple[tuple[int, int, int], ...] | None = Field(
        default=None, description="rows of the cell in the lattice vectors of its parent, if it has one"
    )

    @model_validator(mode="after")
    def _same_length(self) -> Self:
        if len(self.symbols) != len(self.positions):
            raise ValueError(f"{len(self.symbols)} symbols but {len(self.positions)} positions")
        return self

    @classmethod
    def of(cls, atoms: Any, *, supercell: Any = None) -> Geometry:
        """Read an ``ase.Atoms``; ``supercell`` relates it to a parent lattice."""
        return cls(
            supercell=supercell,
            cell=atoms.cell.array.tolist(),
            symbols=tuple(atoms.get_chemical_symbols()),
            positions=tuple(map(tuple, atoms.positions.tolist())),
        )

    def atoms(self) -> Any:
        """The crystal as an ``ase.Atoms``, periodic in three directions."""
        from ase import Atoms

        return Atoms(self.symbols, positions=self.positions, cell=self.cell, pbc=True)

    def structure(self) -> Any:
        """The crystal as a ``pymatgen`` Structure."""
        from pymatgen.core.structure import Structure

        return Structure(self.cell, self.symbols, self.positions, coords_are_cartesian=True)


class Theory(Document):
    """The level of theory of a label: everything that must agree before two energies are compared."""

    code: str
    version: str
    functional: str
    setups: dict[str, str] = Field(default_factory=dict, description="element → fingerprint")
    cutoff: float | None = Field(default=None, description="plane-wave cutoff, eV")
    kpoint_density: float | None = Field(default=None, description="points per Å⁻¹")
    kpoint_mesh: str | None = None
    smearing: str | None = None
    smearing_width: float | None = Field(default=None, description="eV")
    spin: bool = False
    is_dft: bool = True

    @property
    def key(self) -> str:
        """A short hash of every field but the setups, which differ with the elements present."""
        fields = self.model_dump(mode="json", exclude={"setups"})
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]


class Convergence(Document):
    """What had converged when the label was taken."""

    electronic: bool
    complete: bool = Field(description="the code ended by itself and wrote all that was asked")
    iterations: int | None = None


class Provenance(Document):
    """Where a label comes from."""

    oracle: str
    input_digest: str = Field(description="SHA-256 of the geometry and the settings")
    seconds: float = Field(description="wall time of the label, s")
    cpu_seconds: float = Field(description="processor time of the label, s")
    host: str
    log: str | None = Field(default=None, description="name of the log in the job's directory")


class Quality(Document):
    """The verdict of quality control, with its reasons."""

    accepted: bool
    reasons: tuple[str, ...] = ()


class Record(Document):
    """One labelled structure.

    ``energy_free`` is consistent with the forces; ``energy_sigma0`` is extrapolated to zero smearing
    and is the one to use for formation energies.
    """

    identifier: str
    geometry: Geometry
    energy_free: float = Field(description="eV, the whole cell")
    energy_sigma0: float = Field(description="eV, the whole cell")
    forces: tuple[Vector, ...] | None = Field(description="eV/Å, one row an atom")
    stress: Matrix | None = Field(description="eV/Å³, tension positive")
    theory: Theory
    convergence: Convergence
    provenance: Provenance
    quality: Quality | None = None

    @property
    def energy_per_atom(self) -> float:
        """Extrapolated energy, eV/atom."""
        return self.energy_sigma0 / len(self.geometry.symbols)


def one_theory(records: Iterable[Record]) -> str:
    """The key of the one level of theory that all the records share.

    Raises:
        InputError: there is no record, the levels differ, or an element has two setups.
    """
    found: dict[str, Record] = {}
    setups: dict[str, str] = {}
    for record in records:
        found.setdefault(record.theory.key, record)
        for element, fingerprint in record.theory.setups.items():
            if setups.setdefault(element, fingerprint) != fingerprint:
                raise InputError(
                    f"two setups for {element}: {setups[element]} and {fingerprint}",
                    where=f"record {record.identifier}",
                    remedy="label all structures of a campaign with one set of potentials",
                )
    if len(found) != 1:
        levels = "; ".join(f"{key} ({r.identifier}: {r.theory.code})" for key, r in found.items())
        raise InputError(
            f"levels of theory are mixed: {levels}" if found else "there are no records",
            where="records",
            remedy="compare and train only on labels of one level of theory",
        )
    return next(iter(found))
