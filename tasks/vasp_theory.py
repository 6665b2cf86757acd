"""What VASP's tags and potentials say of the level of theory: the same words, whoever has read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.theory import Theory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Tags GGA, and what LEXCH of a POTCAR stands for: VASP manual, GGA and LEXCH.
FUNCTIONALS: Final = {
    "PE": "PBE", "PS": "PBEsol", "RP": "RPBE", "RE": "revPBE", "AM": "AM05", "CA": "LDA", "91": "PW91",
    "OR": "optPBE", "BO": "optB88", "MK": "optB86b", "ML": "vdW-DF2", "BF": "BEEF-vdW",
}  # fmt: skip
META_FUNCTIONALS: Final = {"R2SCAN": "r2SCAN", "RSCAN": "rSCAN"}
FAMILIES: Final = {"PAW_PBE": "PBE", "PAW_GGA": "PW91", "PAW": "LDA", "PAW_LDA": "LDA"}
DISPERSIONS: Final = {
    1: "D2", 10: "D2", 11: "D3", 12: "D3(BJ)", 13: "D4", 2: "TS", 20: "TS", 21: "TS-H", 202: "MBD", 4: "dDsC",
}  # fmt: skip
SMEARINGS: Final = {
    -5: "tetrahedron (Blöchl)", -4: "tetrahedron", -3: "given widths", -2: "fixed", -1: "fermi-dirac",
    0: "gaussian",
}  # fmt: skip
_UNSET: Final = {"", "--", "NONE", "F", "FALSE"}
_POLARISED: Final = 2  # ISPIN


def vasp_theory(
    tags: Mapping[str, Any],
    *,
    version: str | None,
    titles: Iterable[str],
    hubbard_u: Mapping[str, float],
    hybrid: str | None = None,
) -> Theory:
    """The level of theory of a VASP calculation.

    Args:
        tags: as VASP printed or was given them: GGA, METAGGA, LHFCALC, LEXCH, IVDW, LUSE_VDW, ENCUT, ISMEAR,
            SIGMA, ISPIN, KSPACING; those that are not known are absent or None.
        version: of VASP.
        titles: of the potentials (``PAW_PBE Fe_pv 02Aug2007``).
        hubbard_u: element → U - J, eV.
        hybrid: name of a hybrid functional, for LHFCALC.
    """
    setups = {title.split()[1].partition("_")[0].partition(".")[0]: title for title in titles if " " in title}
    ismear, ivdw, ispin = tags.get("ISMEAR"), tags.get("IVDW"), tags.get("ISPIN")
    spacing = tags.get("KSPACING")
    return Theory(
        code="vasp",
        version=".".join(str(version).split(".")[:3]) if version else None,
        functional=_functional(tags, setups.values(), hybrid),
        dispersion=_dispersion(None if ivdw is None else int(ivdw), tags),
        hubbard_u={element: float(value) for element, value in hubbard_u.items() if value},
        setups=setups,
        cutoff=_number(tags.get("ENCUT")),
        kpoint_density=1 / float(spacing) if spacing else None,
        smearing=None if ismear is None else SMEARINGS.get(int(ismear), f"methfessel-paxton {int(ismear)}"),
        smearing_width=_number(tags.get("SIGMA")),
        spin=None if ispin is None else int(ispin) == _POLARISED,
    )


def _functional(tags: Mapping[str, Any], titles: Iterable[str], hybrid: str | None) -> str | None:
    """By METAGGA, LHFCALC, GGA, LEXCH or the family of the potentials, whichever says it first."""
    meta, gga = (str(tags.get(name) or "").upper() for name in ("METAGGA", "GGA"))
    if meta not in _UNSET:
        return META_FUNCTIONALS.get(meta, meta)
    if tags.get("LHFCALC"):
        return hybrid  # without a name not known, rather than wrong
    if gga not in _UNSET:
        return FUNCTIONALS.get(gga[:2], gga)
    if (lexch := str(tags.get("LEXCH") or "")) in FUNCTIONALS:
        return FUNCTIONALS[lexch]
    families = {title.split()[0] for title in titles}
    return FAMILIES.get(families.pop()) if len(families) == 1 else None


def _dispersion(ivdw: int | None, tags: Mapping[str, Any]) -> str | None:
    if tags.get("LUSE_VDW"):
        return "rVV10" if "SCAN" in str(tags.get("METAGGA") or "").upper() else "vdW-DF"
    return DISPERSIONS.get(ivdw, f"IVDW {ivdw}") if ivdw else None


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
