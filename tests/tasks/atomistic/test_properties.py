"""Equations of state, elastic constants and phonons, and what each says of the others."""

from __future__ import annotations

from importlib.util import find_spec
from itertools import count

import numpy as np
import pytest
from ase import units
from ase.build import bulk, molecule
from ase.eos import EquationOfState
from potentials_for_tests import Morse

from zonemelt.tasks.atomistic import phonons as phonons_module
from zonemelt.tasks.atomistic.elastic import ElasticSettings, elasticities
from zonemelt.tasks.atomistic.eos import EosSettings, equations_of_state, fitted
from zonemelt.tasks.atomistic.fleet import OutOfTimeError, Pace
from zonemelt.tasks.atomistic.phonons import PhononSettings, phonons
from zonemelt.tasks.atomistic.rest import deformed
from zonemelt.tasks.atomistic.vibrations import vibrations
from zonemelt.tasks.crystals import Crystals, repeats
from zonemelt.tasks.errors import InputError

COPPER, CUBE = bulk("Cu", a=3.8), bulk("Cu", a=3.6, cubic=True)
CHLORIDE = bulk("CsCl", "cesiumchloride", a=3.2)
ROCKSALT = bulk("NaCl", "rocksalt", a=5.1)  # a pair potential of one length does not hold it
needs_phonopy = pytest.mark.skipif(find_spec("phonopy") is None, reason="phonopy is not installed")
ALL = [equations_of_state, elasticities, pytest.param(phonons, marks=needs_phonopy)]
PHONONS = PhononSettings(length=7.5, mesh=30.0, points=21)


@pytest.fixture(scope="module")
def states():
    return equations_of_state(Morse(), Crystals.of_atoms([COPPER, CUBE, CHLORIDE]))


@pytest.fixture(scope="module")
def constants():
    settings = ElasticSettings(strains=(-0.002, 0.002), force=1e-4)
    return elasticities(Morse(), Crystals.of_atoms([COPPER, CUBE, ROCKSALT]), settings)


@pytest.fixture(scope="module")
def spectra():
    pytest.importorskip("phonopy")
    return phonons(Morse(), Crystals.of_atoms([COPPER, CUBE, ROCKSALT]), PHONONS)


def test_an_equation_of_state_is_that_of_ase(states):
    for state in states:
        theirs = EquationOfState(state.volumes, state.energies, eos="birchmurnaghan")
        volume, energy, modulus = theirs.fit()
        assert state.fit.volume == pytest.approx(volume, rel=1e-5)
        assert state.fit.energy == pytest.approx(energy, rel=1e-8)
        assert state.fit.bulk_modulus == pytest.approx(modulus, rel=1e-3)
        assert state.fit.residual < 1e-5


def test_the_cell_that_was_given_does_not_matter(states, constants):
    assert states[0].fit.volume == pytest.approx(states[1].fit.volume, rel=1e-4)
    assert states[0].fit.bulk_modulus == pytest.approx(states[1].fit.bulk_modulus, rel=1e-3)
    np.testing.assert_allclose(constants[0].stiffness, constants[1].stiffness, atol=0.1)


def test_the_phonons_are_of_the_primitive_cell(spectra):
    assert spectra[0].numbers.primitive_atoms == spectra[1].numbers.primitive_atoms == 1
    assert spectra[0].numbers.highest == pytest.approx(spectra[1].numbers.highest, rel=1e-3)


def test_the_equation_gives_back_what_was_put_in():
    from pymatgen.analysis.eos import EOS

    volumes = np.linspace(9, 11, 9)
    energies = EOS("vinet").fit(volumes, 0.5 * (volumes - 10) ** 2 / 10).func(volumes)
    fit, reason = fitted(volumes, energies, "vinet")
    assert reason is None
    assert fit.bulk_modulus == pytest.approx(1.0, rel=0.05)
    assert fit.residual < 1e-9


@pytest.mark.parametrize(
    ("volumes", "energies", "said"),
    [
        (np.linspace(9, 11, 4), np.zeros(4), "4 volumes"),
        (np.linspace(9, 11, 9), np.linspace(0, 1, 9), "no minimum"),
        (np.linspace(9, 11, 9), -((np.linspace(9, 11, 9) - 10) ** 2), "no minimum"),
    ],
)
def test_why_there_is_no_fit(volumes, energies, said):
    fit, reason = fitted(volumes, energies)
    assert fit is None
    assert said in reason


def test_stiffness_is_the_curvature_of_the_energy(constants):
    atoms = constants[1].geometry.atoms()
    step = 2e-3
    for row, column, voigt in ((0, 0, 0), (1, 2, 3)):
        energies = []
        for amount in (-step, 0, step):
            strain = np.zeros((3, 3))
            strain[row, column] += amount
            strain[column, row] = strain[row, column]
            squares, axes = np.linalg.eigh(np.eye(3) + 2 * strain)
            moved = atoms.copy()
            moved.set_cell(atoms.cell.array @ (axes * np.sqrt(squares)) @ axes.T, scale_atoms=True)
            energies.append(Morse().evaluate(Crystals.of_atoms([moved])).energies_G[0])
        curvature = (energies[0] - 2 * energies[1] + energies[2]) / step**2 / atoms.get_volume() / units.GPa
        expected = curvature / (1 if row == column else 4)
        assert constants[1].stiffness[voigt][voigt] == pytest.approx(expected, rel=0.01)


