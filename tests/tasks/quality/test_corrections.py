"""Corrections are pymatgen's; where there is none the reason is said; potentials never see them."""

from __future__ import annotations

import pytest
from ase.build import bulk
from labels_for_tests import VASP, record_of
from pymatgen.analysis.compatibility import MaterialsProject2020Compatibility
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core.composition import Composition

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.quality.corrections import (
    correct_mp2020,
    correction_as_mp,
    element_references,
    learnt_energies,
)
from zonemelt.tasks.records import Geometry

POTENTIALS = {"Fe": "PAW_PBE Fe_pv 06Sep2000", "O": "PAW_PBE O 08Apr2002"}
FEO = bulk("FeO", "rocksalt", a=4.3)


def feo(**theory):
    told = {"setups": POTENTIALS, "hubbard_u": {"Fe": 5.3}} | theory
    return record_of(FEO, "FeO", energy_sigma0=-13.0, energy_free=-13.01, theory=VASP.model_copy(update=told))


def test_feo_is_corrected_as_the_materials_project_does():
    found = correct_mp2020(feo())
    assert found.reason == ""
    assert found.record.correction.energy == pytest.approx(-2.943, abs=1e-6)
    assert sorted(found.parts.values()) == pytest.approx([-2.256, -0.687])
    assert found.record.energy_corrected == pytest.approx(-15.943)
    assert (found.record.energy, found.record.energy_free) == (-13.0, -13.01)


def test_the_correction_grows_with_the_cell():
    twice = record_of(FEO.repeat((2, 1, 1)), energy_sigma0=-26.0, theory=feo().theory)
    assert correct_mp2020(twice).record.correction.energy == pytest.approx(2 * -2.943)


def test_names_of_potentials_may_be_short():
    assert correct_mp2020(feo(functional="GGA")).reason == ""
    assert correct_mp2020(feo(setups={"Fe": "Fe_pv", "O": "O"})).reason == ""


@pytest.mark.parametrize(
    ("theory", "reason"),
    [
        ({"hubbard_u": {"Fe": 4.0}}, "Invalid U value of 4.0 on Fe"),
        ({"hubbard_u": {}}, "Invalid U value of 0.0 on Fe"),
        ({"functional": "r2SCAN"}, "computed with r2SCAN"),
        ({"functional": None}, "what nothing says"),
        ({"code": "gpaw"}, "computed with gpaw"),
        ({"dispersion": "D3(BJ)"}, "has D3(BJ)"),
        ({"setups": {"Fe": "PAW Fe_pv 03Mar1998", "O": "PAW O 22Mar2012"}}, "fitted to PAW_PBE"),
        ({"setups": {"O": "O"}}, "which potential was used for Fe"),
        ({"setups": {"Fe": "Fe_sv", "O": "O"}}, "Incompatible POTCAR"),
    ],
)
def test_why_there_is_none(theory, reason):
    before = correct_mp2020(feo()).record
    changed = before.model_copy(update={"theory": feo(**theory).theory})
    found = correct_mp2020(changed)
    assert found.record.correction is None
    assert reason in found.reason


def test_no_energy_no_correction():
    found = correct_mp2020(feo().model_copy(update={"energy_sigma0": None}))
    assert found.reason == "it has no energy extrapolated to zero smearing"


def test_sulphides_and_elements():
    zns = record_of(
        bulk("ZnS", "zincblende", a=5.4),
        energy_sigma0=-7.0,
        theory=VASP.model_copy(update={"setups": {"Zn": "Zn", "S": "S"}}),
    )
    scheme = MaterialsProject2020Compatibility()
    assert correct_mp2020(zns).record.correction.energy == pytest.approx(scheme.comp_correction["S"])
    iron = record_of(
        bulk("Fe"), energy_sigma0=-8.4, theory=VASP.model_copy(update={"setups": {"Fe": "Fe_pv"}})
    )
    assert correct_mp2020(iron).record.correction.energy == 0


