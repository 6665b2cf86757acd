"""The level of theory that an output names in words: code, version, functional, cutoff, smearing, spin.

Only what a file says is taken: a field that no line tells is None. A file's directory is not looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ase.units import Hartree, Rydberg

from zonemelt.tasks.convert.documents.abinit_aims import CUTOFF_DIGITS, SMEARINGS
from zonemelt.tasks.ingest.files import SETTINGS, mapped
from zonemelt.tasks.theory import Theory

if TYPE_CHECKING:
    from pathlib import Path

    from zonemelt.tasks.ingest.files import Mapped


@dataclass(frozen=True, kw_only=True)
class Header:
    """Where one code says what; each pattern has one group.

    Attributes:
        code: as :class:`~zonemelt.tasks.theory.Theory` names it.
        cutoff_unit: eV for one of the unit that ``cutoff`` is told in.
        width_unit: eV for one of the unit that ``width`` is told in.
        spin: a line that only spin-polarised runs have.
        no_spin: a line that only others have.
        setups: finds an element and its potential, two groups.
        aliases: what the code calls a functional → its name.
        smearings: what the code calls a smearing → its name.
    """

    code: str
    version: bytes
    functional: bytes | None = None
    dispersion: bytes | None = None
    cutoff: bytes | None = None
    cutoff_unit: float = 1.0
    smearing: bytes | None = None
    width: bytes | None = None
    width_unit: float = 1.0
    spin: bytes | None = None
    no_spin: bytes | None = None
    setups: bytes | None = None
    aliases: dict[str, str] = field(default_factory=dict)
    smearings: dict[str, str] = field(default_factory=dict)


_NUMBER = rb"([0-9]+(?:\.[0-9]*)?(?:[EeDd][+-]?[0-9]+)?)"
HEADERS: Final = {
    "qe-out": Header(
        code="quantum-espresso",
        version=rb"Program PWSCF v\.?([^\s]+)",
        functional=rb"Exchange-correlation *= *([^(\n]+?) *(?:\(|\n)",
        dispersion=rb"(DFT-D3|DFT-D |Grimme-D2|Tkatchenko-Scheffler|XDM)",
        cutoff=rb"kinetic-energy cutoff *= *" + _NUMBER + rb" *Ry",
        cutoff_unit=Rydberg,
        smearing=rb"number of k points= *\d+ +(.+?) smearing",
        width=rb"width \(Ry\)= *" + _NUMBER,
        width_unit=Rydberg,
        spin=rb"magnetic structure|Starting magnetic structure|SPIN UP",
        no_spin=rb"End of self-consistent|End of band structure",
        setups=rb"PseudoPot\. # *\d+ for +([A-Z][a-z]?)\d* +read from file:? *\n? *(\S+)",
        aliases={
            "SLA PW PBE PBE": "PBE", "SLA PW PBX PBC": "PBE", "SLA PW PSX PSC": "PBEsol",
            "SLA PZ NOGX NOGC": "LDA", "SLA PW NOGX NOGC": "LDA",
        },
    ),
    "cp2k-out": Header(
        code="cp2k",
        version=rb"CP2K version +(\S+)",
        functional=rb"FUNCTIONAL\| +(?!ROUTINE)([A-Za-z0-9_]+):",
        dispersion=rb"vdW POTENTIAL\|\s+(?:DFT-)?(D[234](?:\(BJ\))?)",
        cutoff=rb"QS\| Density cutoff \[a\.u\.\]: +" + _NUMBER,
        cutoff_unit=Hartree,
        smearing=rb"Smear method +(\S+)",
        spin=rb"calculation +(?:UKS|LSD|ROKS)",
        no_spin=rb"calculation +RKS",
        setups=rb"Atomic kind: ([A-Z][a-z]?)\d* [^\n]*\n(?:[^\n]*\n){1,3}? *Orbital Basis Set +(\S+)",
    ),
    "abinit-out": Header(
        code="abinit",
        version=rb"\.Version +(\S+) +of ABINIT",
        functional=rb"(?m)^ *ixc +(\S+)",
        cutoff=rb"(?m)^ *ecut +" + _NUMBER,
        cutoff_unit=Hartree,
        smearing=rb"(?m)^ *occopt +([3-8])\b",  # below 3 there is none
        width=rb"(?m)^ *tsmear +" + _NUMBER,
        width_unit=Hartree,
        spin=rb"(?m)^ *nsppol +2",
        aliases={"11": "PBE", "1": "LDA", "7": "LDA", "2": "LDA", "-116133": "PBEsol", "-101130": "PBE"},
        smearings={str(number): name for number, name in SMEARINGS.items()},
    ),
    "aims-out": Header(
        code="fhi-aims",
        version=rb"(?:FHI-aims v|Version )(\S+)",
        functional=rb"(?m)^ *xc +(\S+)",
        dispersion=rb"(?m)^ *(vdw_correction_hirshfeld|many_body_dispersion)",
        smearing=rb"(?m)^ *occupation_type +(\S+)",
        width=rb"(?m)^ *occupation_type +\S+ +" + _NUMBER,
        spin=rb"(?m)^ *spin +collinear",
        no_spin=rb"(?m)^ *spin +none|No spin polarisation",
        aliases={"pbe": "PBE", "pw-lda": "LDA", "pbesol": "PBEsol", "hse06": "HSE06", "pbe0": "PBE0"},
    ),
    "castep-out": Header(
        code="castep",
        version=rb"CASTEP version +(\S+)",
        functional=rb"using functional +: +(.+?) *\n",
        dispersion=rb"SEDC\) Scheme +: +(.+?) *\n",
        cutoff=rb"plane wave basis set cut-off +: +" + _NUMBER + rb" +eV",
        smearing=rb"smearing scheme +: +(.+?) *\n",
        width=rb"smearing width +: +" + _NUMBER + rb" +eV",
        spin=rb"treating system as spin-polarized",
        no_spin=rb"treating system as non-spin-polarized",
        aliases={
            "Perdew Burke Ernzerhof": "PBE", "Local Density Approximation": "LDA",
            "PBE for solids (2008)": "PBEsol", "Perdew Wang (1991)": "PW91",
        },
    ),
    "gpaw-out": Header(
        code="gpaw",
        version=rb"\|__\|[^\n]*?([0-9]+\.[0-9]+\.[0-9]+\S*)",
        functional=rb"(?:XC\(name='|XC functional: |XC: |xc: \{?'?(?:name'?: ')?)([A-Za-z0-9_+-]+)",
        cutoff=rb"(?:PW\(ecut=|[Cc]utoff energy: )" + _NUMBER,
        smearing=rb"Occupations\(name='([a-z-]+)'",
        width=rb"(?:width: |width=)" + _NUMBER,
        spin=rb"Spin-polarized calculation|Spin-components: [24]",
        no_spin=rb"Spin-paired calculation|Spin-components: 1 ",
    ),
    "siesta-out": Header(
        code="siesta",
        version=rb"[Ss]iesta [Vv]ersion *: +(?:siesta-|v)?(\S+)",
        functional=rb"(?m)^ *XC\.authors +(\S+)",
        cutoff=rb"(?m)Mesh Cutoff +=? *" + _NUMBER + rb" +Ry",
        cutoff_unit=Rydberg,
        spin=rb"SpinPolarized \(Up/Down\) run += +T",
        no_spin=rb"SpinPolarized \(Up/Down\) run += +F",
        aliases={"CA": "LDA", "PZ": "LDA", "PBEsol": "PBEsol"},
    ),
    "abacus-log": Header(
        code="abacus",
        version=rb"(?:ABACUS v|Version: Parallel, v?)(.+?) *\n",
        functional=rb"(?:exchange-correlation functional|XC functional|functional) *= *(\S+)",
        cutoff=rb"energy cutoff for wavefunc \(unit:Ry\) = " + _NUMBER,
        cutoff_unit=Rydberg,
        spin=rb"nspin = 2",
        no_spin=rb"nspin = 1",
    ),
    "gaussian-out": Header(
        code="gaussian",
        version=rb"Gaussian +(\d+)[:,]",
        functional=rb"SCF Done: +E\([RU]O?([^)]+)\)",
        spin=rb"SCF Done: +E\(U",
        no_spin=rb"SCF Done: +E\(R",
    ),
    "pwmat-movement": Header(code="pwmat", version=rb"PWmat +version +(\S+)"),
}  # fmt: skip


def theory_of(path: Path, kind: str) -> Theory:
    """The level of theory that a plain file names.

    Raises:
        KeyError: there is no such kind here.
    """
    header = HEADERS[kind]
    with mapped(path, SETTINGS) as text:
        return _theory(text, header)


def _theory(text: Mapped, header: Header) -> Theory:
    def words(pattern: bytes | None) -> str | None:
        found = re.search(pattern, text) if pattern else None
        return " ".join(found[1].decode(errors="replace").split()) if found else None

    def number(pattern: bytes | None, unit: float, digits: int = 6) -> float | None:
        said = words(pattern)
        return None if said is None else round(float(said.upper().replace("D", "E")) * unit, digits)

    spin = None
    if header.spin and re.search(header.spin, text):
        spin = True
    elif header.no_spin and re.search(header.no_spin, text):
        spin = False
    functional, smearing = words(header.functional), words(header.smearing)
    setups = re.findall(header.setups, text) if header.setups else []
    return Theory(
        code=header.code,
        version=words(header.version),
        functional=header.aliases.get(functional, functional) if functional else None,
        dispersion=words(header.dispersion),
        setups={
            element.decode(): name.decode(errors="replace").rpartition("/")[2] for element, name in setups
        },
        cutoff=number(header.cutoff, header.cutoff_unit, CUTOFF_DIGITS),
        smearing=header.smearings.get(smearing, smearing) if smearing else None,
        smearing_width=number(header.width, header.width_unit),
        spin=spin,
    )
