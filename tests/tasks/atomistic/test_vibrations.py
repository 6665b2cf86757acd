"""Modes at Γ against closed forms, and what symmetry spares."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk, make_supercell
from ase.spacegroup import crystal
from potential_contract import PotentialContract, metal, salt
from potentials_for_tests import Morse

from zonemelt.tasks.atomistic.symmetric_displacements import displacements
from zonemelt.tasks.atomistic.vibration_features import vibration_features
from zonemelt.tasks.atomistic.vibrations import vibrations
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError


class TestMorse(PotentialContract):
    @pytest.fixture(scope="class")
    @classmethod
    def potential(cls):
        return Morse()


def rutile():
    return crystal(
        ["Cu", "Cl"], [(0, 0, 0), (0.3, 0.3, 0.0)], spacegroup=136, cellpar=[4.6, 4.6, 2.95, 90, 90, 90]
    )


def wurtzite():
    return bulk("CuCl", "wurtzite", a=3.9, c=6.4)


def found(atoms, **options):
    return vibrations(Morse(), Crystals.of_atoms(atoms), **options)


def test_springs_known_in_closed_form():
    # eight springs along the diagonals of a cube, at rest: each way 8 k / 3, and ω² = 8 k / (3 μ)
    bond, depth, width = 3.0, 0.4, 1.3
    atoms = bulk("CsCl", "cesiumchloride", a=2 * bond / np.sqrt(3))
    potential = Morse(depth=depth, width=width, length=bond, cutoff=3.4, start=0.95)
    (one,) = vibrations(potential, Crystals.of_atoms([atoms]), step=1e-3)
    reduced = 1 / (1 / atoms.get_masses()).sum()
    expected = 521.4709 * np.sqrt(8 * (2 * depth * width**2) / 3 / reduced)
    np.testing.assert_allclose(one.frequencies_M, expected, rtol=1e-4)
    np.testing.assert_allclose((one.modes_MN3**2).sum(axis=(1, 2)), 1)
    assert one.evaluations == 2
    assert one.residual_force < 1e-12


@pytest.mark.parametrize(
    ("atoms", "spared"),
    [(rutile(), 5), (wurtzite(), 4), (bulk("CuCl", "zincblende", a=5.4), 6), (metal(), 1), (salt(), 1)],
)
def test_symmetry_spares_work_and_changes_nothing(atoms, spared):
    (sparing,), (plain,) = found([atoms]), found([atoms], tolerance=None)
    assert plain.evaluations == 6 * len(atoms)
    assert sparing.evaluations <= plain.evaluations / spared
    scale = np.abs(plain.frequencies_M).max()
    np.testing.assert_allclose(sparing.frequencies_M, plain.frequencies_M, atol=2e-3 * scale)
    np.testing.assert_allclose(
        sparing.constants_N3N3, plain.constants_N3N3, atol=5e-3 * np.abs(plain.constants_N3N3).max()
    )


def test_rules_of_force_constants():
    (one,) = found([wurtzite()])
    constants = one.constants_N3N3
    np.testing.assert_allclose(constants, constants.transpose(2, 3, 0, 1), atol=1e-12)
    np.testing.assert_allclose(constants.sum(axis=2), 0, atol=1e-12)


def test_a_site_with_inversion_needs_one_displacement():
    chosen = displacements(bulk("NaCl", "rocksalt", a=5.5), tolerance=1e-3)
    assert len(chosen) == 2
    assert chosen.atoms_D.tolist() == [0, 1]


def test_many_at_once_are_one_by_one():
    together = found([rutile(), salt(), wurtzite()])
    for one, atoms in zip(together, [rutile(), salt(), wurtzite()], strict=True):
        np.testing.assert_allclose(one.frequencies_M, found([atoms])[0].frequencies_M, atol=1e-6)


def test_what_is_unstable_has_imaginary_frequencies():
    stretched = bulk("CsCl", "cesiumchloride", a=4.6)
    (one,) = found([stretched])
    assert (one.frequencies_M < 0).all()
    features, names = vibration_features(Morse(), Crystals.of_atoms([stretched]))
    assert features[0, names.index("imaginary_share")] == 1


def test_features_do_not_depend_on_how_a_crystal_is_written():
    atoms = wurtzite()
    turned = atoms[[2, 0, 3, 1]]
    turned.rotate(37, (1, 2, 3), rotate_cell=True)
    skewed = make_supercell(atoms, [[1, 0, 0], [1, 1, 0], [0, 0, 1]])
    features, names = vibration_features(Morse(), Crystals.of_atoms([atoms, turned, skewed]))
    assert len(set(names)) == features.shape[1]
    assert np.isfinite(features).all()
    kept = [n for n, name in enumerate(names) if name not in {"evaluations", "stiffest_pair_distance"}]
    for other in (1, 2):
        np.testing.assert_allclose(features[other, kept], features[0, kept], rtol=2e-3, atol=1e-3)


def test_a_heavier_atom_swings_more_slowly():
    light, heavy = bulk("NaCl", "rocksalt", a=5.4), bulk("CsCl", "rocksalt", a=5.4)
    features, names = vibration_features(Morse(), Crystals.of_atoms([light, heavy]))
    ratio = np.sqrt((1 / light.get_masses()).sum() / (1 / heavy.get_masses()).sum())
    highest = features[:, names.index("highest")]
    assert highest[0] / highest[1] == pytest.approx(ratio, rel=1e-5)


def test_one_atom_has_no_optic_modes():
    with pytest.raises(InputError, match="structure 1: one atom in the cell"):
        found([salt(), bulk("Cu")])


def test_a_molecule_is_refused():
    molecule = salt()
    molecule.pbc = False
    with pytest.raises(InputError, match="does not repeat"):
        found([molecule])


@pytest.mark.parametrize(("a", "wants"), [(2.6, 1), (3.5, -1)])
def test_the_pressure_is_what_volume_costs(a, wants):
    atoms = bulk("CsCl", "cesiumchloride", a=a)
    energies, volumes = [], []
    for scale in (0.999, 1.001):
        scaled = atoms.copy()
        scaled.set_cell(scale * atoms.cell.array, scale_atoms=True)
        volumes.append(scaled.get_volume())
        energies.append(Morse().evaluate(Crystals.of_atoms([scaled])).energies_G[0])
    (one,) = found([atoms])
    assert one.pressure == pytest.approx(-np.diff(energies)[0] / np.diff(volumes)[0], rel=1e-3)
    assert wants * one.pressure > 1e-4  # what is compressed wants to expand
