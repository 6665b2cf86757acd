"""What is stored of one labelled structure: its geometry, its numbers and where they come from.

Absent quantities are None, never zero. Two records may be used together only when their levels of
theory are the same (:func:`one_theory`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.theory import Document, OneTheory, Theory

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]


def _known(symbol: str) -> str:
    from ase.data import atomic_numbers

    if not atomic_numbers.get(symbol):  # 0 is that of X
        raise ValueError(f"'{symbol}' is no element")
    return symbol


Element = Annotated[str, AfterValidator(_known)]
"""The symbol of an element, in settings."""
FLAT = 1e-6  # of the product of the lengths of the vectors: a cell with less volume has none


class Geometry(Document):
    """A structure: lattice vectors as rows, one symbol and one Cartesian position for each atom."""

    cell: Matrix = Field(description="lattice vectors as rows, Å")
    symbols: tuple[str, ...] = Field(min_length=1)
    positions: tuple[Vector, ...] = Field(description="Cartesian, Å")
    periodic: tuple[bool, bool, bool] = Field(default=(True, True, True), description="along each vector")
    supercell: tuple[tuple[int, int, int], ...] | None = Field(
        default=None, description="rows of the cell in the lattice vectors of its parent, if it has one"
    )

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        import numpy as np
        from ase.data import atomic_numbers

        if len(self.symbols) != len(self.positions):
            raise ValueError(f"{len(self.symbols)} symbols but {len(self.positions)} positions")
        if unknown := sorted(set(self.symbols) - (set(atomic_numbers) - {"X"})):
            raise ValueError(f"{', '.join(unknown)}: no such element")
        if all(self.periodic):
            with np.errstate(over="ignore", invalid="ignore"):  # of absurd cells: infinite, and refused
                lengths = np.linalg.norm(self.cell, axis=1)
                volume = abs(np.linalg.det(self.cell))
            if not volume > FLAT * lengths.prod():
                raise ValueError("the cell has no volume")
        return self

    @classmethod
    def of(cls, atoms: Any, *, supercell: Any = None) -> Geometry:
        """Read an ``ase.Atoms``; ``supercell`` relates it to a parent lattice."""
        return cls(
            supercell=supercell,
            cell=atoms.cell.array.tolist(),
            symbols=tuple(atoms.get_chemical_symbols()),
            positions=tuple(map(tuple, atoms.positions.tolist())),
            periodic=tuple(atoms.pbc.tolist()),
        )

    def atoms(self) -> Any:
        """The structure as an ``ase.Atoms``."""
        from ase import Atoms

        return Atoms(self.symbols, positions=self.positions, cell=self.cell, pbc=self.periodic)

    def structure(self) -> Any:
        """The structure as a ``pymatgen`` Structure."""
        from pymatgen.core.lattice import Lattice
        from pymatgen.core.structure import Structure

        lattice = Lattice(self.cell, pbc=self.periodic)
        return Structure(lattice, self.symbols, self.positions, coords_are_cartesian=True)


class Property(Document):
    """A quantity that has no field of its own."""

    value: float | tuple[float, ...] | str | bool
    unit: str = Field(description="as ASE and pymatgen write it; empty for pure numbers and words")


class Correction(Document):
    """What a scheme adds to an energy to make it comparable; never part of what potentials learn."""

    scheme: str = Field(description="MaterialsProject2020Compatibility, say")
    energy: float = Field(description="eV, the whole cell")


class Convergence(Document):
    """What had converged when the label was taken; None where nothing says so."""

    electronic: bool | None = Field(description="of this frame")
    ionic: bool | None = Field(default=None, description="of the relaxation that the frame ends")
    complete: bool | None = Field(description="the code ended by itself and wrote all that was asked")
    iterations: int | None = Field(default=None, description="electronic ones, of this frame")


class Computed(Document):
    """A label that an oracle of a campaign computed."""

    kind: Literal["computed"] = "computed"
    oracle: str
    input_digest: str = Field(description="SHA-256 of the geometry and the settings")
    seconds: float = Field(description="wall time of the label, s")
    cpu_seconds: float = Field(description="processor time of the label, s")
    host: str
    log: str | None = Field(default=None, description="name of the log in the job's directory")


class Ingested(Document):
    """A label that was read from somewhere."""

    kind: Literal["ingested"] = "ingested"
    source: str = Field(description="path or address; the member of an archive after '::'")
    sha256: str | None = Field(default=None, description="of the file as it lay there")
    calculation: str = Field(description="the same for all frames of one calculation")
    parser: str = Field(description="library and version that read it")
    frame: int = Field(default=0, ge=0, description="its place among the frames of the calculation")
    frames: int = Field(default=1, ge=1, description="how many the calculation has")
    seconds: float | None = Field(default=None, description="wall time of the calculation, s")
    cpu_seconds: float | None = Field(default=None, description="processor time of the calculation, s")


class Quality(Document):
    """The verdict of quality control, with its reasons."""

    accepted: bool
    reasons: tuple[str, ...] = ()


class Record(Document):
    """One labelled structure.

    ``energy_free`` is consistent with the forces, and what potentials learn; ``energy_sigma0`` is
    extrapolated to zero smearing and is the one to use for formation energies. Neither is corrected.
    """

    identifier: str
    geometry: Geometry
    energy_free: float | None = Field(default=None, description="eV, the whole cell")
    energy_sigma0: float | None = Field(default=None, description="eV, the whole cell")
    correction: Correction | None = None
    forces: tuple[Vector, ...] | None = Field(default=None, description="eV/Å, one row an atom")
    stress: Matrix | None = Field(default=None, description="eV/Å³, tension positive")
    magmoms: tuple[float, ...] | None = Field(default=None, description="Bohr magnetons, one an atom")
    properties: dict[str, Property] = Field(default_factory=dict)
    theory: Theory
    convergence: Convergence
    provenance: Annotated[Computed | Ingested, Field(discriminator="kind")]
    quality: Quality | None = None

    @model_validator(mode="after")
    def _one_row_an_atom(self) -> Self:
        atoms = len(self.geometry.symbols)
        for name, rows in (("forces", self.forces), ("magmoms", self.magmoms)):
            if rows is not None and len(rows) != atoms:
                raise ValueError(f"{len(rows)} {name} for {atoms} atoms")
        return self

    @property
    def energy(self) -> float:
        """Extrapolated energy of the whole cell, eV, uncorrected.

        Raises:
            InputError: there is none.
        """
        if self.energy_sigma0 is None:
            raise InputError(
                "it has no energy extrapolated to zero smearing",
                where=f"record {self.identifier}",
                remedy="leave it out of what compares energies",
            )
        return self.energy_sigma0

    @property
    def energy_per_atom(self) -> float:
        """Extrapolated energy, eV/atom, uncorrected; see :attr:`energy`."""
        return self.energy / len(self.geometry.symbols)

    @property
    def energy_corrected(self) -> float:
        """Extrapolated energy with its correction, if it has one, eV; see :attr:`energy`."""
        return self.energy + (self.correction.energy if self.correction is not None else 0.0)


def one_theory(records: Iterable[Record], *, ignoring: Collection[str] = ()) -> str:
    """The key of the one level of theory that all the records share.

    Args:
        records: to be used together.
        ignoring: fields of :class:`Theory` that may differ, because somebody who knows said so.

    Raises:
        InputError: there is no record, the levels differ, or an element has two setups or two values of U.
    """
    one = OneTheory(ignoring)
    for record in records:
        one.add(record.theory, set(record.geometry.symbols), identifier=record.identifier)
    return one.key(where="records")
