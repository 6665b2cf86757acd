from __future__ import annotations

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.md.verlet import VelocityVerlet
from potentials_for_tests import Morse

from zonemelt.tasks.atomistic.dynamics import DynamicsSettings, simulate
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.potentials.by_ase import calculator


def solid(seed=0):
    atoms = bulk("Cu", cubic=True, a=3.8).repeat((2, 1, 1))
    atoms.rattle(0.02, seed=seed)
    return atoms


def test_energy_is_conserved():
    settings = DynamicsSettings(steps=1500, temperature=300, timestep=1.0)
    found = simulate(Morse(), Crystals.of_atoms([solid()]), settings)
    total = (found.energies_TG + found.kinetic_TG)[:, 0] / 8
    picoseconds = np.arange(len(total)) * 0.01
    assert found.kinetic_TG[:, 0].std() / 8 > 1e-3  # it does move
    assert abs(np.polyfit(picoseconds, total, 1)[0]) < 1e-5  # eV/atom/ps
    assert np.ptp(total) < 1e-3


def test_the_error_falls_with_the_square_of_the_step():
    def wobble(timestep):
        settings = DynamicsSettings(steps=int(200 / timestep), temperature=300, timestep=timestep, every=1)
        found = simulate(Morse(), Crystals.of_atoms([solid()]), settings)
        return (found.energies_TG + found.kinetic_TG)[:, 0].std()

    assert wobble(4.0) / wobble(2.0) == pytest.approx(4, rel=0.25)


def test_the_same_path_as_ase():
    found = simulate(Morse(), Crystals.of_atoms([solid()]), DynamicsSettings(steps=40, temperature=500))
    start = simulate(
        Morse(), Crystals.of_atoms([solid()]), DynamicsSettings(steps=1, temperature=500, timestep=1e-9)
    )
    atoms = solid()
    atoms.set_velocities(start.velocities_A3)
    atoms.calc = calculator(Morse())
    VelocityVerlet(atoms, timestep=1.0 * units.fs).run(40)
    np.testing.assert_allclose(found.crystals.positions_A3, atoms.positions, atol=1e-6)


def test_backwards_leads_home():
    crystals = Crystals.of_atoms([solid()])
    there = simulate(Morse(), crystals, DynamicsSettings(steps=100, temperature=300))
    back = simulate(
        Morse(),
        there.crystals,
        DynamicsSettings(steps=100, temperature=300),
        velocities_A3=-there.velocities_A3,
    )
    np.testing.assert_allclose(back.crystals.positions_A3, crystals.positions_A3, atol=1e-9)


def test_the_bath_has_its_temperature():
    settings = DynamicsSettings(steps=1000, temperature=400, timestep=2.0, friction=0.02, seed=1)
    found = simulate(Morse(), Crystals.of_atoms([solid(seed) for seed in range(6)]), settings)
    kelvin = found.kinetic_TG[20:].mean() / (1.5 * 8 * units.kB)
    assert kelvin == pytest.approx(400, rel=0.1)
    assert found.positions_TA3.shape == (101, 48, 3)


def test_first_velocities_have_the_temperature_and_no_momentum():
    found = simulate(
        Morse(),
        Crystals.of_atoms([bulk("Cu", cubic=True).repeat(4)]),
        DynamicsSettings(steps=1, temperature=600, timestep=1e-9),
    )
    assert found.kinetic_TG[0, 0] / (1.5 * 256 * units.kB) == pytest.approx(600, rel=0.1)
    np.testing.assert_allclose(found.velocities_A3.sum(axis=0), 0, atol=1e-8)


@pytest.mark.parametrize("friction", [0.0, 0.05])
def test_the_first_of_a_batch_does_not_know_of_the_others(friction):
    settings = DynamicsSettings(steps=30, temperature=300, friction=friction)
    alone = simulate(Morse(), Crystals.of_atoms([solid()]), settings)
    together = simulate(Morse(), Crystals.of_atoms([solid(), bulk("NaCl", "rocksalt", a=5.5)]), settings)
    np.testing.assert_allclose(together.crystals.positions_A3[:8], alone.crystals.positions_A3, atol=1e-10)


def test_going_on_is_as_if_never_stopped():
    crystals = Crystals.of_atoms([solid()])
    whole = simulate(Morse(), crystals, DynamicsSettings(steps=60, temperature=300))
    half = simulate(Morse(), crystals, DynamicsSettings(steps=30, temperature=300))
    rest = simulate(
        Morse(), half.crystals, DynamicsSettings(steps=30, temperature=300), velocities_A3=half.velocities_A3
    )
    np.testing.assert_allclose(rest.crystals.positions_A3, whole.crystals.positions_A3, atol=1e-9)


class Cliff(Morse):
    """No number at all once two atoms are nearer than 2.3 Å."""

    def energies(self, edges):
        near_E = edges.vectors_E3.norm(dim=1) < 2.3
        bad_G = edges.vectors_E3.new_zeros(edges.structures).index_add(
            0, edges.structure_A[edges.centre_E], near_E.double()
        )
        return super().energies(edges).where(bad_G == 0, float("nan"))


def test_what_explodes_is_stopped_and_the_others_go_on():
    crystals = Crystals.of_atoms([solid(), solid(1)])
    velocities = np.zeros((16, 3))
    velocities[9] = (0.5, 0, 0)  # straight at its neighbour
    settings = DynamicsSettings(steps=50, temperature=0)
    found = simulate(Cliff(), crystals, settings, velocities_A3=velocities)
    assert found.stopped_G[0] == -1
    assert 0 < found.stopped_G[1] < 50
    assert np.isfinite(found.crystals.positions_A3).all()
    calm = simulate(Morse(), crystals.take(slice(0, 1)), settings, velocities_A3=velocities[:8])
    np.testing.assert_allclose(found.crystals.positions_A3[:8], calm.crystals.positions_A3, atol=1e-10)


def test_settings_that_make_no_sense():
    with pytest.raises(InputError, match="positive"):
        DynamicsSettings(steps=0, temperature=300)
