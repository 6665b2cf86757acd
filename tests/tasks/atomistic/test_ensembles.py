"""What baths of heat and pressure sample, where it is known on paper."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms, units
from scipy import integrate, stats
from simple_potentials import Simple

from zonemelt.tasks.atomistic.dynamics import simulate
from zonemelt.tasks.atomistic.dynamics_settings import DynamicsSettings
from zonemelt.tasks.atomistic.ensembles import rescaling
from zonemelt.tasks.crystals import Crystals

N, KELVIN = 12, 400.0  # enough atoms for volumes to stay within the factor of 4 that is believed
THERMAL = units.kB * KELVIN
PLACES = np.random.default_rng(0).uniform(0, 8, size=(N, 3))
GAS = Atoms(["Cu"] * N, positions=PLACES, cell=8 * np.eye(3), pbc=True)


def sampled(potential, copies=8, steps=1500, **settings):
    crystals = Crystals.of_atoms([GAS] * copies)
    told = DynamicsSettings(steps=steps, temperature=KELVIN, timestep=4.0, every=5, seed=3, **settings)
    runs = simulate(potential, crystals, told)
    return {
        name: np.concatenate([values(run.frames)[60:] for run in runs])
        for name, values in {
            "kinetic": lambda frames: frames.kinetic_T,
            "energy": lambda frames: frames.energies_T,
            "volume": lambda frames: np.abs(np.linalg.det(frames.cells_T33)),
        }.items()
    }


@pytest.mark.parametrize("bath", [{"friction": 0.02}, {"rescaling": 40.0}])
def test_springs_in_a_bath_have_its_temperature_and_its_fluctuations(bath):
    found = sampled(Simple(PLACES, stiffness=2.0), **bath)
    degrees = 3 * N if "friction" in bath else 3 * N - 3
    assert found["kinetic"].mean() == pytest.approx(0.5 * degrees * THERMAL, rel=0.03)
    assert found["kinetic"].std() == pytest.approx(np.sqrt(0.5 * degrees) * THERMAL, rel=0.06)
    if "friction" in bath:  # rescaling alone never mixes springs that do not know of each other
        assert found["energy"].mean() == pytest.approx(1.5 * N * THERMAL, rel=0.04)
        assert found["energy"].std() == pytest.approx(np.sqrt(1.5 * N) * THERMAL, rel=0.08)


@pytest.mark.parametrize("degrees", [1, 2, 9])
def test_rescaling_keeps_the_canonical_distribution(degrees):
    random = np.random.default_rng(1)
    energy, energies = 0.5 * degrees * THERMAL, []
    for _ in range(6000):
        energy *= rescaling(energy, degrees, thermal=THERMAL, kept=0.3, random=random) ** 2
        energies.append(energy / THERMAL)
    assert stats.kstest(energies[::5], stats.gamma(0.5 * degrees).cdf).pvalue > 1e-3


@pytest.mark.parametrize(("bath", "free"), [({"friction": 0.05}, N), ({"rescaling": 20.0}, N - 1)])
def test_an_ideal_gas_fills_the_volume_its_pressure_allows(bath, free):
    # p(V) = V^free exp(-PV / kT): atoms, less the centre of mass where it stays
    outside = N * THERMAL / 512
    found = sampled(
        Simple(), copies=16, breathing=60.0, pressure=outside, compressibility=1 / outside, **bath
    )
    unit = THERMAL / outside
    assert found["volume"].mean() == pytest.approx((free + 1) * unit, rel=0.03)
    assert found["volume"].std() == pytest.approx(np.sqrt(free + 1) * unit, rel=0.1)


def test_a_cell_that_resists_breathes_as_its_equation_of_state_says():
    resistance, start, outside = 0.05, 512.0, 0.002
    found = sampled(
        Simple(resistance=resistance, volume=start),
        friction=0.05,
        breathing=60.0,
        pressure=outside,
        compressibility=1 / resistance,
    )

    def weight(volume, power=0):
        energy = 0.5 * resistance * (volume - start) ** 2 / start + outside * (volume - start)
        return (volume / start) ** N * np.exp(-energy / THERMAL) * volume**power

    moments = [integrate.quad(weight, 300, 700, args=(power,))[0] for power in range(3)]
    mean = moments[1] / moments[0]
    assert found["volume"].mean() == pytest.approx(mean, rel=0.01)
    assert found["volume"].std() == pytest.approx(np.sqrt(moments[2] / moments[0] - mean**2), rel=0.1)


def test_ramps_end_where_they_are_told():
    told = DynamicsSettings(
        steps=600, temperature=100.0, temperature_end=900.0, timestep=4.0, friction=0.05, breathing=60.0,
        pressure=0.0, pressure_end=0.01, compressibility=20.0, every=4,
    )  # fmt: skip
    runs = simulate(Simple(resistance=0.05, volume=512.0), Crystals.of_atoms([GAS] * 12), told)
    kelvin = np.array([run.frames.kinetic_T for run in runs]).mean(axis=0) / (1.5 * N * units.kB)
    assert kelvin[13:38].mean() == pytest.approx(100 + 800 / 6, rel=0.15)
    assert kelvin[-15:].mean() == pytest.approx(900, rel=0.15)
    volumes = [abs(np.linalg.det(run.frames.cells_T33[-15:])).mean() for run in runs]
    expected = 512.0 - 512.0 * (0.01 - N * units.kB * 900 / 430) / 0.05
    assert np.mean(volumes) == pytest.approx(expected, rel=0.05)
