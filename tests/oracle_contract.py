"""What every oracle promises, as tests that its own tests inherit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from zonemelt.tasks.records import Geometry, Record

if TYPE_CHECKING:
    from pathlib import Path


def moved(geometry: Geometry, step: float) -> Geometry:
    """The first atom a little along x."""
    positions = np.array(geometry.positions)
    positions[0, 0] += step
    return Geometry(cell=geometry.cell, symbols=geometry.symbols, positions=positions.tolist())


def strained(geometry: Geometry, strain: float, row: int = 0, column: int = 0) -> Geometry:
    """The crystal, longer along one axis, or sheared between two."""
    deformation = np.eye(3)
    deformation[row, column] += strain / 2
    deformation[column, row] += strain / 2
    return Geometry(
        cell=(np.array(geometry.cell) @ deformation).tolist(),
        symbols=geometry.symbols,
        positions=(np.array(geometry.positions) @ deformation).tolist(),
    )


class OracleContract:
    """Forces and stress are derivatives of the free energy, in its units; the same twice is the same."""

    step = 0.01  # Å
    strain = 2e-3
    force_tolerance = 1e-3  # eV/Å
    net_tolerance = 1e-3  # eV/Å
    stress_tolerance = 1e-4  # eV/Å³
    energy_tolerance = 1e-9  # eV, of two runs
    components: tuple[tuple[int, int], ...] = ((0, 0),)  # of the stress; those of a cheap oracle can all be

    @classmethod
    def run(cls, geometry: Geometry, folder: Path) -> Record:
        """Label a structure."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return tmp_path_factory.mktemp("label")

    @pytest.fixture(scope="class")
    @classmethod
    def geometry(cls) -> Geometry:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def record(cls, geometry: Geometry, folder: Path) -> Record:
        return cls.run(geometry, folder)

    def test_force_is_minus_the_slope_of_the_free_energy(self, record, geometry, folder) -> None:
        up, down = (self.run(moved(geometry, s * self.step), folder).energy_free for s in (1, -1))
        assert record.forces[0][0] == pytest.approx(-(up - down) / (2 * self.step), abs=self.force_tolerance)
        assert abs(record.forces[0][0]) > 10 * self.force_tolerance, "the test would not see a wrong force"

    def test_stress_is_the_slope_with_strain_tension_positive(self, record, geometry, folder) -> None:
        for row, column in self.components:
            up, down = (
                self.run(strained(geometry, s * self.strain, row, column), folder).energy_free
                for s in (1, -1)
            )
            slope = (up - down) / (2 * self.strain) / geometry.atoms().get_volume()
            assert record.stress[row][column] == pytest.approx(slope, abs=self.stress_tolerance)
            assert abs(slope) > 3 * self.stress_tolerance, "the test would not see a wrong sign"

    def test_forces_sum_to_nothing(self, record) -> None:
        assert np.sum(record.forces, axis=0) == pytest.approx(np.zeros(3), abs=self.net_tolerance)

    def test_stress_is_symmetric(self, record) -> None:
        assert np.array(record.stress) == pytest.approx(np.array(record.stress).T)

    def test_the_same_twice(self, record, geometry, folder) -> None:
        again = self.run(geometry, folder)
        assert again.energy_free == pytest.approx(record.energy_free, abs=self.energy_tolerance)
        assert again.forces == pytest.approx(np.array(record.forces), abs=1e-6)
        assert (again.theory, again.geometry) == (record.theory, record.geometry)
        assert again.provenance.input_digest == record.provenance.input_digest
        assert again.theory.key == record.theory.key
