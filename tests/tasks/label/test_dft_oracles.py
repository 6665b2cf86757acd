"""The DFT oracles: the programs themselves on two silicon atoms, one run a label, loud failures."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from ase.build import bulk
from oracle_contract import OracleContract

from zonemelt.tasks.errors import OracleAbsentError, UnconvergedError
from zonemelt.tasks.ingest.ingest_file import ingest_path
from zonemelt.tasks.ingest.verdicts import Verdict
from zonemelt.tasks.label.codes import gpaw
from zonemelt.tasks.label.dft import code_named, label
from zonemelt.tasks.label.settings import AbinitSettings, EspressoSettings, GpawSettings
from zonemelt.tasks.quality.judge import POTENTIAL, judge
from zonemelt.tasks.records import Geometry, Record

if TYPE_CHECKING:
    from pathlib import Path

needs_qe = pytest.mark.skipif(not shutil.which("pw.x"), reason="no pw.x: run `make oracle ORACLE=qe`")
needs_abinit = pytest.mark.skipif(not shutil.which("abinit"), reason="no abinit: `make oracle ORACLE=abinit`")


def _has_gpaw() -> bool:
    try:
        return bool(gpaw.EXECUTABLE.find())
    except OracleAbsentError:
        return False


needs_gpaw = pytest.mark.skipif(not _has_gpaw(), reason="no .venv-gpaw: run `make oracle ORACLE=gpaw`")
# A mesh of 2 2 2 for two atoms: forces and energies agree with each other on any mesh.
COARSE = {"based_on": "fast", "kpoint_density": 0.9}


def silicon() -> Geometry:
    atoms = bulk("Si")
    atoms.rattle(0.08, seed=3)
    atoms.set_cell(atoms.cell @ np.diag([0.96, 0.97, 0.96]), scale_atoms=True)  # pressed: a stress to be seen
    return Geometry.of(atoms)


class DftContract(OracleContract):
    """What the DFT codes promise besides."""

    force_tolerance = 2e-2
    strain = 1e-2
    stress_tolerance = 1.2e-2  # a cutoff this low leaves a Pulay stress
    energy_tolerance = 1e-6
    settings: object
    code: str

    @classmethod
    def run(cls, geometry: Geometry, folder: Path) -> Record:
        return label(geometry, cls.settings, identifier="si2", workdir=folder)

    @pytest.fixture(scope="class")
    @classmethod
    def geometry(cls) -> Geometry:
        return silicon()

    def test_level_of_theory_is_the_protocol(self, record: Record) -> None:
        assert record.theory.code == self.code
        assert record.theory.version
        assert set(record.theory.setups) == {"Si"}
        assert len(record.theory.protocol) == 16
        assert record.theory.is_dft

    def test_the_entropy_lowers_the_free_energy_a_little(self, record: Record) -> None:
        assert 0 <= record.energy_sigma0 - record.energy_free < 0.3

    def test_quality_control_takes_it(self, record: Record) -> None:
        assert judge(record, need=POTENTIAL).accepted
        assert record.convergence.iterations > 2

    def test_its_log_is_ingested_with_the_same_numbers(self, record, geometry, folder) -> None:
        self.run(geometry, folder)
        (found,), (report,) = ingest_path(folder / record.provenance.log)
        assert report.verdict == Verdict.INGESTED
        assert found.forces == pytest.approx(np.array(record.forces), abs=1e-4)
        assert found.stress == pytest.approx(np.array(record.stress), abs=1e-5)
        assert found.energy_free == pytest.approx(record.energy_free, abs=1e-5)
        for field in ("code", "version", "functional"):
            assert getattr(found.theory, field) == getattr(record.theory, field), field
        assert found.theory.cutoff == pytest.approx(record.theory.cutoff, abs=0.1)

    def test_the_code_runs_once(self, geometry, tmp_path) -> None:
        program = code_named(self.settings.code).EXECUTABLE.find()[0]
        wrapper = tmp_path / "counted"
        wrapper.write_text(f'#!/bin/sh\necho run >> {tmp_path}/runs\nexec {program} "$@"\n')
        wrapper.chmod(0o755)
        label(
            geometry,
            self.settings.model_copy(update={"command": str(wrapper)}),
            identifier="once",
            workdir=tmp_path,
        )
        assert (tmp_path / "runs").read_text() == "run\n"

    def test_no_convergence_is_told_and_safer_numerics_are_tried(self, geometry, tmp_path) -> None:
        protocol = {
            **self.settings.protocol,
            "numerics": {"max_iterations": 2},
            "safer": [{"max_iterations": 3}, {"max_iterations": 200}],
        }
        settings = self.settings.model_copy(update={"protocol": protocol})
        record = label(geometry, settings, identifier="hard", workdir=tmp_path)
        assert record.theory == self.run(geometry, tmp_path / "plain").theory
        assert "did not converge in 2" in record.properties["attempts"].value
        assert record.properties["attempts"].value.endswith("safer 2")
        hopeless = settings.model_copy(update={"protocol": protocol | {"safer": []}})
        with pytest.raises(UnconvergedError, match="did not converge in 2 iterations"):
            label(geometry, hopeless, identifier="hopeless", workdir=tmp_path)


@pytest.mark.dft
@needs_qe
class TestEspresso(DftContract):
    """Quantum ESPRESSO's pw.x."""

    settings = EspressoSettings(protocol=COARSE)
    code = "quantum-espresso"

    def test_nickel_is_a_magnet(self, tmp_path: Path) -> None:
        protocol = {
            "based_on": "debian", "cutoff": 340.0, "density_cutoff": 2700.0, "kpoint_density": 1.2,
            "spin": True,
            "magmoms": {"Ni": 2.0},
        }  # fmt: skip
        wanted = EspressoSettings(protocol=protocol)
        record = label(Geometry.of(bulk("Ni")), wanted, identifier="ni", workdir=tmp_path)
        assert (
            "starting_magnetization(1) = 0.2" in (tmp_path / "espresso.pwi").read_text()
        )  # 2 of 10 electrons
        assert 0.5 < record.magmoms[0] < 0.8  # 0.6 in experiment
        assert record.properties["magmom"].value == pytest.approx(record.magmoms[0], abs=0.1)
        assert record.theory.spin


@pytest.mark.dft
@pytest.mark.slow
@needs_abinit
class TestAbinit(DftContract):
    """ABINIT."""

    settings = AbinitSettings(protocol=COARSE)
    code = "abinit"


@pytest.mark.dft
@needs_abinit
def test_a_crystal_without_forces_converges_as_any_other(tmp_path: Path) -> None:
    perfect = Geometry.of(bulk("Si"))
    found = [
        label(perfect, AbinitSettings(protocol=COARSE | more), identifier="si", workdir=tmp_path / name)
        for name, more in (("usual", {}), ("tight", {"numerics": {"tolerance": 1e-11}}))
    ]
    assert found[0].energy_free == pytest.approx(found[1].energy_free, abs=2e-7)
    assert np.array(found[0].stress) == pytest.approx(np.array(found[1].stress), abs=2e-6)


@pytest.mark.dft
@needs_gpaw
class TestGpaw(DftContract):
    """GPAW."""

    settings = GpawSettings(protocol=COARSE)
    code = "gpaw"
