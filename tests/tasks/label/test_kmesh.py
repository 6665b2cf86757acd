"""A folded mesh samples exactly the points of its parent's."""

import numpy as np
import pytest
from ase.build import bulk

from zonemelt.tasks.errors import OracleError
from zonemelt.tasks.explore.derivative import orderings
from zonemelt.tasks.explore.orderings import decorated
from zonemelt.tasks.label.kmesh import folded_mesh
from zonemelt.tasks.label.kpoints import KPoints, irreducible, kpoints_of
from zonemelt.tasks.label.protocols import find_protocol
from zonemelt.tasks.records import Geometry

IDENTITY = np.eye(3, dtype=int).tolist()
ELEMENT = decorated(orderings(1)[0], ["Al", "Al"], {"Al": 16.0})


def cartesian(points: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Points in reciprocal vectors of ``cell``, in units of 2π/Å."""
    return points @ np.linalg.inv(cell).T


@pytest.mark.parametrize("size", [2, 4])
def test_every_parent_point_is_sampled_once(size: int) -> None:
    for ordering in orderings(size):
        geometry = decorated(ordering, ["Al", "Au"], {"Al": 16.0, "Au": 16.0})
        cell, primitive = np.array(geometry.cell), ELEMENT.cell
        folded = folded_mesh(geometry.supercell, 4)
        assert len(folded) == 4**3 // size
        parent = cartesian(folded_mesh(IDENTITY, 4), np.array(primitive))
        in_cell = parent @ cell.T
        images = {tuple(np.rint(4 * (point % 1)).astype(int) % 4) for point in in_cell}
        assert len(images) == len(folded)
        assert images == {tuple(np.rint(4 * (point % 1)).astype(int) % 4) for point in folded}
        assert np.allclose(4 * folded, np.rint(4 * folded))


def test_a_cell_that_does_not_fit_is_refused() -> None:
    with pytest.raises(OracleError, match="3 sites does not fit a mesh of 4"):
        folded_mesh([[1, 0, 0], [0, 1, 0], [0, 0, 3]], 4)


def test_density_unless_a_mesh_is_asked_for() -> None:
    plain = find_protocol({"based_on": "fast", "kpoint_density": 2.0}, code="gpaw")
    assert kpoints_of(ELEMENT, plain).mesh == (6, 6, 6)
    folded = find_protocol({"based_on": "fast", "kpoint_mesh": 4}, code="gpaw")
    orphan = ELEMENT.model_copy(update={"supercell": None})
    with pytest.raises(OracleError, match="parent lattice"):
        kpoints_of(orphan, folded)


def test_a_point_stands_for_its_negative() -> None:
    weighted = KPoints(points=folded_mesh(IDENTITY, 4)).weighted()
    assert len(weighted) == 36  # 8 are their own negatives: (64 - 8) / 2 + 8
    assert weighted[:, 3].sum() == pytest.approx(1)
    assert sorted(set(np.round(weighted[:, 3] * 64))) == [1, 2]


@pytest.mark.parametrize(
    ("mesh", "shift", "special"),
    [(2, 1, 2), (4, 0, 8), (4, 1, 10)],  # D. J. Chadi, M. L. Cohen, Phys. Rev. B 8, 5747 (1973): 2 and 10
)
def test_special_points_of_silicon_are_the_known_ones(mesh: int, shift: int, special: int) -> None:
    asked = KPoints(mesh=(mesh,) * 3, shift=(shift,) * 3)
    assert asked.count == mesh**3
    assert irreducible(Geometry.of(bulk("Si")), asked) == special
    assert irreducible(Geometry.of(bulk("Si")), KPoints(points=folded_mesh(IDENTITY, mesh))) == mesh**3
