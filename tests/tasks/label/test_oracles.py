"""Oracles: forces and stress are derivatives of the energy; failures are loud; one run a label."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.calculators.emt import EMT

from zonemelt.tasks.errors import InputError, OracleError
from zonemelt.tasks.generate.candidates import pure_fcc
from zonemelt.tasks.ingest.ingest_file import ingest_path
from zonemelt.tasks.ingest.verdicts import Verdict
from zonemelt.tasks.label import emt, gpaw
from zonemelt.tasks.label.registry import ORACLES, oracle_named
from zonemelt.tasks.label.settings import EmtSettings, GpawSettings
from zonemelt.tasks.records import Geometry, Record

ROOT = Path(__file__).resolve().parents[3]
GPAW_PYTHON = Path(os.environ.get("ZONEMELT_GPAW_PYTHON", ROOT / ".venv-gpaw/bin/python"))
needs_gpaw = pytest.mark.skipif(not GPAW_PYTHON.is_file(), reason=f"no {GPAW_PYTHON}: run `make oracle`")
COARSE = GpawSettings(python=str(GPAW_PYTHON), functional="LDA", cutoff=250, kpoint_density=1.0)


def rattled(elements: tuple[str, str]) -> Geometry:
    atoms = pure_fcc(elements[0], 4.05).atoms().repeat((2, 1, 1))
    atoms.symbols[1] = elements[1]
    atoms.rattle(0.1, seed=3)
    return Geometry.of(atoms)


def moved(geometry: Geometry, step: float) -> Geometry:
    positions = np.array(geometry.positions)
    positions[0, 0] += step
    return Geometry(cell=geometry.cell, symbols=geometry.symbols, positions=positions.tolist())


def stretched(geometry: Geometry, strain: float) -> Geometry:
    deformation = np.diag([1 + strain, 1, 1])
    return Geometry(
        cell=(np.array(geometry.cell) @ deformation).tolist(),
        symbols=geometry.symbols,
        positions=(np.array(geometry.positions) @ deformation).tolist(),
    )


class Contract:
    """What every oracle promises."""

    step = 0.01  # Å
    force_tolerance = 1e-3  # eV/Å
    stress_tolerance = 1e-4  # eV/Å³

    def run(self, geometry: Geometry, folder: Path) -> Record:
        raise NotImplementedError

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path

    @pytest.fixture
    def geometry(self) -> Geometry:
        return rattled(("Al", "Au"))

    @pytest.fixture
    def record(self, geometry: Geometry, folder: Path) -> Record:
        return self.run(geometry, folder)

    def test_force_is_minus_the_slope_of_the_free_energy(
        self, record: Record, geometry: Geometry, folder: Path
    ) -> None:
        up, down = (self.run(moved(geometry, s * self.step), folder).energy_free for s in (1, -1))
        assert record.forces is not None
        assert record.forces[0][0] == pytest.approx(-(up - down) / (2 * self.step), abs=self.force_tolerance)

    def test_forces_sum_to_nothing(self, record: Record) -> None:
        assert np.sum(record.forces, axis=0) == pytest.approx(np.zeros(3), abs=self.force_tolerance)

    def test_stress_is_symmetric(self, record: Record) -> None:
        assert np.array(record.stress) == pytest.approx(np.array(record.stress).T)

    def test_the_same_twice(self, record: Record, geometry: Geometry, folder: Path) -> None:
        again = self.run(geometry, folder)
        assert again.energy_free == pytest.approx(record.energy_free, abs=1e-9)
        assert again.provenance.input_digest == record.provenance.input_digest


class TestEmt(Contract):
    """ASE's effective-medium theory."""

    def run(self, geometry: Geometry, folder: Path) -> Record:
        return emt.label(geometry, EmtSettings(), identifier="x", workdir=folder)

    def test_stress_is_the_slope_with_strain_tension_positive(
        self, record: Record, geometry: Geometry, folder: Path
    ) -> None:
        up, down = (self.run(stretched(geometry, s * 1e-3), folder).energy_free for s in (1, -1))
        slope = (up - down) / 2e-3 / geometry.atoms().get_volume()
        assert record.stress is not None
        assert record.stress[0][0] == pytest.approx(slope, abs=self.stress_tolerance)

    def test_says_that_it_is_not_dft(self, record: Record) -> None:
        assert not record.theory.is_dft
        assert "not DFT" in record.theory.functional
        assert not ORACLES["emt"].is_dft

    def test_runs_once(self, geometry: Geometry, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        runs = []
        calculate = EMT.calculate

        def counted(self, *args, **kwargs):
            runs.append(1)
            return calculate(self, *args, **kwargs)

        monkeypatch.setattr(EMT, "calculate", counted)
        self.run(geometry, folder)
        assert len(runs) == 1

    def test_unknown_element_is_named(self, folder: Path) -> None:
        with pytest.raises(OracleError, match="no parameters for Ti"):
            self.run(rattled(("Al", "Ti")), folder)


@pytest.mark.dft
@needs_gpaw
class TestGpaw(Contract):
    """GPAW itself, coarsely."""

    force_tolerance = 2e-2

    def run(self, geometry: Geometry, folder: Path) -> Record:
        return gpaw.label(geometry, COARSE, identifier="x", workdir=folder)

    def test_energies_and_level_of_theory(self, record: Record) -> None:
        assert record.energy_free < record.energy_sigma0  # the entropy term lowers it
        assert record.theory.functional == "LDA"
        assert set(record.theory.setups) == {"Al", "Au"}
        assert record.convergence.iterations

    def test_its_log_is_ingested_with_the_same_numbers(self, geometry: Geometry, tmp_path: Path) -> None:
        record = self.run(geometry, tmp_path)
        (found,), (report,) = ingest_path(tmp_path / "gpaw.txt")
        assert report.verdict == Verdict.INGESTED
        assert found.energy_free == pytest.approx(record.energy_free, abs=1e-5)
        assert found.energy_sigma0 == pytest.approx(record.energy_sigma0, abs=1e-5)
        assert found.forces == pytest.approx(np.array(record.forces), abs=1e-4)
        assert found.stress == pytest.approx(np.array(record.stress), abs=1e-5)
        assert found.geometry.positions == pytest.approx(np.array(geometry.positions), abs=1e-5)
        assert found.convergence.electronic
        for field in ("code", "version", "functional", "cutoff", "smearing", "smearing_width", "spin"):
            assert getattr(found.theory, field) == getattr(record.theory, field), field

    def test_no_convergence_is_an_error_with_the_log(self, geometry: Geometry, tmp_path: Path) -> None:
        settings = COARSE.model_copy(update={"max_iterations": 2})
        with pytest.raises(OracleError, match=r"(?s)KohnShamConvergenceError.*iter:"):
            gpaw.label(geometry, settings, identifier="x", workdir=tmp_path)


def fake_python(folder: Path, body: str) -> str:
    """A program that stands in for GPAW's Python and counts its runs in ``runs``."""
    script = folder / "python"
    script.write_text(
        f"#!{sys.executable}\nimport sys, json, pathlib, time\nopen('runs','a').write('x')\n{body}\n"
    )
    script.chmod(0o755)
    return str(script)


ANSWER = {
    "energy_sigma0": -1.0,
    "energy_free": -1.1,
    "forces": [[0, 0, 0], [0, 0, 0]],
    "stress": [[0, 0, 0]] * 3,
    "iterations": 7,
    "setups": {"Al": "s"},
    "gpaw": "0",
    "ase": "0",
    "cpu_seconds": 0.5,
}


class TestGpawDriver:
    """The subprocess around GPAW, with a stand-in for its Python."""

    def label(self, tmp_path: Path, body: str, **settings: object) -> Record:
        python = fake_python(tmp_path, body)
        return gpaw.label(
            rattled(("Al", "Au")), GpawSettings(python=python, **settings), identifier="x", workdir=tmp_path
        )

    def test_one_run_a_label(self, tmp_path: Path) -> None:
        record = self.label(
            tmp_path, f"pathlib.Path(sys.argv[-1]).write_text(json.dumps({json.loads(json.dumps(ANSWER))!r}))"
        )
        assert (tmp_path / "runs").read_text() == "x"
        assert (record.energy_sigma0, record.energy_free) == (-1.0, -1.1)
        assert json.loads((tmp_path / "task.json").read_text())["cutoff"] == 300.0

    def test_death_without_a_result(self, tmp_path: Path) -> None:
        with pytest.raises(OracleError, match=r"(?s)status 3.*boom"):
            self.label(tmp_path, "sys.stderr.write('boom'); sys.exit(3)")

    def test_error_quotes_the_tail_of_the_log(self, tmp_path: Path) -> None:
        body = (
            "pathlib.Path('gpaw.txt').write_text('\\n'.join(f'line {i}' for i in range(50)))\n"
            "pathlib.Path(sys.argv[-1]).write_text(json.dumps({'error': 'did not converge'})); sys.exit(1)"
        )
        with pytest.raises(OracleError, match=r"(?s)did not converge.*line 38.*line 49") as caught:
            self.label(tmp_path, body)
        assert "line 37" not in str(caught.value)

    def test_a_stale_result_is_not_read(self, tmp_path: Path) -> None:
        (tmp_path / "result.json").write_text(json.dumps(ANSWER))
        with pytest.raises(OracleError, match="no result"):
            self.label(tmp_path, "pass")

    def test_too_long(self, tmp_path: Path) -> None:
        with pytest.raises(OracleError, match="longer than 1 s"):
            self.label(tmp_path, "time.sleep(30)", timeout=1.0)

    def test_absent_python_says_what_to_do(self, tmp_path: Path) -> None:
        with pytest.raises(OracleError, match="make oracle"):
            gpaw.find_python(GpawSettings(python=str(tmp_path / "none")), folder=tmp_path)

    def test_environment_variable_names_the_python(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ZONEMELT_GPAW_PYTHON", fake_python(tmp_path, ""))
        assert gpaw.find_python(GpawSettings(), folder=Path("/nowhere")) == tmp_path / "python"


def test_unknown_oracle_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="emt, gpaw"):
        oracle_named("vasp")
