"""Numbers in another unit are noticed, the right ones are not; nothing is converted."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from labels_for_tests import VASP, record_of

from zonemelt.tasks.quality.magnitudes import energy_of_atoms, energy_of_outer_shells, suspicious_units
from zonemelt.tasks.quality.work import check_work
from zonemelt.tasks.records import Ingested

SILICON = bulk("Si")
HARTREE = 27.211386
# what codes give for silicon, eV for two atoms: VASP's PBE, Quantum ESPRESSO's LDA, all electrons of FHI-aims
USUAL = {"vasp": -10.8, "quantum_espresso": -215.4, "fhi-aims": -2 * 7900.0, "a table": -3.0}


def silicon(code, scale=1.0, **more):
    theory = VASP.model_copy(update={"code": code})
    return record_of(SILICON, energy_free=USUAL[code] * scale, theory=theory, **more)


@pytest.mark.parametrize("code", USUAL)
def test_usual_energies_are_not_suspicious(code):
    assert suspicious_units([silicon(code)] * 3) == []


@pytest.mark.parametrize(
    ("code", "scale", "guess"),
    [
        ("vasp", 1 / HARTREE, "Hartree"),
        ("vasp", 2 / HARTREE, "Rydberg"),
        ("vasp", 96.485, "kJ/mol"),
        ("quantum_espresso", 2 / HARTREE, "Rydberg"),
        ("quantum_espresso", 1 / HARTREE, "Hartree"),
        ("fhi-aims", 1 / HARTREE, "Hartree"),
        ("fhi-aims", 2 / HARTREE, "Rydberg"),
        ("fhi-aims", 23.06, "kcal/mol"),
    ],
)
def test_energies_in_another_unit_are_noticed(code, scale, guess):
    record = silicon(code, scale)
    (found,) = suspicious_units([record])
    assert found.quantity == "energy"
    assert guess in found.guess
    assert "nothing was converted" in found.reason
    assert record.energy_free == USUAL[code] * scale


def test_few_odd_labels_are_for_outliers():
    assert suspicious_units([silicon("vasp")] * 9 + [silicon("vasp", 100)] * 3) == []


def test_forces_and_stresses_in_another_unit_are_noticed():
    forces = ((400.0, 0, 0), (-400.0, 0, 0))
    found = suspicious_units([silicon("vasp", forces=forces, stress=np.diag([12.0, 3, 5]).tolist())])
    assert [one.quantity for one in found] == ["forces", "stress"]
    assert found[1].guess == ("GPa", "kbar")
    usual = silicon("vasp", forces=((4.0, 0, 0), (-4.0, 0, 0)), stress=np.diag([0.02, 0, 0]).tolist())
    assert suspicious_units([usual]) == []


@pytest.mark.parametrize(
    ("symbol", "hartree"), [("H", -0.5), ("C", -37.84), ("Si", -289.36), ("Cu", -1640.4)]
)
def test_atoms_have_their_energies(symbol, hartree):
    assert energy_of_atoms([symbol]) == pytest.approx(hartree * HARTREE, rel=0.1)


def test_outer_shells():
    assert energy_of_outer_shells(["H"]) == pytest.approx(-13.6, abs=0.01)
    assert energy_of_outer_shells(["Si", "Si"]) == pytest.approx(-206, abs=1)  # 8.15 + 16.35 + 33.49 + 45.14


def run(count=6, *, strained=True, energy=1.0, forces=1.0, stress=1.0, per_atom=False, drift=0.05):
    """Frames of a run by EMT, with quantities multiplied."""
    rng = np.random.default_rng(0)
    start = bulk("Al", cubic=True)
    start.symbols[0] = "Cu"
    moves, strain = rng.normal(size=start.positions.shape), np.eye(3) + 0.2 * rng.normal(size=(3, 3))
    frames = []
    for i in range(count):
        atoms = start.copy()
        atoms.positions += drift * i * moves
        if strained:
            atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.01 * i * strain), scale_atoms=True)
        if i % 2:
            atoms.wrap()
        atoms.calc = EMT()
        frames.append(
            record_of(
                atoms,
                f"frame {i}",
                energy_free=atoms.get_potential_energy() * energy / (len(atoms) if per_atom else 1),
                forces=(forces * atoms.get_forces()).tolist(),
                stress=(stress * atoms.get_stress(voigt=False)).tolist(),
                provenance=Ingested(source="x", calculation="run", parser="p", frame=i, frames=count),
            )
        )
    return frames[::-1]


@pytest.mark.parametrize("strained", [False, True])
def test_energies_are_the_work_of_forces_and_stress(strained):
    (found,) = check_work(run(strained=strained))
    assert found.steps == 5
    assert found.ratio == pytest.approx(1, abs=0.03)
    assert found.reason == ""


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ({"forces": -1}, "wrong sign"),
        ({"forces": 0.5291772 / HARTREE}, "forces are in Hartree/bohr"),
        ({"forces": 2 * 0.5291772 / HARTREE}, "forces are in Rydberg/bohr"),
        ({"energy": 1 / HARTREE}, "energies are in Hartree"),
        ({"energy": 2 / HARTREE}, "energies are in Rydberg"),
        ({"energy": 1 / HARTREE, "forces": 0.5291772 / HARTREE}, "atomic units"),
        ({"energy": 96.485}, "kJ/mol"),
        ({"per_atom": True}, "those of one atom"),
        ({"energy": 7.0}, "no usual mistake explains it"),
    ],
)
def test_mistakes_show_in_the_work(mistake, words):
    (found,) = check_work(run(strained=False, **mistake))
    assert words in found.reason
    assert "nothing was converted" in found.reason


@pytest.mark.parametrize(
    ("factor", "words"),
    [(-1.0, "wrong sign"), (160.2177, "stress is in GPa"), (-1602.177, "kbar with the sign of VASP")],
)
def test_mistakes_of_stress_show_in_the_work(factor, words):
    assert check_work(run(drift=0))[0].ratio == pytest.approx(1, abs=0.03)
    (found,) = check_work(run(drift=0, stress=factor))
    assert words in found.reason


def test_too_few_steps_say_nothing():
    (found,) = check_work(run(3))
    assert (found.ratio, found.steps, found.reason) == (None, 2, "")
    assert check_work([]) == []


def test_steps_that_are_not_steps_are_left_out():
    frames = run()
    far = [one.model_copy(update={"geometry": bulk_far(one.geometry, i)}) for i, one in enumerate(frames)]
    assert check_work(far)[0].steps == 0
    assert check_work([one.model_copy(update={"forces": None}) for one in frames])[0].steps == 0


def bulk_far(geometry, i):
    moved = np.array(geometry.positions)
    moved[0] += [0.9 * i, 0, 0]
    return geometry.model_copy(update={"positions": tuple(map(tuple, moved.tolist()))})