def test_pairs_obey_cauchy_and_the_bulk_moduli_agree(constants, states):
    stiffness = np.array(constants[1].stiffness)
    assert stiffness[0, 1] == pytest.approx(stiffness[3, 3], rel=0.01)
    assert constants[1].bulk_modulus == pytest.approx((stiffness[0, 0] + 2 * stiffness[0, 1]) / 3, rel=1e-6)
    assert constants[1].bulk_modulus == pytest.approx(states[1].fit.bulk_modulus_gpa, rel=0.01)
    assert constants[1].stable


def test_what_shear_would_break_is_unstable(constants):
    assert not constants[2].stable
    assert constants[2].shear_modulus is None


def test_relaxed_ions_are_softer():
    atoms = bulk("Cu", "hcp", a=2.7, c=4.3)
    clamped, free = (
        elasticities(
            Morse(), Crystals.of_atoms([atoms]), ElasticSettings(strains=(-0.004, 0.004), ions=ions)
        )[0]
        for ions in (False, True)
    )
    assert free.stiffness[5][5] < clamped.stiffness[5][5] - 1
    for one in (clamped, free):  # the symmetry of a hexagon
        stiffness = np.array(one.stiffness)
        assert stiffness[5, 5] == pytest.approx((stiffness[0, 0] - stiffness[0, 1]) / 2, rel=0.01)


def test_long_waves_travel_at_the_speed_of_sound(constants, spectra):
    atoms = constants[1].geometry.atoms()
    density = atoms.get_masses().sum() / atoms.get_volume() * units._amu * 1e30
    line = next(line for line in spectra[1].numbers.dispersion if {line.start, line.end} == {"G", "X"})
    slopes = np.array(line.frequencies)[2] / (line.distances[2] - line.distances[0]) * 1e12 * 1e-10
    stiffness = np.array(constants[1].stiffness) * 1e9
    assert slopes[2] == pytest.approx(np.sqrt(stiffness[0, 0] / density), rel=0.03)
    assert slopes[0] == pytest.approx(np.sqrt(stiffness[3, 3] / density), rel=0.03)


def test_at_the_centre_they_are_the_vibrations(spectra):
    atoms = spectra[2].geometry.atoms()
    expected = vibrations(Morse(), Crystals.of_atoms([atoms]))[0].frequencies_M / 33.35641
    line = next(line for line in spectra[2].numbers.dispersion if line.start == "G")
    centre = np.array(line.frequencies[0])
    np.testing.assert_allclose(centre[3:], expected, rtol=2e-3)
    np.testing.assert_allclose(centre[:3], 0, atol=1e-4)


def test_states_and_heat(spectra):
    numbers = spectra[0].numbers
    assert np.trapezoid(numbers.dos, numbers.dos_frequencies) == pytest.approx(3, rel=0.02)
    heat = np.array(numbers.thermal.heat_capacity) / units.kB
    assert heat[0] == 0
    assert heat[-1] == pytest.approx(3, rel=0.01)
    assert (np.diff(heat) > 0).all()
    assert numbers.thermal.free_energy[0] > 0 > numbers.thermal.free_energy[-1]
    temperatures = np.array(numbers.thermal.temperatures)
    slope = -np.diff(numbers.thermal.free_energy) / np.diff(temperatures)
    entropy = np.array(numbers.thermal.entropy)
    assert (slope[1:] > entropy[1:-1]).all()
    assert (slope < entropy[1:]).all()


def test_imaginary_modes_are_said(spectra):
    assert [spectrum.numbers.stable for spectrum in spectra] == [True, True, False]
    assert spectra[0].numbers.imaginary == []
    softest = spectra[2].numbers.imaginary[0]
    assert softest.frequency == spectra[2].numbers.lowest < -1


@pytest.mark.parametrize(
    ("function", "settings"),
    [
        (equations_of_state, EosSettings(points=5, atoms_in_flight=6)),
        (elasticities, ElasticSettings(strains=(-0.01, 0.01), atoms_in_flight=9)),
        pytest.param(
            phonons, PhononSettings(length=5, mesh=10, points=3, atoms_in_flight=30), marks=needs_phonopy
        ),
    ],
)
def test_what_was_stopped_goes_on_as_if_nothing_had_happened(tmp_path, function, settings):
    crystals = Crystals.of_atoms([COPPER, CHLORIDE])
    stops = 0
    for length in count(2):
        answers = iter([True] * length)
        try:
            found = function(
                Morse(),
                crystals,
                settings,
                pace=Pace(directory=tmp_path, go_on=lambda answers=answers: next(answers, False), every=2),
            )
            break
        except OutOfTimeError:
            stops += 1
    assert stops > 1
    assert found == function(Morse(), crystals, settings)


