"""Molecular dynamics: energies kept, baths, checkpoints, ends before the last step, and what is refused."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.md.verlet import VelocityVerlet
from potentials_for_tests import Morse, committee

from zonemelt.tasks.atomistic import dynamics
from zonemelt.tasks.atomistic.dynamics import simulate
from zonemelt.tasks.atomistic.dynamics_settings import DynamicsSettings
from zonemelt.tasks.atomistic.fleet import OutOfTimeError, Pace
from zonemelt.tasks.atomistic.integrator import End
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.potentials.by_ase import calculator

BATHS = {
    "none": {},
    "langevin": {"friction": 0.02},
    "rescaling": {"rescaling": 50.0},
    "pressure": {"rescaling": 50.0, "breathing": 200.0, "pressure": 0.01, "pressure_end": 0.0},
    "all": {"friction": 0.02, "temperature_end": 900.0, "breathing": 200.0},
}


def solid(seed=0):
    atoms = bulk("Cu", cubic=True, a=3.8).repeat((2, 1, 1))
    atoms.rattle(0.02, seed=seed)
    return atoms


def total(run):
    return (run.frames.energies_T + run.frames.kinetic_T) / len(run.atoms)


def one(settings, atoms=None, potential=None, **more):
    return simulate(potential or Morse(), Crystals.of_atoms([atoms or solid()]), settings, **more)[0]


def test_energy_is_conserved():
    found = one(DynamicsSettings(steps=800, temperature=300))
    picoseconds = found.frames.steps_T * 1e-3
    assert found.frames.kinetic_T.std() / 8 > 1e-3  # it does move
    assert abs(np.polyfit(picoseconds, total(found), 1)[0]) < 1e-5  # eV/atom/ps
    assert np.ptp(total(found)) < 1e-3
    assert found.end is End.FINISHED
    assert found.steps == 800


def test_the_error_falls_with_the_square_of_the_step():
    def wobble(timestep):
        settings = DynamicsSettings(steps=int(200 / timestep), temperature=300, timestep=timestep, every=1)
        return total(one(settings)).std()

    assert wobble(4.0) / wobble(2.0) == pytest.approx(4, rel=0.25)


def test_the_same_path_as_ase():
    found = one(DynamicsSettings(steps=40, temperature=500))
    start = one(DynamicsSettings(steps=1, temperature=500, timestep=1e-9))
    atoms = solid()
    atoms.set_velocities(start.velocities_N3)
    atoms.calc = calculator(Morse())
    VelocityVerlet(atoms, timestep=1.0 * units.fs).run(40)
    np.testing.assert_allclose(found.atoms.positions, atoms.positions, atol=1e-6)


def test_backwards_leads_home():
    settings = DynamicsSettings(steps=100, temperature=300)
    there = one(settings)
    back = one(settings, there.atoms, velocities_A3=-there.velocities_N3)
    np.testing.assert_allclose(back.atoms.positions, solid().positions, atol=1e-9)


def test_first_velocities_have_the_temperature_and_no_momentum():
    atoms = bulk("NaCl", "rocksalt", a=5.5, cubic=True).repeat(3)
    found = one(DynamicsSettings(steps=1, temperature=600, timestep=1e-9), atoms)
    assert found.frames.kinetic_T[0] / (1.5 * 216 * units.kB) == pytest.approx(600, rel=0.15)
    np.testing.assert_allclose(atoms.get_masses() @ found.velocities_N3, 0, atol=1e-6)
    assert np.abs(found.velocities_N3.sum(axis=0)).max() > 1e-4  # velocities alone do not cancel


@pytest.mark.parametrize("bath", BATHS)
def test_the_first_of_a_batch_does_not_know_of_the_others(bath):
    settings = DynamicsSettings(steps=30, temperature=300, **BATHS[bath])
    alone = one(settings)
    atoms = [solid(), bulk("NaCl", "rocksalt", a=5.5), solid(2)]
    together = simulate(Morse(), Crystals.of_atoms(atoms), settings)
    np.testing.assert_allclose(together[0].atoms.positions, alone.atoms.positions, atol=1e-10)


@pytest.mark.parametrize("bath", BATHS)
def test_what_was_stopped_goes_on_to_the_last_bit(tmp_path, monkeypatch, bath):
    monkeypatch.setattr(dynamics, "SEGMENT", 3)
    crystals = Crystals.of_atoms([solid(seed) for seed in range(3)])
    settings = DynamicsSettings(steps=40, temperature=300, every=4, atoms_in_flight=16, **BATHS[bath])
    whole = simulate(Morse(), crystals, settings)
    stops = 0
    for length in count(7):
        answers = iter([True] * length)
        pace = Pace(directory=tmp_path, go_on=lambda answers=answers: next(answers, False), every=5)
        try:
            found = simulate(Morse(), crystals, settings, pace=pace)
            break
        except OutOfTimeError:
            stops += 1
    assert stops > 3
    for ours, theirs in zip(found, whole, strict=True):
        assert len(ours.frames) == 11
        assert np.array_equal(ours.velocities_N3, theirs.velocities_N3)
        for name, values in vars(theirs.frames).items():
            assert np.array_equal(getattr(ours.frames, name), values, equal_nan=True), name


def test_a_checkpoint_of_other_velocities_is_refused(tmp_path):
    settings, pace = DynamicsSettings(steps=1, temperature=300), Pace(directory=tmp_path)
    one(settings, pace=pace)
    with pytest.raises(InputError, match="other structures"):
        one(settings, pace=pace, velocities_A3=np.zeros((8, 3)))


def test_going_on_with_velocities_is_as_if_never_stopped():
    whole = one(DynamicsSettings(steps=60, temperature=300))
    half = one(DynamicsSettings(steps=30, temperature=300))
    settings = DynamicsSettings(steps=30, temperature=300)
    rest = one(settings, half.atoms, velocities_A3=half.velocities_N3)
    np.testing.assert_allclose(rest.atoms.positions, whole.atoms.positions, atol=1e-9)


@pytest.mark.parametrize("bath", ["langevin", "rescaling", "pressure"])
def test_a_seed_is_a_path(bath):
    def ends(seed, first=0):
        settings = DynamicsSettings(steps=10, temperature=300, seed=seed, first=first, **BATHS[bath])
        return [run.atoms.positions for run in simulate(Morse(), twins, settings)]

    twins = Crystals.of_atoms([solid(), solid()])
    first, again, other = ends(1), ends(1), ends(2)
    assert np.array_equal(first, again)
    assert np.abs(first[0] - other[0]).max() > 1e-3
    assert np.abs(first[0] - first[1]).max() > 1e-3  # twins go their own ways
    np.testing.assert_allclose(ends(1, first=1)[0], first[1], atol=1e-10)


def test_frames_are_the_first_every_so_many_and_the_last():
    frames = one(DynamicsSettings(steps=25, temperature=300, every=10)).frames
    assert frames.steps_T.tolist() == [0, 10, 20, 25]
    assert frames.positions_TN3.dtype == np.float32
    assert frames.positions_TN3.shape == (4, 8, 3)
    assert np.isnan(frames.pressures_T).all()
    assert np.isnan(frames.spreads_T).all()


class Cliff(Morse):
    """No number at all once two atoms are nearer than 2.3 Å."""

    def energies(self, edges):
        near_E = edges.vectors_E3.norm(dim=1) < 2.3
        bad_G = edges.vectors_E3.new_zeros(edges.structures).index_add(
            0, edges.structure_A[edges.centre_E], near_E.double()
        )
        return super().energies(edges).where(bad_G == 0, float("nan"))


def test_what_explodes_is_stopped_with_its_frame_and_the_others_go_on():
    crystals = Crystals.of_atoms([solid(), solid(1)])
    velocities = np.zeros((16, 3))
    velocities[9] = (0.4, 0, 0)  # straight at its neighbour
    settings = DynamicsSettings(steps=50, temperature=0)
    found = simulate(Cliff(), crystals, settings, velocities_A3=velocities)
    assert [run.end for run in found] == [End.FINISHED, End.EXPLODED]
    lost = found[1]
    assert 0 < lost.steps < 50
    assert lost.frames.steps_T[-1] == lost.steps
    np.testing.assert_allclose(lost.frames.positions_TN3[-1], lost.atoms.positions, atol=1e-5)
    assert np.isfinite(lost.frames.energies_T).all()
    calm = simulate(Morse(), crystals.take(slice(0, 1)), settings, velocities_A3=velocities[:8])[0]
    np.testing.assert_allclose(found[0].atoms.positions, calm.atoms.positions, atol=1e-10)


def test_what_made_no_sense_from_the_beginning():
    close = bulk("Cu", cubic=True, a=3.0)
    found = one(DynamicsSettings(steps=5, temperature=300), close, Cliff())
    assert found.end is End.EXPLODED
    assert found.steps == 0
    assert found.frames.steps_T.tolist() == [0]


def test_too_long_steps_explode():
    found = one(DynamicsSettings(steps=200, temperature=3000, timestep=60.0))
    assert found.end is End.EXPLODED
    assert np.isfinite(found.atoms.positions).all()


def test_a_run_ends_where_the_committee_is_unsure():
    settings = {"steps": 60, "temperature": 100, "temperature_end": 1500, "friction": 0.05, "every": 5}
    calm = one(DynamicsSettings(**settings), potential=committee())
    spreads = calm.frames.spreads_T
    assert np.isfinite(spreads).all()
    limit = float(np.sort(spreads)[-4])
    found = one(DynamicsSettings(**settings, unsure=limit), potential=committee())
    first = int(np.flatnonzero(spreads > limit)[0])
    assert found.end is End.UNSURE
    assert found.steps == calm.frames.steps_T[first]
    np.testing.assert_array_equal(found.frames.spreads_T, spreads[: first + 1])
    last = committee().spread(Crystals.of_atoms([found.atoms])).forces_A.max()
    assert last == pytest.approx(spreads[first])


def test_the_first_member_or_the_mean_drives():
    settings = {"steps": 20, "temperature": 300}
    first = one(DynamicsSettings(**settings, drive="first"), potential=committee())
    np.testing.assert_allclose(first.atoms.positions, one(DynamicsSettings(**settings)).atoms.positions)
    mean = one(DynamicsSettings(**settings), potential=committee())
    middle = one(DynamicsSettings(**settings), potential=Morse(depth=0.35))
    np.testing.assert_allclose(mean.atoms.positions, middle.atoms.positions, atol=1e-10)


def test_nothing_to_simulate():
    assert simulate(Morse(), Crystals.of_atoms([]), DynamicsSettings(steps=3, temperature=300)) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"steps": 0}, "steps: 0 cannot be used"),
        ({"timestep": 0.0}, "timestep: 0.0 cannot be used"),
        ({"temperature": -1.0}, "temperature: -1.0 cannot be used"),
        ({"temperature": float("nan")}, "temperature: nan cannot be used"),
        ({"friction": 0.1, "temperature_end": -1.0}, "temperature_end: -1.0 cannot be used"),
        ({"temperature_end": 500.0}, "without a bath of heat"),
        ({"friction": 0.1, "rescaling": 50.0}, "two baths of heat"),
        ({"rescaling": -50.0}, "rescaling: -50.0 cannot be used"),
        ({"rescaling": 50.0, "temperature": 0.0}, "cannot be rescaled"),
        ({"breathing": 100.0}, "without one of heat"),
        ({"friction": 0.1, "pressure": 0.1}, "without a bath of pressure"),
        ({"friction": 0.1, "breathing": 100.0, "compressibility": -1.0}, "compressibility: -1.0 cannot"),
        ({"unsure": 0.0}, "unsure: 0.0 cannot be used"),
    ],
)
def test_settings_that_make_no_sense(wrong, said):
    with pytest.raises(InputError, match=said):
        DynamicsSettings(**{"steps": 10, "temperature": 300.0, **wrong})


@pytest.mark.parametrize(
    ("settings", "atoms", "said"),
    [
        ({}, bulk("Si"), "does not know Si"),
        ({"unsure": 0.1}, solid(), "one potential, and says nothing of its spread"),
        ({"rescaling": 50.0}, bulk("Cu"), "structure 0: one atom"),
        ({"friction": 0.1, "breathing": 100.0}, "slab", "does not repeat"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(settings, atoms, said):
    if atoms == "slab":
        atoms = solid()
        atoms.pbc = (True, True, False)
    with pytest.raises(InputError, match=said):
        one(DynamicsSettings(steps=10, temperature=300.0, **settings), atoms)
    with pytest.raises(InputError, match="velocities of shape"):
        one(DynamicsSettings(steps=10, temperature=300.0), velocities_A3=np.zeros((3, 3)))
