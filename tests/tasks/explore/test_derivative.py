"""Enumeration of orderings: the published counts, no two alike, whatever the basis of the cell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.analysis.structure_matcher import StructureMatcher

from zonemelt.tasks.explore.derivative import Ordering, hermite_form, orderings, rotations
from zonemelt.tasks.explore.orderings import decorated

VOLUMES = {"Al": 16.0, "Au": 17.0}
MATCHER = StructureMatcher(ltol=0.01, stol=0.01, angle_tol=0.5, scale=True)


def up_to_exchange(size: int) -> int:
    """Orderings that are distinct even when the two elements change places."""
    seen: list = []
    for ordering in orderings(size):
        swapped = Ordering(hermite=ordering.hermite, colours=tuple(1 - c for c in ordering.colours))
        other = decorated(swapped, ["Al", "Au"], {"Al": 1.0, "Au": 1.0}).structure()
        if not any(MATCHER.fit(other, one) for one in seen):
            seen.append(decorated(ordering, ["Al", "Au"], {"Al": 1.0, "Au": 1.0}).structure())
    return len(seen)


@pytest.mark.parametrize(("size", "count"), [(2, 2), (3, 3), (4, 12), (5, 14)])
def test_counts_of_hart_and_forcade(size: int, count: int) -> None:
    assert up_to_exchange(size) == count


def test_no_two_orderings_are_equivalent() -> None:
    structures = [decorated(o, ["Al", "Au"], VOLUMES).structure() for o in orderings(4)]
    groups = MATCHER.group_structures(structures)
    assert len(groups) == len(structures) == 19


def test_rotations_are_the_cubic_group() -> None:
    group = {tuple(r.ravel()) for r in rotations()}
    assert len(group) == 48
    assert all(tuple((a @ b).ravel()) in group for a in rotations()[:6] for b in rotations())


@given(
    st.lists(st.integers(-4, 4), min_size=9, max_size=9), st.lists(st.integers(-3, 3), min_size=3, max_size=3)
)
def test_hermite_form_does_not_depend_on_the_basis(entries: list[int], mix: list[int]) -> None:
    rows = np.array(entries).reshape(3, 3)
    if round(np.linalg.det(rows)) == 0:
        return
    unimodular = np.array([[1, mix[0], mix[1]], [0, 1, mix[2]], [0, 0, 1]])
    form = hermite_form(rows)
    assert hermite_form(unimodular @ rows[[2, 0, 1]]) == form
    assert round(np.linalg.det(np.array(form))) == abs(round(np.linalg.det(rows)))


def test_volume_is_vegards() -> None:
    for ordering in orderings(3):
        geometry = decorated(ordering, ["Al", "Au"], VOLUMES)
        assert geometry.atoms().get_volume() == pytest.approx(sum(VOLUMES[s] for s in geometry.symbols))
