"""Enumeration: the published counts, no two alike, and a split that does not leak."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.structure_matcher import StructureMatcher

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore.derivative import Ordering, hermite_form, orderings, rotations
from zonemelt.tasks.generate.candidates import (
    aspect,
    check_disjoint,
    decorate,
    deform,
    enumerate_candidates,
    pure_fcc,
    reference_crystals,
    split_parents,
)

VOLUMES = {"Al": 16.0, "Au": 17.0}
MATCHER = StructureMatcher(ltol=0.01, stol=0.01, angle_tol=0.5, scale=True)


def up_to_exchange(size: int) -> int:
    """Orderings that are distinct even when the two elements change places."""
    seen: list = []
    for ordering in orderings(size):
        swapped = Ordering(hermite=ordering.hermite, colours=tuple(1 - c for c in ordering.colours))
        other = decorate(swapped, ["Al", "Au"], {"Al": 1.0, "Au": 1.0}).structure()
        if not any(MATCHER.fit(other, one) for one in seen):
            seen.append(decorate(ordering, ["Al", "Au"], {"Al": 1.0, "Au": 1.0}).structure())
    return len(seen)


@pytest.mark.parametrize(("size", "count"), [(2, 2), (3, 3), (4, 12), (5, 14)])
def test_counts_of_hart_and_forcade(size: int, count: int) -> None:
    assert up_to_exchange(size) == count


def test_no_two_orderings_are_equivalent() -> None:
    structures = [decorate(o, ["Al", "Au"], VOLUMES).structure() for o in orderings(4)]
    groups = MATCHER.group_structures(structures)
    assert len(groups) == len(structures) == 19


def test_rotations_are_the_cubic_group() -> None:
    group = {tuple(r.ravel()) for r in rotations()}
    assert len(group) == 48
    assert all(tuple((a @ b).ravel()) in group for a in rotations()[:6] for b in rotations())


@settings(deadline=None)
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
        geometry = decorate(ordering, ["Al", "Au"], VOLUMES)
        assert geometry.atoms().get_volume() == pytest.approx(sum(VOLUMES[s] for s in geometry.symbols))


def test_deform_is_reproducible_and_strains_the_volume() -> None:
    geometry = pure_fcc("Al", 4.0)
    assert deform(geometry, strain=0.0, rattle=0.1, seed=5) == deform(
        geometry, strain=0.0, rattle=0.1, seed=5
    )
    stretched = deform(geometry, strain=0.02, rattle=0.0, seed=5)
    assert stretched.atoms().get_volume() == pytest.approx(1.02**3 * geometry.atoms().get_volume())


def enumerated(**changes):
    asked = {"sizes": [2, 3, 4], "max_aspect": 3.0, "strains": [-0.02, 0.0], "rattle": 0.05, "seed": 0}
    return enumerate_candidates(elements=["Al", "Au"], volumes=VOLUMES, **{**asked, **changes})


def test_candidates_have_their_own_names_and_compact_cells() -> None:
    parents, candidates = enumerated()
    assert len({c.identifier for c in candidates}) == len(candidates) == 3 * len(parents)
    assert all(aspect(geometry) <= 3.0 for geometry in parents.values())
    assert len(enumerated(max_aspect=10.0)[0]) == 27


@settings(deadline=None)
@given(seed=st.integers(0, 1000), heldout=st.integers(1, 10))
def test_split_holds_out_whole_orderings(seed: int, heldout: int) -> None:
    names = [f"p{i}" for i in range(20)]
    split = split_parents(names, heldout=heldout, seed=seed)
    assert len(split.heldout) == heldout
    assert sorted(split.pool + split.heldout) == sorted(names)


def test_split_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be held out"):
        split_parents(["a", "b", "c"], heldout=2, seed=0)


def test_leak_is_found() -> None:
    parents, _ = enumerated()
    split = split_parents(list(parents), heldout=4, seed=0)
    assert check_disjoint(parents, split) > 0
    leaked = dict(parents)
    leaked[split.heldout[0]] = deform(parents[split.pool[0]], strain=0.03, rattle=0.0, seed=0)
    with pytest.raises(InputError, match=f"{split.heldout[0]} is equivalent to {split.pool[0]}"):
        check_disjoint(leaked, split)


@pytest.mark.parametrize("element", ["Fe", "Xx"])
def test_reference_must_be_fcc(element: str) -> None:
    with pytest.raises(InputError, match=element):
        reference_crystals(["Al", element], [-0.1, 0.0, 0.1, 0.2, 0.3])


def test_too_few_reference_strains() -> None:
    with pytest.raises(InputError, match="2 strains"):
        reference_crystals(["Al"], [-0.1, 0.1])