@pytest.mark.parametrize(
    ("function", "settings"),
    [
        (equations_of_state, EosSettings),
        (elasticities, ElasticSettings),
        pytest.param(phonons, PhononSettings, marks=needs_phonopy),
    ],
)
def test_a_reason_instead_of_numbers(function, settings):
    found = function(Morse(), Crystals.of_atoms([COPPER]), settings(steps=1, force=1e-6))[0]
    assert found.reason == "it does not come to rest: out of steps"
    assert found.force > 1e-6


@needs_phonopy
def test_a_supercell_that_is_too_large_is_not_begun():
    found = phonons(Morse(), Crystals.of_atoms([COPPER, CUBE]), PhononSettings(most_atoms=20))
    assert "more than most_atoms = 20" in found[0].reason
    assert found[0].numbers is None


@needs_phonopy
def test_what_phonopy_cannot_analyse_does_not_spoil_the_others(monkeypatch):
    def failing(work, settings):
        if len(work.primitive) == 2:
            raise RuntimeError("no such lattice")
        return analysed(work, settings)

    analysed = phonons_module.analysed
    monkeypatch.setattr(phonons_module, "analysed", failing)
    settings = PhononSettings(relax=False, length=4.0, mesh=10.0, points=3)
    found = phonons(Morse(), Crystals.of_atoms([ROCKSALT, COPPER]), settings)
    assert found[0].numbers is None
    assert found[0].reason == "phonopy cannot analyse it: RuntimeError: no such lattice"
    assert found[1].reason is None
    assert found[1].numbers is not None


def test_as_given_where_no_rest_is_asked_for():
    found = equations_of_state(Morse(), Crystals.of_atoms([CUBE]), EosSettings(relax=False, ions=False))[0]
    np.testing.assert_allclose(found.geometry.cell, CUBE.cell.array)
    assert found.fit is not None
    found = equations_of_state(Morse(), Crystals.of_atoms([bulk("Cu", a=4.2)]), EosSettings(relax=False))[0]
    assert "no minimum" in found.reason


@pytest.mark.parametrize("function", ALL)
@pytest.mark.parametrize(
    ("atoms", "said"), [(bulk("Si"), "does not know Si"), (molecule("NaCl"), "does not repeat")]
)
def test_what_cannot_be_is_refused(function, atoms, said):
    with pytest.raises(InputError, match=f"structure 1: .*{said}"):
        function(Morse(), Crystals.of_atoms([COPPER, atoms]))


@pytest.mark.parametrize("function", ALL)
def test_no_structures(function):
    assert function(Morse(), Crystals.of_atoms([])) == []


@pytest.mark.parametrize(
    ("settings", "wrong", "said"),
    [
        (EosSettings, {"span": 0}, "eos: span 0, 9 points"),
        (EosSettings, {"points": 4}, r"eos: span 0\.06, 4 points"),
        (EosSettings, {"force": -1.0}, r"force: -1\.0 cannot be used"),
        (ElasticSettings, {"strains": (0.01,)}, "two or more that differ"),
        (ElasticSettings, {"strains": (0.5, -0.5)}, r"beyond 0\.2"),
        (PhononSettings, {"displacement": 1.0}, r"phonons: displacement: 1\.0 cannot be used"),
        (PhononSettings, {"supercell": (0, 1, 1)}, "phonons: supercell: 0 cannot be used"),
        (PhononSettings, {"temperatures": (-5.0,)}, r"phonons: temperatures: -5\.0 cannot be used"),
    ],
)
def test_settings_that_make_no_sense(settings, wrong, said):
    with pytest.raises(InputError, match=said):
        settings(**wrong)


def test_what_does_not_come_to_rest_where_it_is_strained_is_left_out_and_counted():
    wurtzite = Crystals.of_atoms([bulk("CuCl", "wurtzite", a=3.9, c=6.4)])
    short = {"relax": False, "steps": 1, "force": 1e-9}
    elastic = elasticities(Morse(), wurtzite, ElasticSettings(strains=(-0.01, 0.01), **short))[0]
    assert elastic.left_out == 13
    assert elastic.stiffness is None
    assert "fewer than two strained cells" in elastic.reason
    state = equations_of_state(Morse(), wurtzite, EosSettings(points=5, **short))[0]
    assert state.left_out == 5
    assert state.volumes == []
    assert state.reason == "0 volumes are left, 5 are needed"


def test_a_deformation_does_not_turn_space_inside_out():
    with pytest.raises(InputError, match="smaller strains"):
        deformed(Crystals.of_atoms([COPPER]), 0, np.diag([1.0, 1.0, -1.0]))


def test_a_supercell_is_thick_everywhere():
    atoms = bulk("Cu", a=3.6)
    large = atoms.repeat(repeats(atoms.cell.array, 9.0))
    heights = 1 / np.linalg.norm(np.linalg.inv(large.cell.array), axis=0)
    assert heights.min() >= 9.0
    assert repeats(bulk("Cu", a=3.6, cubic=True).cell.array, 10.8) == (3, 3, 3)
