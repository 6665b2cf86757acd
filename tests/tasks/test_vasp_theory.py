"""VASP's level of theory has one key, whoever read it: vasprun.xml, OUTCAR or emmet's document."""

from __future__ import annotations

import pytest

from zonemelt.tasks.vasp_theory import vasp_theory

PBE = ("PAW_PBE Fe_pv 02Aug2007", "PAW_PBE O 08Apr2002")


def theory(titles=PBE, hybrid=None, **tags):
    return vasp_theory(
        tags, version="6.4.2.extra", titles=titles, hubbard_u={"Fe": 5.3, "O": 0.0}, hybrid=hybrid
    )


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, "PBE"),
        ({"GGA": "--"}, "PBE"),
        ({"GGA": "Ps"}, "PBEsol"),
        ({"LEXCH": "CA"}, "LDA"),
        ({"METAGGA": "R2scan", "GGA": "PE"}, "r2SCAN"),
        ({"METAGGA": "--", "GGA": "PE"}, "PBE"),
        ({"LHFCALC": True, "GGA": "PE"}, None),
        ({"LHFCALC": True, "GGA": "PE", "hybrid": "HSE06"}, "HSE06"),
        ({"titles": ("PAW Fe 03Mar1998",)}, "LDA"),
        ({"titles": ("PAW Fe 03Mar1998", "PAW_PBE O 08Apr2002")}, None),
    ],
)
def test_functional(tags, expected):
    assert theory(**tags).functional == expected


def test_the_rest():
    found = theory(ISMEAR=-5, SIGMA=0.05, ISPIN=2, ENCUT=520, KSPACING=0.25, IVDW=12)
    assert (found.version, found.setups) == ("6.4.2", dict(zip(("Fe", "O"), PBE, strict=True)))
    assert found.hubbard_u == {"Fe": 5.3}
    assert (found.cutoff, found.kpoint_density, found.dispersion) == (520.0, 4.0, "D3(BJ)")
    assert (found.smearing, found.smearing_width, found.spin) == ("tetrahedron (Blöchl)", 0.05, True)
    assert theory(LUSE_VDW=True).dispersion == "vdW-DF"
    assert theory(LUSE_VDW=True, METAGGA="R2SCAN").dispersion == "rVV10"
    assert theory(IVDW=99).dispersion == "IVDW 99"
    assert theory(ISMEAR=2).smearing == "methfessel-paxton 2"
    assert theory().spin is None
