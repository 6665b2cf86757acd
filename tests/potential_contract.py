"""What every interatomic potential must fulfil: physics, not accuracy."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk, make_supercell

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError

STRAIN = 1e-4
SHIFT = 1e-4  # Å


def salt():
    atoms = bulk("NaCl", "rocksalt", a=5.5)
    atoms.rattle(0.1, seed=1)
    return atoms


def metal():
    atoms = bulk("Cu", cubic=True, a=3.7)
    atoms.rattle(0.1, seed=2)
    return atoms


class PotentialContract:
    """Inherit, and give ``potential``: in double precision.

    Attributes:
        rtol: relative accuracy of finite differences.
        exact: eV and eV/Å to which what must be the same is the same.
    """

    rtol = 1e-4
    exact = 1e-7

    def structures(self):
        return [salt(), metal()]

    @pytest.fixture(scope="class")
    @classmethod
    def potential(cls):
        raise NotImplementedError

    def evaluated(self, potential, atoms, **asked):
        return potential.evaluate(Crystals.of_atoms(atoms), **asked)

    def test_forces_are_the_slope_of_the_energy(self, potential):
        for atoms in self.structures():
            direction = np.random.default_rng(0).normal(size=atoms.positions.shape)
            moved = []
            for sign in (1, -1):
                moved.append(atoms.copy())
                moved[-1].positions += sign * SHIFT * direction
            up, down = self.evaluated(potential, moved, forces=False).energies_G
            forces = self.evaluated(potential, [atoms]).forces_A3
            assert np.abs(forces).max() > 0.01
            np.testing.assert_allclose(
                (up - down) / (2 * SHIFT), -(forces * direction).sum(), rtol=self.rtol, atol=1e-6
            )

    def test_stress_is_the_slope_with_strain(self, potential):
        for atoms in self.structures():
            stress = self.evaluated(potential, [atoms], stress=True).stresses_G33[0]
            np.testing.assert_allclose(stress, stress.T, atol=1e-12)
            strained = []
            for row, column in ((0, 0), (1, 2)):
                for sign in (1, -1):
                    strain = np.zeros((3, 3))
                    strain[row, column] = strain[column, row] = sign * STRAIN
                    strained.append(atoms.copy())
                    strained[-1].set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            energies = self.evaluated(potential, strained, forces=False).energies_G
            for start, (row, column) in ((0, (0, 0)), (2, (1, 2))):
                slope = (energies[start] - energies[start + 1]) / (2 * STRAIN) / atoms.get_volume()
                expected = stress[row, column] * (1 if row == column else 2)
                np.testing.assert_allclose(slope, expected, rtol=self.rtol, atol=1e-7)

    def test_rotation(self, potential):
        for atoms in self.structures():
            turned = atoms.copy()
            turned.rotate(37, (1, 2, 3), rotate_cell=True)
            turn = np.linalg.solve(atoms.cell.array, turned.cell.array)
            before, after = (self.evaluated(potential, [a], stress=True) for a in (atoms, turned))
            self.same(before.energies_G, after.energies_G)
            self.same(before.forces_A3 @ turn, after.forces_A3)
            self.same(turn.T @ before.stresses_G33[0] @ turn, after.stresses_G33[0])

    def test_translation_and_wrapping(self, potential):
        atoms = salt()
        moved = atoms.copy()
        moved.positions += (0.3, -7.2, 3.3)
        moved.wrap()
        before, after = (self.evaluated(potential, [a]) for a in (atoms, moved))
        self.same(before.energies_G, after.energies_G)
        self.same(before.forces_A3, after.forces_A3)

    def test_permutation(self, potential):
        atoms = metal()
        order = np.array([2, 0, 3, 1])
        before, after = (self.evaluated(potential, [a]) for a in (atoms, atoms[order]))
        self.same(before.energies_G, after.energies_G)
        self.same(before.forces_A3[order], after.forces_A3)

    def test_twice_the_crystal_has_twice_the_energy(self, potential):
        atoms = salt()
        twice = make_supercell(atoms, [[1, 1, 0], [0, 2, 0], [0, 0, 1]])
        before, after = (self.evaluated(potential, [a], stress=True) for a in (atoms, twice))
        self.same(2 * before.energies_G, after.energies_G)
        self.same(before.stresses_G33, after.stresses_G33)

    def test_no_net_force(self, potential):
        for atoms in self.structures():
            self.same(self.evaluated(potential, [atoms]).forces_A3.sum(axis=0), np.zeros(3))

    def test_a_batch_is_one_by_one(self, potential):
        atoms = self.structures()
        together = self.evaluated(potential, atoms, stress=True)
        alone = [self.evaluated(potential, [one], stress=True) for one in atoms]
        self.same(together.energies_G, np.concatenate([one.energies_G for one in alone]))
        self.same(together.forces_A3, np.concatenate([one.forces_A3 for one in alone]))
        self.same(together.stresses_G33, np.concatenate([one.stresses_G33 for one in alone]))

    def test_only_what_was_asked_for(self, potential):
        found = self.evaluated(potential, [salt()], forces=False)
        assert found.forces_A3 is None
        assert found.stresses_G33 is None

    def test_nothing_to_evaluate(self, potential):
        found = self.evaluated(potential, [], stress=True)
        assert found.energies_G.shape == (0,)
        assert found.forces_A3.shape == (0, 3)
        assert found.stresses_G33.shape == (0, 3, 3)

    def test_an_unknown_element_is_refused_by_name(self, potential):
        with pytest.raises(InputError, match=r"structure 1.*does not know Og"):
            self.evaluated(potential, [salt(), bulk("Og", "fcc", a=6.0)])

    def same(self, one, other):
        np.testing.assert_allclose(one, other, rtol=0, atol=self.exact)
