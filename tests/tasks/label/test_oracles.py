"""Oracles without a DFT code, the running of programs, and structures that cannot be labelled."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from oracle_contract import OracleContract
from processes_for_tests import has_ended
from waiting import until

from zonemelt.tasks.errors import InputError, OracleAbsentError, OracleError, UnconvergedError
from zonemelt.tasks.label import by_ase
from zonemelt.tasks.label.codes.common import extrapolated
from zonemelt.tasks.label.dft import label
from zonemelt.tasks.label.health import check_oracle, oracle_health
from zonemelt.tasks.label.jobs import label_job
from zonemelt.tasks.label.prepared import prepared
from zonemelt.tasks.label.registry import ORACLES, oracle_named
from zonemelt.tasks.label.settings import EmtSettings, EspressoSettings, GpawSettings
from zonemelt.tasks.records import Geometry, Record

if TYPE_CHECKING:
    from pathlib import Path


def rattled(elements: tuple[str, str]) -> Geometry:
    atoms = bulk(elements[0], "fcc", 4.05).repeat((2, 1, 1))
    atoms.symbols[1] = elements[1]
    atoms.rattle(0.1, seed=3)
    return Geometry.of(atoms)


class TestEmt(OracleContract):
    """ASE's effective-medium theory."""

    components = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))

    @classmethod
    def run(cls, geometry: Geometry, folder: Path) -> Record:
        return by_ase.emt(geometry, EmtSettings(), identifier="x", workdir=folder)

    @pytest.fixture(scope="class")
    @classmethod
    def geometry(cls) -> Geometry:
        return rattled(("Al", "Au"))

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


def program(folder: Path, name: str, body: str) -> str:
    """A program that stands in for a code, and counts its runs in ``runs``."""
    script = folder / name
    head = "import sys, json, pathlib, time\nopen('runs', 'a').write('x')\n"
    script.write_text(f"#!{sys.executable}\n{head}{body}\n")
    script.chmod(0o755)
    return str(script)


SILICON = Geometry.of(bulk("Si"))
HEAD = "     Program PWSCF v.6.7MaX starts on  1Jan2026 at  0: 0: 0\n"


def pseudopotentials(folder: Path) -> dict[str, str]:
    """A file with nothing but the header of one, and the protocol's entry for it."""
    (folder / "Si.UPF").write_text('<UPF><PP_HEADER functional="SLA PZ NOGX NOGC" z_valence="4.0"/></UPF>')
    return {"Si": {"file": "Si.UPF"}}


def pw_settings(folder: Path, body: str, **more) -> EspressoSettings:
    protocol = {"based_on": "fast", "pseudopotentials": pseudopotentials(folder), "safer": []}
    return EspressoSettings(
        command=program(folder, "pw.x", body), protocol=protocol, pseudopotentials=str(folder), **more
    )


