"""Each fault of a record is found and said; what nobody asks for is no fault."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from labels_for_tests import record_of
from pydantic import ValidationError

from zonemelt.tasks.errors import UnknownKeyError
from zonemelt.tasks.quality.contacts import too_close
from zonemelt.tasks.quality.judge import POTENTIAL, Limits, judge, judged
from zonemelt.tasks.records import Convergence, Geometry

ZERO = ((0.0, 0.0, 0.0),) * 2
GOOD = record_of(
    bulk("NaCl", "rocksalt", a=5.6),
    energy_free=-6.8,
    energy_sigma0=-6.8,
    forces=ZERO,
    stress=np.eye(3).tolist(),
)


def test_a_good_label_is_accepted():
    assert judge(GOOD, need=(*POTENTIAL, "stress", "energy_sigma0")).accepted
    assert judged(GOOD).quality.accepted


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"forces": ((60.0, 0, 0), (-60.0, 0, 0))}, "largest force 60.0 eV/Å"),
        ({"forces": ((0.3, 0, 0), (0.3, 0, 0))}, "net force 0.300"),
        ({"forces": ((float("nan"), 0, 0), (0.3, 0, 0))}, "largest force nan"),
        ({"stress": ((2.0, 0, 0), (0, 0, 0), (0, 0, 0))}, "stress component of 2.00"),
        ({"stress": ((0, 0.1, 0), (0, 0, 0), (0, 0, 0))}, "not symmetric"),
        ({"convergence": Convergence(electronic=False, complete=True)}, "electronic cycle did not converge"),
        ({"convergence": Convergence(electronic=True, complete=False)}, "did not complete"),
    ],
)
def test_a_fault_is_said(change, reason):
    verdict = judge(GOOD.model_copy(update=change))
    assert not verdict.accepted
    assert any(reason in said for said in verdict.reasons)


@pytest.mark.parametrize("name", ["energy_free", "energy_sigma0", "forces", "stress", "magmoms"])
def test_what_is_absent_is_a_fault_only_if_needed(name):
    bare = GOOD.model_copy(update={name: None})
    assert judge(bare).accepted
    assert judge(bare, need=(name,)).reasons == (f"it has no {name}",)


@pytest.mark.parametrize("name", ["electronic", "complete", "ionic"])
def test_what_nobody_says_is_a_fault_only_if_needed(name):
    silent = GOOD.model_copy(update={"convergence": Convergence(electronic=None, complete=None)})
    assert judge(silent).accepted
    (reason,) = judge(silent, need=(name,)).reasons
    assert reason.startswith("nothing says")


def test_a_frame_of_a_relaxation_is_a_label_unless_relaxed_ones_are_needed():
    frame = GOOD.model_copy(update={"convergence": Convergence(electronic=True, complete=True, ionic=False)})
    assert judge(frame).accepted
    assert judge(frame, need=("ionic",)).reasons == ("the relaxation did not converge",)


def test_a_need_that_does_not_exist_is_named():
    with pytest.raises(UnknownKeyError, match="did you mean 'forces'"):
        judge(GOOD, need=("force",))


def test_limits_are_set_by_a_person():
    pushed = GOOD.model_copy(update={"forces": ((60.0, 0, 0), (-60.0, 0, 0))})
    assert judge(pushed, limits=Limits(max_force=100)).accepted
    assert not judge(GOOD, limits=Limits(max_volume=10)).accepted
    with pytest.raises(ValidationError, match=r"max_forces\n.*not permitted"):
        Limits(max_forces=100)
    with pytest.raises(ValidationError, match=r"max_force\n.*greater than 0"):
        Limits(max_force=-1)


@pytest.mark.parametrize(
    ("atoms", "said"),
    [
        (
            Atoms("Al2", [[0, 0, 0], [0.5, 0, 0]], cell=[5, 5, 5], pbc=True),
            "atoms 0 (Al) and 1 (Al) are 0.50 Å",
        ),
        (
            Atoms("Al2", [[0, 0, 0], [4.7, 0, 0]], cell=[5, 5, 5], pbc=True),
            "atoms 0 (Al) and 1 (Al) are 0.30 Å",
        ),
        (Atoms("Al2", [[0, 0, 0], [0, 0, 0]], cell=[5, 5, 5], pbc=True), "are 0.00 Å"),
        (Atoms("Al", cell=[1.1, 5, 5], pbc=True), "atom 0 (Al) and its image are 1.10 Å"),
        (Atoms("Cs2", [[0, 0, 0], [2.3, 0, 0]], cell=[9, 9, 9], pbc=True), "are 2.30 Å"),
        (Atoms("Al2", [[0, 0, 0], [0, 0, 0.9]]), "are 0.90 Å"),
        (Atoms("Al2", [[0, 0, 0], [0, 0, 5.0]], cell=[1.2, 4, 0], pbc=[1, 1, 0]), "image are 1.20 Å"),
    ],
)
def test_atoms_too_close_are_named(atoms, said):
    (reason,) = judge(record_of(atoms)).reasons
    assert said in reason


def test_short_bonds_that_exist_are_believed():
    uranyl = Atoms("OUO", [[0, 0, -1.76], [0, 0, 0], [0, 0, 1.76]])
    assert judge(record_of(uranyl)).accepted


def test_molecules_and_metals_are_not_too_close():
    for atoms in (
        molecule("H2O"),
        molecule("H2"),
        molecule("N2"),
        bulk("Al"),
        bulk("C"),
        bulk("W"),
        bulk("Be"),
    ):
        assert judge(record_of(atoms)).accepted


@settings(max_examples=60)
@given(
    cell=arrays(float, (3, 3), elements=st.floats(-4, 4)),
    places=arrays(float, st.tuples(st.integers(1, 4), st.just(3)), elements=st.floats(-1, 2, width=32)),
    elements=st.lists(st.sampled_from(["H", "O", "Cs"]), min_size=4, max_size=4),
)
def test_contacts_are_those_of_ase(cell, places, elements):
    from ase.data import covalent_radii
    from ase.neighborlist import neighbor_list

    cell = cell + 3 * np.eye(3)
    if abs(np.linalg.det(cell)) < 2 * len(places):
        return
    atoms = Atoms(elements[: len(places)], scaled_positions=places, cell=cell, pbc=True)
    radii = covalent_radii[atoms.numbers]
    first, second, distances = neighbor_list("ijd", atoms, 4.0)
    ratios = distances / (radii[first] + radii[second])
    if len(ratios) and abs(ratios.min() - 0.7) < 1e-6:
        return
    found = too_close(Geometry.of(atoms), 0.7)
    assert (found is not None) == bool(len(ratios) and ratios.min() < 0.7)
    if found is not None:
        between = (first == found.first) & (second == found.second)
        assert np.isclose(distances[between], found.distance).any()


def test_a_large_cell_and_a_heap_of_atoms_are_judged():
    large = bulk("Al", cubic=True).repeat(20)  # 32,000 atoms
    assert too_close(Geometry.of(large), 0.7) is None
    large.positions[17] = large.positions[4242] + 0.3
    assert {17, 4242} == set(vars(too_close(Geometry.of(large), 0.7)).values()) & {17, 4242}
    heap = Atoms(["Al"] * 20_000, np.zeros((20_000, 3)))  # 200 million pairs
    assert too_close(Geometry.of(heap), 0.7).distance == 0


def test_a_cell_without_room_is_not_searched():
    tiny = Atoms("Al", cell=[0.02, 0.02, 0.02], pbc=True)
    (reason,) = judge(record_of(tiny)).reasons
    assert "distances were not checked" in reason


@pytest.mark.parametrize("far", [1e6, 1e12, 1e100])
def test_atoms_far_away_are_a_fault(far):
    (reason,) = judge(record_of(Atoms("Al2", [[0, 0, 0], [far, 0, 0]]))).reasons
    assert "it spreads over" in reason
    (reason,) = judge(record_of(Atoms("Al", cell=[far, 4, 4], pbc=True))).reasons
    assert "it spreads over" in reason


@pytest.mark.parametrize("cell", [[[0, 0, 0], [0, 4, 0], [0, 0, 4]], [[4, 0, 0], [8, 0, 0], [0, 0, 4]]])
def test_a_slab_without_area_is_a_fault(cell):
    (reason,) = judge(record_of(Atoms("Al", cell=cell, pbc=[1, 1, 0]))).reasons
    assert "no length, or is parallel" in reason


def test_a_skewed_cell_is_the_lattice_it_describes():
    skewed = np.array([[1, 0, 0], [200, 1, 0], [-170, 300, 1]]) @ (4.0 * np.eye(3))
    assert too_close(Geometry.of(Atoms("Al", cell=skewed, pbc=True)), 0.7) is None
    assert too_close(Geometry.of(Atoms("Al", cell=skewed / 4, pbc=True)), 0.7).distance == pytest.approx(1)
