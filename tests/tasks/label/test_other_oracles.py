"""Calculators of ASE by name, potentials as teachers, and atomate2's makers of VASP with recorded runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from oracle_contract import OracleContract
from potentials_for_tests import Morse

from zonemelt.tasks.convert.documents.units import KBAR_OF_VASP
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError, OracleAbsentError, OracleError, UnfitStructureError
from zonemelt.tasks.label import by_ase, by_atomate2, by_potential
from zonemelt.tasks.label.jobs import label_job
from zonemelt.tasks.label.prepared import prepared
from zonemelt.tasks.label.settings import AseSettings, EmtSettings, PotentialSettings, VaspSettings
from zonemelt.tasks.label.static import StaticMaker
from zonemelt.tasks.records import Geometry, Record, one_theory

MOCK_VASP = Path(os.environ.get("ZONEMELT_DATA") or Path(__file__).parents[4] / "shared" / "data")
MOCK_VASP = MOCK_VASP / "07_dft_outputs" / "vasp" / "atomate2"
LJ = AseSettings(
    calculator="ase.calculators.lj:LennardJones",
    arguments={"sigma": 2.3, "epsilon": 0.4, "rc": 6.0, "smooth": True},
)


def copper() -> Geometry:
    atoms = bulk("Cu", cubic=True) * (2, 1, 1)
    atoms.rattle(0.1, seed=1)
    atoms.set_cell(atoms.cell @ np.diag([0.97, 1, 1]), scale_atoms=True)
    return Geometry.of(atoms)


class TestLennardJones(OracleContract):
    """A calculator of ASE that is named by its import path."""

    step = 1e-3  # it is stiff
    components = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))

    @classmethod
    def run(cls, geometry: Geometry, folder: Path) -> Record:
        return by_ase.label(geometry, LJ, identifier="cu", workdir=folder)

    @pytest.fixture(scope="class")
    @classmethod
    def geometry(cls) -> Geometry:
        return copper()

    def test_it_is_calculated_once(self, geometry, folder, monkeypatch) -> None:
        runs = []
        calculate = LennardJones.calculate
        promised = [*LennardJones.implemented_properties, "magmoms"]
        monkeypatch.setattr(LennardJones, "implemented_properties", promised)
        monkeypatch.setattr(
            LennardJones, "calculate", lambda *a, **k: (runs.append(1), calculate(*a, **k))[1]
        )
        self.run(geometry, folder)
        assert len(runs) == 1

    def test_it_never_mixes_with_others(self, record, geometry, folder) -> None:
        other = LJ.model_copy(update={"arguments": LJ.arguments | {"epsilon": 0.5}})
        stronger = by_ase.label(geometry, other, identifier="cu", workdir=folder)
        toy = by_ase.emt(geometry, EmtSettings(), identifier="cu", workdir=folder)
        for another in (stronger, toy):
            with pytest.raises(InputError, match="levels of theory are mixed"):
                one_theory([record, another])


def test_an_eam_file_is_read(tmp_path: Path) -> None:
    from ase.calculators.eam import EAM
    from scipy.interpolate import InterpolatedUnivariateSpline as Spline

    radii, densities = np.linspace(0, 5, 200), np.linspace(0, 5, 200)
    source = EAM(
        elements=["Cu"], form="alloy", cutoff=5.0, Z=[29], mass=[63.5], a=[3.6], lattice=["fcc"],
        nr=200, nrho=200, dr=radii[1], drho=densities[1],
        embedded_energy=np.array([Spline(densities, -np.sqrt(densities), k=3)]),
        electron_density=np.array([Spline(radii, np.exp(-radii) * (5 - radii) ** 2 / 25, k=3)]),
        phi=np.array([[Spline(radii, np.exp(-2 * radii) * (5 - radii) ** 2, k=3)]]),
    )  # fmt: skip
    source.Nelements = 1
    source.write_potential(str(tmp_path / "cu.alloy"))
    settings = AseSettings(
        calculator="ase.calculators.eam:EAM", arguments={"potential": str(tmp_path / "cu.alloy")}
    )
    record = by_ase.label(copper(), settings, identifier="cu", workdir=tmp_path)
    assert np.abs(record.forces).max() > 1e-3
    assert np.sum(record.forces, axis=0) == pytest.approx(np.zeros(3), abs=1e-9)


def test_only_calculators_of_the_list_are_imported(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "mine.py").write_text(
        "from pathlib import Path\nPath('imported').touch()\n"
        "from ase.calculators.emt import EMT\ndef make(n): return EMT()\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    settings = AseSettings(calculator="mine:make", arguments={"n": 1}, admitted="mine:make")
    with pytest.raises(InputError, match=r"mine:make is not allowed.*\n.*ZONEMELT_CALCULATORS"):
        prepared("ase", settings)  # what the file says of itself does not count
    assert not Path("imported").exists()
    monkeypatch.setenv("ZONEMELT_CALCULATORS", "other:thing, mine:make")
    asked = AseSettings.model_validate(prepared("ase", settings))
    monkeypatch.delenv("ZONEMELT_CALCULATORS")  # as on another machine's workers
    assert by_ase.label(copper(), asked, identifier="cu", workdir=tmp_path).energy_free is not None


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"calculator": LJ.calculator, "arguments": {"sigma": "x"}}, InputError, "arguments"),
        ({"calculator": LJ.calculator, "arguments": {"rc": "far"}}, InputError, "arguments"),
        ({"calculator": "ase.calculators.emt:NoSuch"}, OracleAbsentError, "NoSuch"),
        ({"calculator": "no_such_package:Thing"}, OracleAbsentError, "there is no module 'no_such_package'"),
    ],
)
def test_wrong_arguments_are_told(settings: dict, error, said: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("ZONEMELT_CALCULATORS", settings["calculator"])
    with pytest.raises(error, match=said):
        by_ase.label(copper(), AseSettings(**settings), identifier="cu", workdir=tmp_path)


def test_atoms_on_top_of_each_other_are_refused(tmp_path: Path) -> None:
    atoms = bulk("Cu", cubic=True)
    atoms.positions[1] = atoms.positions[0] + 0.1
    with pytest.raises(UnfitStructureError, match=r"atoms 0 \(Cu\) and 1 \(Cu\) are 0\.17 Å apart"):
        by_ase.label(Geometry.of(atoms), LJ, identifier="close", workdir=tmp_path)


@pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")
def test_as_a_maker_it_gives_atomate2s_document(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = StaticMaker(path=LJ.calculator, calculator_kwargs=LJ.arguments).make(copper().structure())
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    document = run_locally(made, store=store, ensure_success=True, log=False)[made.uuid][1].output
    record = by_ase.label(copper(), LJ, identifier="cu", workdir=tmp_path)
    assert document.output.energy == pytest.approx(record.energy_free)
    assert np.array(document.output.stress) * KBAR_OF_VASP == pytest.approx(np.array(record.stress))
    assert document.output.n_steps == 1


@pytest.mark.slow  # a minute to load on a busy machine
class TestPotential(OracleContract):
    """A foundation potential as a teacher."""

    force_tolerance = 2e-3

    @classmethod
    def run(cls, geometry: Geometry, folder: Path) -> Record:
        return by_potential.label(geometry, PotentialSettings(), identifier="cu", workdir=folder)

    @pytest.fixture(scope="class")
    @classmethod
    def geometry(cls) -> Geometry:
        return copper()

    def test_it_is_no_dft(self, record: Record) -> None:
        assert not record.theory.is_dft


def test_a_potential_as_a_teacher_says_what_it_says_elsewhere(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(by_potential, "_loaded", lambda *_: (Morse(), "f" * 16))

    def label(atoms):
        return by_potential.label(Geometry.of(atoms), PotentialSettings(), identifier="x", workdir=tmp_path)

    atoms = copper().atoms()
    record, said = label(atoms), Morse().evaluate(Crystals.of_atoms([atoms]), stress=True)
    assert record.energy_free == record.energy_sigma0 == said.energies_G[0]
    assert np.array_equal(record.forces, said.forces_A3)
    assert np.array_equal(record.stress, said.stresses_G33[0])
    assert (record.theory.code, record.theory.protocol, record.theory.is_dft) == (
        "potential morse",
        "f" * 16,
        False,
    )
    assert label(Atoms("Cu2", [(0, 0, 0), (0, 0, 2.5)])).stress is None
    with pytest.raises(UnfitStructureError, match="morse does not know Fe"):
        label(bulk("Fe"))


def test_an_absent_potential_is_told(tmp_path: Path) -> None:
    with pytest.raises(OracleAbsentError, match="sevenet-0"):
        by_potential.label(copper(), PotentialSettings(name="sevenet-0"), identifier="x", workdir=tmp_path)


needs_recorded = pytest.mark.skipif(not MOCK_VASP.is_dir(), reason="no recorded VASP runs in $ZONEMELT_DATA")


@pytest.fixture
def vasp(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from atomate2.utils.testing.vasp import monkeypatch_vasp

    monkeypatch.chdir(tmp_path)
    yield from monkeypatch_vasp(monkeypatch, MOCK_VASP)


@needs_recorded
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")
def test_vasp_by_atomate2_with_a_recorded_run(vasp, tmp_path: Path) -> None:
    from pymatgen.core import Structure

    recorded = MOCK_VASP / "Si_band_structure" / "static"
    inputs = {"check_inputs": ["incar", "poscar", "potcar"], "incar_settings": ["NSW", "ISMEAR"]}
    vasp({"label_job": recorded.relative_to(MOCK_VASP)}, {"label_job": inputs})
    structure = Structure.from_file(recorded / "inputs" / "POSCAR")
    settings = VaspSettings(
        maker="StaticMaker", command=sys.executable, changes={"user_incar_settings": {"LWAVE": True}}
    )
    made = label_job(
        identifier="si",
        geometry=Geometry.of(structure.to_ase_atoms()).model_dump(mode="json"),
        oracle="vasp",
        settings=settings.model_dump(),
    )
    store = JobStore(MemoryStore())
    output = run_locally(made, store=store, ensure_success=True, log=False)[made.uuid][1].output
    record = Record.model_validate(output)
    assert record.quality is None, record.quality
    assert record.energy_sigma0 == pytest.approx(-10.85037078, abs=1e-6)  # as vasprun.xml has it
    assert record.theory.code == "vasp"
    assert record.theory.functional == "PBE"
    assert record.theory.is_dft
    assert record.provenance.oracle == "vasp"
    assert len(record.theory.protocol) == 16
    other = settings.model_copy(update={"changes": {"user_incar_settings": {"ENCUT": 600}}})
    assert by_atomate2._digest(other) != by_atomate2._digest(settings)


def test_vasp_settings_and_absence(monkeypatch, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="MatPesGGAStaticMaker"):
        VaspSettings(maker="RelaxMaker")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OracleAbsentError, match=r"(?s)vasp_std.*licence"):
        prepared("vasp", VaspSettings())
    with pytest.raises(OracleError, match=r"(?s)no 'user_incar_setting'.*user_incar_settings"):
        by_atomate2.made(VaspSettings(changes={"user_incar_setting": {}}), ["vasp_std"])
    maker = by_atomate2.made(VaspSettings(), ["srun", "-n", "4", "/opt/vasp/vasp_std"])
    assert maker.run_vasp_kwargs["vasp_cmd"] == "srun -n 4 /opt/vasp/vasp_std"
    assert maker.run_vasp_kwargs["vasp_gamma_cmd"].endswith("vasp_gam")