def records_of_a_code(shift_al: float, shift_cu: float) -> list:
    """Al-Cu with the same formation energies, and each code's own zero for each element."""
    made = []
    for name, cell, formation in (
        ("Al", bulk("Al"), 0.0),
        ("Al strained", bulk("Al", a=4.2), 0.05),
        ("Cu", bulk("Cu"), 0.0),
        ("AlCu", bulk("CuAl", "rocksalt", a=5), -0.2),
        ("Al3Cu", bulk("Al", cubic=True), -0.15),
    ):
        if name == "Al3Cu":
            cell.symbols[0] = "Cu"
        zeros = {"Al": shift_al, "Cu": shift_cu}
        energy = sum(zeros[s] for s in cell.get_chemical_symbols()) + formation * len(cell)
        made.append(record_of(cell, name, energy_sigma0=energy, energy_free=energy - 0.01))
    return made


def test_two_codes_agree_once_each_has_lost_its_own_elements():
    left = []
    for zeros in ((-3.7, -4.1), (-537.2, -1430.9)):
        records = records_of_a_code(*zeros)
        references = element_references(records)
        assert references.energies == pytest.approx(dict(zip(("Al", "Cu"), zeros, strict=True)))
        left.append([r.energy - references.of(r.geometry.symbols) for r in records])
    assert left[0] == pytest.approx(left[1], abs=1e-9)
    entries = [
        PDEntry(Composition(r.geometry.atoms().get_chemical_formula()), energy)
        for r, energy in zip(records, left[0], strict=True)
    ]
    diagram = PhaseDiagram(entries)
    assert {entry.composition.reduced_formula for entry in diagram.stable_entries} == {
        "Al",
        "Cu",
        "AlCu",
        "Al3Cu",
    }


def test_elements_that_are_not_there_alone_are_fitted():
    records = [r for r in records_of_a_code(-3.7, -4.1) if r.identifier != "Cu"]
    references = element_references(records)
    assert references.energies["Al"] == -3.7
    assert references.energies["Cu"] == pytest.approx(-4.5, abs=0.1)  # of the compounds


def test_what_potentials_learn_has_no_correction_in_it():
    plain = feo()
    corrected = correct_mp2020(plain).record
    references = element_references([plain])
    assert learnt_energies([corrected], references) == learnt_energies([plain], references)
    assert learnt_energies([plain], references) == pytest.approx([-0.01])
    with pytest.raises(InputError, match="no force-consistent energy"):
        learnt_energies([plain.model_copy(update={"energy_free": None})], references)


def test_references_are_of_one_theory():
    other = VASP.model_copy(update={"functional": "r2SCAN"})
    mixed = [feo(), record_of(bulk("Al"), energy_sigma0=-4.0, theory=other)]
    with pytest.raises(InputError, match="levels of theory are mixed"):
        element_references(mixed)


def test_corrected_energies_take_u_and_no_u_together():
    iron = record_of(bulk("Fe"), "Fe", energy_sigma0=-8.4, theory=feo(hubbard_u={}).theory)
    with pytest.raises(InputError, match="two hubbard_u for Fe"):
        element_references([feo(), iron])
    with pytest.raises(InputError, match="2 of 2 have no correction"):
        element_references([feo(), iron], corrected=True)
    records = [correct_mp2020(record).record for record in (feo(), iron)]
    references = element_references(records, corrected=True)
    assert references.energies == pytest.approx({"Fe": -8.4, "O": -13 - 2.943 + 8.4})


@pytest.mark.parametrize(
    ("crystal", "expected"),
    [
        (bulk("FeO", "rocksalt", a=4.3), -2.943),  # an oxide, and U on iron
        (bulk("NaCl", "rocksalt", a=5.6), -0.614),
        (bulk("NiAl", "cesiumchloride", a=2.9), 0.0),
    ],
)
def test_what_the_project_would_have_computed_is_corrected(crystal, expected):
    assert correction_as_mp(Geometry.of(crystal), -13.0) == (pytest.approx(expected), "")


def test_an_element_without_a_potential_of_the_project_has_no_correction():
    found, reason = correction_as_mp(Geometry.of(bulk("Po")), -3.0)
    assert found is None
    assert reason == "the Materials Project has no potential for Po"
