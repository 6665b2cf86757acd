"""The protocol of a campaign's labels: all that decides what a code computes, under one name and one hash."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from zonemelt.tasks.label.digest import short_hash
from zonemelt.tasks.settings import read_settings
from zonemelt.tasks.theory import Document, Theory

Code = Literal["qe", "abinit", "gpaw"]
CODES: dict[Code, str] = {"qe": "quantum-espresso", "abinit": "abinit", "gpaw": "gpaw"}
"""Name of the oracle → name of the code, as outputs that are ingested have it."""
_NOT_THE_LEVEL = {"name", "title", "source", "numerics", "safer"}
_PER_ELEMENT = {"pseudopotentials"}  # compared element by element, as records are


class Pseudopotential(Document):
    """A file that stands for the core of one element."""

    file: str = Field(min_length=1, description="its name; below the folder of pseudopotentials")
    sha256: str | None = Field(
        default=None, pattern="^[0-9a-f]{64}$", description="of its content; None: whatever is there"
    )


class Numerics(Document):
    """How the electronic cycle is brought to its end: nothing of this changes what it converges to."""

    max_iterations: int = Field(default=100, gt=0, description="of the electronic cycle")
    tolerance: float = Field(
        default=1e-7, gt=0, description="of the energy, eV an atom (GPAW: a valence electron)"
    )
    mixing: float | None = Field(default=None, gt=0, le=1, description="share of the new density")
    options: dict[str, Any] = Field(
        default_factory=dict, description="the code's own words, e.g. diagonalization of pw.x"
    )


class Protocol(Document):
    """What is computed, and how the code is brought to compute it.

    The level of theory of every label follows from it: the hash of all fields but the name, the words about
    it and the numerics is part of the theory of its records, so records of two protocols never mix.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    title: str = ""
    source: str = Field(default="", description="where its values come from")
    code: Code
    functional: Literal["LDA", "PBE", "PBEsol", "RPBE", "revPBE"]
    dispersion: Literal["D3", "D3(BJ)"] | None = None
    cutoff: float = Field(gt=50, description="of plane waves, eV")
    density_cutoff: float | None = Field(
        default=None, gt=100, description="of the density, eV; None: what the code takes by itself"
    )
    kpoint_density: float = Field(default=3.0, ge=0.5, description="points per Å⁻¹, even meshes")
    kpoint_shift: bool = Field(
        default=False,
        description="by half a division, without Γ; in cells without right angles pw.x then takes more",
    )
    kpoint_mesh: int | None = Field(
        default=None,
        gt=0,
        description="instead of the density: divisions of the parent lattice, folded into each cell",
    )
    smearing: Literal["none", "gaussian", "fermi-dirac", "cold", "methfessel-paxton"] = "gaussian"
    smearing_width: float = Field(default=0.1, gt=0, le=2, description="eV")
    spin: bool = Field(default=False, description="collinear spin polarisation")
    magmoms: dict[str, float] = Field(
        default_factory=dict,
        description="element → initial moment with spin, Bohr magnetons; others start at 0.6",
    )
    nonmagnetic: bool = Field(
        default=False,
        description="label magnetic elements without spin on purpose, e.g. Ni in alloys above T_C",
    )
    pseudopotentials: dict[str, Pseudopotential] = Field(default_factory=dict, description="element → file")
    options: dict[str, Any] = Field(
        default_factory=dict, description="the code's own words that belong to the level of theory"
    )
    numerics: Numerics = Numerics()
    safer: tuple[dict[str, Any], ...] = Field(
        default=(),
        description="changes of the numerics, tried one after the other where it does not converge",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for number, changes in enumerate(self.safer):
            if unknown := sorted(set(changes) - set(Numerics.model_fields)):
                raise ValueError(
                    f"safer[{number}] changes {', '.join(unknown)}: a retry may change only the numerics "
                    f"({', '.join(Numerics.model_fields)}), or its label would be of another level of theory"
                )
            try:
                Numerics.model_validate(self.numerics.model_dump() | changes)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                raise ValueError(
                    f"safer[{number}].{'.'.join(map(str, first['loc']))}: {first['msg']}"
                ) from None
        if self.code == "gpaw" and (self.dispersion or self.density_cutoff):
            raise ValueError("the gpaw oracle takes neither dispersion nor density_cutoff")
        if self.code == "abinit" and self.density_cutoff:
            raise ValueError("ABINIT's norm-conserving potentials have no density_cutoff of their own")
        if self.code != "qe" and self.dispersion:
            raise ValueError("dispersion is passed on to Quantum ESPRESSO only")
        if self.magmoms and not self.spin:
            raise ValueError("magmoms are given, but spin is false")
        return self

    @property
    def digest(self) -> str:
        """A short hash of what decides the level of theory."""
        return short_hash(self.model_dump(mode="json", exclude=_NOT_THE_LEVEL | _PER_ELEMENT))

    def attempts(self) -> list[tuple[str, Numerics]]:
        """The numerics as given, then each safer variant, with a name."""
        plain = self.numerics.model_dump()
        variants = [Numerics.model_validate(plain | changes) for changes in self.safer]
        return [("as given", self.numerics), *((f"safer {n}", v) for n, v in enumerate(variants, 1))]

    def theory(self, *, version: str | None, setups: dict[str, str]) -> Theory:
        """The level of theory of a label.

        Args:
            version: of the code, as it says itself.
            setups: element → name and hash of its pseudopotential.
        """
        return Theory(
            code=CODES[self.code],
            version=version,
            functional=self.functional,
            dispersion=self.dispersion,
            setups=setups,
            cutoff=self.cutoff,
            kpoint_density=None if self.kpoint_mesh else self.kpoint_density,
            kpoint_mesh=self.mesh_in_words,
            spin=self.spin,
            smearing=None if self.smearing == "none" else self.smearing,
            smearing_width=None if self.smearing == "none" else self.smearing_width,
            protocol=self.digest,
        )

    @property
    def mesh_in_words(self) -> str:
        """The k-points in words."""
        n = self.kpoint_mesh
        mesh = "Monkhorst-Pack, even, shifted" if self.kpoint_shift else "Monkhorst-Pack, even, with Γ"
        return f"{n} {n} {n} of the parent lattice, folded" if n else mesh


def protocol_from(fields: dict[str, Any], *, where: str) -> Protocol:
    """A protocol of these fields.

    Raises:
        UnknownKeyError: a field is unknown; with the nearest that exists.
        InputError: one is missing, or cannot be used.
    """
    return read_settings(Protocol, fields, where=where, page="docs/oracles.md")
