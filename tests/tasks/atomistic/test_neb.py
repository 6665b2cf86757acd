"""Nudged elastic bands beside those of ASE, barriers there and back, and what has no path."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.geometry import find_mic
from ase.mep import NEB
from ase.optimize import FIRE
from potentials_for_tests import Morse, Senseless

from zonemelt.tasks.atomistic.band import band_forces
from zonemelt.tasks.atomistic.fleet import OutOfTimeError, Pace
from zonemelt.tasks.atomistic.neb import NebSettings, minimum_energy_paths
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.potentials.by_ase import calculator

A = 3.5964  # Å, copper of this potential at rest


def vacancy(symbol="Cu"):
    """An atom beside a vacancy, and after its jump: across the boundary of the cell."""
    first = bulk("Cu", cubic=True, a=A).repeat((2, 2, 1))
    hole = first.positions[0].copy()
    del first[0]
    jumper = int(apart(first, hole).argmin())
    first.symbols[jumper] = symbol
    last = first.copy()
    last.positions[jumper] = hole
    return first, last


def divacancy():
    """Two holes beside each other, and after an atom beside one alone has jumped into it: they are apart."""
    first = bulk("Cu", cubic=True, a=A).repeat((3, 2, 2))
    hole = first.positions[0].copy()
    other = int(np.argsort(apart(first, hole), kind="stable")[1])
    second = first.positions[other].copy()
    del first[[0, other]]
    beside, far = apart(first, hole), apart(first, second)
    jumper = int(np.flatnonzero((beside < 0.8 * A) & (far > 1.2 * A))[0])
    last = first.copy()
    last.positions[jumper] = hole
    return first, last


def apart(atoms, place):
    return find_mic(atoms.positions - place, atoms.cell, atoms.pbc)[1]


def found(pairs, **settings):
    first, last = (Crystals.of_atoms(side) for side in zip(*pairs, strict=True))
    return minimum_energy_paths(Morse(), first, last, NebSettings(**settings))


@pytest.mark.parametrize("climb", [True, False])
def test_the_same_steps_as_ase(climb):
    first, last = vacancy()
    last.rattle(0.05, seed=1)
    ours = found([(first, last)], relax=False, images=3, steps=12, force=1e-6, climb=climb, climb_below=1e9)[
        0
    ]
    images = [first, *(first.copy() for _ in range(3)), last]
    for image in images:
        image.calc = calculator(Morse())
    band = NEB(images, k=0.1, climb=climb, method="improvedtangent")
    band.interpolate(mic=True)
    FIRE(band, logfile=None).run(fmax=1e-6, steps=12)
    assert ours.outcome == "out of steps"
    for image, theirs in zip(ours.images, images, strict=True):
        np.testing.assert_allclose(image.positions, theirs.positions, atol=1e-7)
    energies = np.array([image.get_potential_energy() for image in images])
    np.testing.assert_allclose(ours.energies, energies - energies[0], atol=1e-7)


@pytest.fixture(scope="module")
def jumps():
    return found([vacancy(), vacancy("Al"), vacancy()[::-1]], images=3, force=0.02)


def test_a_jump_to_an_equal_place_has_its_saddle_half_way(jumps):
    jump = jumps[0]
    assert jump.outcome == "converged"
    assert jump.reason is None
    assert jump.saddle == 2
    assert jump.barrier > 0.1
    assert jump.barrier_back == pytest.approx(jump.barrier, abs=1e-3)
    assert jump.reaction_energy == pytest.approx(0, abs=1e-3)
    assert jump.energies[1] == pytest.approx(jump.energies[3], abs=5e-3)
    assert (np.diff(jump.distances) > 0.2).all()
    assert jump.force < 0.02


def test_at_the_saddle_no_force_and_one_way_down(jumps):
    saddle = jumps[0].images[jumps[0].saddle].atoms()
    forces = Morse().evaluate(Crystals.of_atoms([saddle])).forces_A3
    assert np.linalg.norm(forces, axis=1).max() < 0.02
    along = np.array(jumps[0].images[3].positions) - jumps[0].images[1].positions
    along = 0.05 * along / np.linalg.norm(along)
    moved = []
    for sign in (1, -1):
        moved.append(saddle.copy())
        moved[-1].positions += sign * along
    energies = Morse().evaluate(Crystals.of_atoms([saddle, *moved])).energies_G
    assert (energies[1:] < energies[0]).all()


def test_there_and_back_is_the_same(jumps):
    assert jumps[2].barrier == pytest.approx(jumps[0].barrier_back, abs=1e-3)
    assert [len(jump.images) for jump in jumps] == [5, 5, 5]


def test_the_others_in_the_batch_do_not_matter(jumps):
    alone = found([vacancy("Al")], images=3, force=0.02, atoms_in_flight=1)[0]
    assert alone.steps == jumps[1].steps
    assert alone.barrier == pytest.approx(jumps[1].barrier, abs=1e-9)


def test_idpp_leads_to_the_same_saddle(jumps):
    other = found([vacancy()], images=3, force=0.02, interpolation="idpp")[0]
    assert other.barrier == pytest.approx(jumps[0].barrier, abs=2e-3)


def test_a_jump_to_a_higher_place_is_easier_back():
    there, back = found([divacancy(), divacancy()[::-1]], images=3, force=0.02)
    ends = Morse().evaluate(Crystals.of_atoms([there.images[0].atoms(), there.images[-1].atoms()])).energies_G
    assert there.reaction_energy == pytest.approx(ends[1] - ends[0], abs=1e-9)
    assert there.reaction_energy > 0.05  # a bond between the holes is lost
    assert there.barrier_back == pytest.approx(there.barrier - there.reaction_energy, abs=1e-9)
    assert there.energies[there.saddle] == there.barrier > there.reaction_energy
    assert back.reaction_energy == pytest.approx(-there.reaction_energy, abs=1e-3)
    assert back.barrier == pytest.approx(there.barrier_back, abs=2e-3)
    assert back.barrier_back == pytest.approx(there.barrier, abs=2e-3)


@pytest.mark.parametrize("evaluations", [1, 15, 40])
def test_what_was_stopped_goes_on_as_if_nothing_had_happened(tmp_path, evaluations):
    pairs = [Crystals.of_atoms(side) for side in zip(vacancy(), vacancy("Al"), strict=True)]
    settings = NebSettings(images=1, force=0.03, atoms_in_flight=16)
    answers = iter([True] * evaluations)
    with pytest.raises(OutOfTimeError):
        minimum_energy_paths(
            Morse(), *pairs, settings, pace=Pace(directory=tmp_path, go_on=lambda: next(answers, False))
        )
    again = minimum_energy_paths(Morse(), *pairs, settings, pace=Pace(directory=tmp_path))
    assert again == minimum_energy_paths(Morse(), *pairs, settings)


def test_what_does_not_settle_is_said():
    stuck = found([vacancy()], images=3, relax=False, steps=2)[0]
    assert stuck.outcome == "out of steps"
    assert "does not settle" in stuck.reason
    assert stuck.barrier is None
    assert stuck.force > 0.05
    assert len(stuck.energies) == 5
    ends = found([vacancy()], steps=1, force=1e-5)[0]
    assert ends.outcome is None
    assert ends.reason == "the first end does not come to rest: out of steps"


def test_no_way_between_a_structure_and_itself():
    first, _ = vacancy()
    moved = first.copy()
    moved.positions += 0.7
    assert found([(first, moved)])[0].reason == "both ends are the same structure"


def test_energies_that_are_no_numbers_are_flagged():
    first, last = (Crystals.of_atoms([side]) for side in vacancy())
    broken = minimum_energy_paths(Senseless(), first, last, NebSettings(relax=False))[0]
    assert broken.reason == "the energy of an end is no number"


def test_ends_that_do_not_belong_together():
    first, last = vacancy()
    swapped = last.copy()
    swapped.symbols[3] = "Al"
    larger = last.copy()
    larger.set_cell(1.1 * last.cell.array)
    slab = last.copy()
    slab.pbc = (True, True, False)
    for wrong, said in (
        (swapped, "path 1: atom 3 is Cu at the first end, Al at the last"),
        (last[:-1], "15 atoms at the first end, 14"),
        (larger, "cells"),
        (slab, "different vectors"),
    ):
        with pytest.raises(InputError, match=said):
            found([(first, last), (first, wrong)])
    iron = bulk("Fe", cubic=True)
    with pytest.raises(InputError, match="does not know Fe"):
        found([(iron, iron)])
    with pytest.raises(InputError, match="give pairs"):
        minimum_energy_paths(Morse(), Crystals.of_atoms([first]), Crystals.of_atoms([]))


def test_no_paths():
    assert minimum_energy_paths(Morse(), Crystals.of_atoms([]), Crystals.of_atoms([])) == []


@pytest.mark.parametrize("wrong", [{"images": 0}, {"spring": 0.0}, {"interpolation": "cubic"}])
def test_settings_that_make_no_sense(wrong):
    with pytest.raises(InputError, match="neb"):
        NebSettings(**wrong)


def test_images_alike_feel_no_springs():
    positions = np.zeros((3, 2, 3))
    pulls = band_forces(
        positions, np.zeros(3), np.ones((1, 2, 3)), cell_33=np.eye(3), periodic_3=np.zeros(3, bool),
        spring=1.0, climb=False,
    )  # fmt: skip
    np.testing.assert_allclose(pulls, 1.0)