class TestPrograms:
    """What surrounds a code, with a stand-in for it."""

    def test_death_quotes_the_codes_own_words(self, tmp_path: Path) -> None:
        body = (
            f"print({HEAD!r})\n"
            "print(' %%%%%\\n     Error in routine  readpp (2):\\n     wrong file\\n %%%%%')\nsys.exit(3)"
        )
        with pytest.raises(OracleError, match=r"(?s)status 3.*readpp \(2\): wrong file") as caught:
            label(SILICON, pw_settings(tmp_path, body), identifier="x", workdir=tmp_path)
        assert not isinstance(caught.value, (UnconvergedError, OracleAbsentError))
        assert (tmp_path / "runs").read_text() == "x"

    def test_no_convergence_is_recognised(self, tmp_path: Path) -> None:
        body = (
            f"print({HEAD!r})\nprint('convergence NOT achieved after 60 iterations: stopping')\nsys.exit(2)"
        )
        with pytest.raises(UnconvergedError, match="did not converge in 60 iterations"):
            label(SILICON, pw_settings(tmp_path, body), identifier="x", workdir=tmp_path)

    def test_every_safer_variant_has_a_folder_and_all_reasons_are_told(self, tmp_path: Path) -> None:
        body = "print('convergence NOT achieved')\nsys.exit(2)"
        settings = pw_settings(tmp_path, body)
        protocol = settings.protocol | {"safer": [{"mixing": 0.1}, {"max_iterations": 500}]}
        settings = settings.model_copy(update={"protocol": protocol})
        with pytest.raises(UnconvergedError) as caught:
            label(SILICON, settings, identifier="x", workdir=tmp_path)
        for told in ("as given:", "safer 1:", "safer 2:", "in 500 iterations"):
            assert told in caught.value.what
        assert "mixing_beta      = 0.1" in (tmp_path / "safer-1" / "espresso.pwi").read_text()
        assert (tmp_path / "safer-2" / "runs").read_text() == "x"

    def test_too_long_ends_it_and_what_it_started(self, tmp_path: Path) -> None:
        body = (
            "import subprocess\nchild = subprocess.Popen(['sleep', '300'])\n"
            "pathlib.Path('child').write_text(str(child.pid))\ntime.sleep(300)"
        )
        with pytest.raises(OracleError, match="longer than"):
            label(SILICON, pw_settings(tmp_path, body, timeout=3.0), identifier="x", workdir=tmp_path)
        child = int((tmp_path / "child").read_text())
        until(lambda: has_ended(child), "its child is gone", seconds=60)

    def test_our_python_is_kept_out_of_its_environment(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setenv("PYTHONPATH", "/ours")
        monkeypatch.setenv("OPAL_PREFIX", "/our/mpi")
        monkeypatch.setenv("SOMETHING", "else")
        body = "import os\njson.dump(dict(os.environ), open('environment', 'w'))\nsys.exit(1)"
        with pytest.raises(OracleError):
            label(SILICON, pw_settings(tmp_path, body), identifier="x", workdir=tmp_path)
        found = json.loads((tmp_path / "environment").read_text())
        assert "PYTHONPATH" not in found
        assert "OPAL_PREFIX" not in found
        assert found["SOMETHING"] == "else"
        assert found["OMP_NUM_THREADS"] == "1"

    def test_absent_program_names_the_command_and_how_to_install(self, tmp_path: Path) -> None:
        settings = pw_settings(tmp_path, "").model_copy(update={"command": str(tmp_path / "none.x")})
        with pytest.raises(OracleAbsentError, match=r"(?s)none\.x.*make oracle ORACLE=qe"):
            label(SILICON, settings, identifier="x", workdir=tmp_path)


@pytest.mark.parametrize(
    ("smearing", "share"),
    [("gaussian", 1 / 2), ("fermi-dirac", 1 / 2), ("cold", 1 / 3), ("methfessel-paxton", 1 / 3)],
)
def test_an_energy_is_not_extrapolated_by_guess(smearing: str, share: float) -> None:
    """F = E - TS: half of TS is added where errors are of second order, a third where they are not."""
    assert extrapolated(-10.0, -0.3, "none") == -10.0
    assert extrapolated(-10.0, None, "none") == -10.0
    assert extrapolated(-10.0, -0.3, smearing) == pytest.approx(-10.0 + share * 0.3)
    with pytest.raises(OracleError, match=f"what {smearing} smearing adds"):
        extrapolated(-10.0, None, smearing)


def test_a_folder_of_pseudopotentials_is_whole_where_jobs_are_given_it(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "own").mkdir()
    monkeypatch.chdir(tmp_path)
    asked = pw_settings(tmp_path / "own", f"print({HEAD!r})").model_copy(update={"pseudopotentials": "own"})
    for here in (True, False):
        given = prepared("qe", asked, elements=["Si"], here=here)
        assert given["pseudopotentials"] == str(tmp_path / "own")
    assert prepared("qe", EspressoSettings(), here=False)["pseudopotentials"] == ""
    monkeypatch.setenv("ZONEMELT_QE_PSEUDOPOTENTIALS", "own")
    named = asked.model_copy(update={"pseudopotentials": ""})
    assert prepared("qe", named, elements=["Si"])["pseudopotentials"] == str(tmp_path / "own")


ANSWER = {
    "energy_sigma0": -1.0,
    "energy_free": -1.1,
    "forces": [[0, 0, 0.5], [0, 0, -0.5]],
    "stress": [[1, 2, 3], [2, 4, 5], [3, 5, 6]],
    "magmoms": None,
    "iterations": 7,
    "setups": {"Si": "s"},
    "gpaw": "0",
    "ase": "0",
}


class TestGpawProgram:
    """The exchange with GPAW's Python, with a stand-in for it."""

    def label(self, folder: Path, body: str, **settings) -> Record:
        command = program(folder, "python", body)
        protocol = {"based_on": "fast", "safer": []}
        asked = GpawSettings(command=command, protocol=protocol, **settings)
        return label(SILICON, asked, identifier="x", workdir=folder)

    def test_one_run_a_label_and_every_component_in_its_place(self, tmp_path: Path) -> None:
        record = self.label(tmp_path, f"pathlib.Path(sys.argv[-1]).write_text(json.dumps({ANSWER!r}))")
        assert (tmp_path / "runs").read_text() == "x"
        assert (record.energy_sigma0, record.energy_free) == (-1.0, -1.1)
        assert [list(row) for row in record.stress] == ANSWER["stress"]
        assert json.loads((tmp_path / "task.json").read_text())["cutoff"] == 250.0

    def test_error_quotes_the_tail_of_the_log(self, tmp_path: Path) -> None:
        body = (
            "pathlib.Path('gpaw.txt').write_text('\\n'.join(f'line {i}' for i in range(50)))\n"
            "error = {'error': 'KohnShamConvergenceError: did not converge'}\n"
            "pathlib.Path(sys.argv[-1]).write_text(json.dumps(error)); sys.exit(1)"
        )
        with pytest.raises(UnconvergedError, match=r"(?s)did not converge.*line 38.*line 49") as caught:
            self.label(tmp_path, body)
        assert "line 37" not in str(caught.value)

    def test_a_stale_result_is_not_read(self, tmp_path: Path) -> None:
        (tmp_path / "result.json").write_text(json.dumps(ANSWER))
        with pytest.raises(OracleError):
            self.label(tmp_path, "pass")

    def test_a_python_without_gpaw_is_an_absent_oracle(self, tmp_path: Path) -> None:
        body = (
            "error = {'error': \"ModuleNotFoundError: No module named 'gpaw'\"}\n"
            "pathlib.Path(sys.argv[-1]).write_text(json.dumps(error)); sys.exit(1)"
        )
        with pytest.raises(OracleAbsentError, match="make oracle ORACLE=gpaw"):
            self.label(tmp_path, body)


def run_job(folder: Path, monkeypatch: pytest.MonkeyPatch, **arguments) -> dict:
    monkeypatch.chdir(folder)
    made = label_job(**arguments)
    store = JobStore(MemoryStore())
    run_locally(made, store=store, ensure_success=True, log=False)
    return store.query_one({"uuid": made.uuid})["output"]


def test_a_structure_that_cannot_be_labelled_is_quarantined(tmp_path: Path, monkeypatch) -> None:
    settings = pw_settings(tmp_path, "print('convergence NOT achieved')\nsys.exit(2)").model_dump()
    output = run_job(
        tmp_path, monkeypatch, identifier="bad", geometry=SILICON.model_dump(), oracle="qe", settings=settings
    )
    record = Record.model_validate(output)
    assert not record.quality.accepted
    assert "UnconvergedError" in record.quality.reasons[0]
    assert record.energy_free is None
    assert record.forces is None
    assert record.convergence.electronic is False


def test_an_absent_oracle_fails_the_job(tmp_path: Path) -> None:
    settings = pw_settings(tmp_path, "").model_dump() | {"command": "/nowhere/pw.x"}
    with pytest.raises(OracleAbsentError, match=r"/nowhere/pw\.x"):
        label_job.original(identifier="x", geometry=SILICON.model_dump(), oracle="qe", settings=settings)


def test_an_oracle_that_fails_for_everything_is_recognised(tmp_path: Path, monkeypatch) -> None:
    settings = pw_settings(tmp_path, "sys.exit(1)").model_dump()
    made = [
        Record.model_validate(
            run_job(
                tmp_path, monkeypatch, identifier=f"s{n}", geometry=SILICON.model_dump(), oracle="qe",
                settings=settings,
            )
        )
        for n in range(3)
    ]  # fmt: skip
    good = by_ase.emt(rattled(("Al", "Au")), EmtSettings(), identifier="good", workdir=tmp_path)
    assert oracle_health([*made, good]).labelled == 1
    assert check_oracle([*made, good], where="here").failed == 3
    assert check_oracle(made[:2], where="here").failed == 2  # too few to say
    with pytest.raises(OracleError, match=r"0 of 3 structures labelled: 3 times OracleError: .*status 1"):
        check_oracle(made, where="round 1")


def test_environment_variable_names_the_program(tmp_path: Path, monkeypatch) -> None:
    from zonemelt.tasks.label.codes.gpaw import EXECUTABLE

    monkeypatch.setenv("ZONEMELT_GPAW_PYTHON", program(tmp_path, "python", ""))
    assert EXECUTABLE.find() == [str(tmp_path / "python")]


def test_unknown_oracle_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="emt, qe, gpaw, abinit, vasp"):
        oracle_named("none")
