"""atomate2's CP2K, ABINIT and FHI-aims documents, built with its own classes where they can be imported."""

import importlib
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from ase.units import Bohr, GPa, Hartree
from monty.json import jsanitize
from pydantic import BaseModel
from pymatgen.core import Lattice, Structure

from zonemelt.tasks.convert.documents.read import records_of_document
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Record

pytestmark = pytest.mark.filterwarnings("ignore")  # of the packages that are imported here
SALT = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
FORCES = [[0.01, -0.02, 0.03], [-0.01, 0.02, -0.03]]
STRESS = [[1.0, 0.1, 0.2], [0.1, -2.0, 0.3], [0.2, 0.3, 3.0]]


def stored(document: Any, module: str, name: str) -> dict[str, Any]:
    """The document as a job store keeps it."""
    return jsanitize(document, strict=True) | {"@module": module, "@class": name, "@version": "0.1.5"}


def cp2k(version: str = "CP2K version 2023.1", *, smear: bool = False, steps: bool = True) -> dict[str, Any]:
    from atomate2.cp2k.schemas.calc_types.enums import CalcType, TaskType
    from atomate2.cp2k.schemas.calculation import Calculation, CalculationInput, CalculationOutput, Status
    from atomate2.cp2k.schemas.task import OutputSummary, TaskDocument

    step = {"structure": SALT.as_dict(), "E": -30.0, "forces": FORCES, "stress_tensor": STRESS}
    kept = {"ionic_steps": [step]} if steps else {}
    kinds = {
        "Na_1": {"element": "Na", "orbital_basis_set": "DZVP", "pseudo_potential": "GTH-PBE-q9"},
        "Cl_1": {"element": "Cl", "orbital_basis_set": "DZVP", "pseudo_potential": "GTH-PBE-q7"},
    }
    calculation = Calculation(
        cp2k_version=version,
        has_cp2k_completed=Status.SUCCESS,
        input=CalculationInput(
            structure=SALT,
            atomic_kind_info=kinds,
            cp2k_input={"FORCE_EVAL": {"DFT": {"SCF": {"SMEAR": {}} if smear else {}}}},
            dft={"Spin": "UKS"},
        ),
        output=CalculationOutput(
            energy=-30.0,
            energy_per_atom=-15.0,
            structure=SALT,
            bandgap=5.0,
            **kept,
        ),
        run_type="PBE-D3(BJ)",
        task_type=next(iter(TaskType)),
        calc_type=next(iter(CalcType)),
        task_name="standard",
    )
    document = TaskDocument(
        calcs_reversed=[calculation],
        output=OutputSummary(structure=SALT, energy=-30.0, forces=FORCES, stress=STRESS),
        structure=SALT,
        state=Status.SUCCESS,
    )
    return stored(document.model_dump(), "atomate2.cp2k.schemas.task", "TaskDocument")


@pytest.mark.parametrize("steps", [True, False])
def test_cp2k_forces_are_hartree_per_bohr_and_stress_a_pressure(steps: bool) -> None:
    (record,) = records_of_document(cp2k(steps=steps), source="s", name="c")
    assert isinstance(record, Record)
    assert record.energy_free == record.energy_sigma0 == -30.0
    assert np.allclose(record.forces, np.array(FORCES) * 51.422067, rtol=1e-7)
    assert np.allclose(record.stress, -np.array(STRESS) / 160.21766, rtol=1e-7)
    assert (record.theory.code, record.theory.version) == ("cp2k", "2023.1")
    assert (record.theory.functional, record.theory.dispersion) == ("PBE", "D3(BJ)")
    assert record.theory.setups == {"Na": "DZVP GTH-PBE-q9", "Cl": "DZVP GTH-PBE-q7"}
    assert record.theory.spin is True
    assert record.convergence.complete is True
    assert record.properties["band_gap"].value == 5.0


def test_cp2k_factors_are_those_of_ase() -> None:
    assert pytest.approx(51.422067, rel=1e-7) == Hartree / Bohr
    assert pytest.approx(1 / 160.21766, rel=1e-7) == GPa


def test_cp2k_with_smearing_has_no_extrapolated_energy() -> None:
    (record,) = records_of_document(cp2k(smear=True), source="s", name="c")
    assert isinstance(record, Record)
    assert (record.energy_free, record.energy_sigma0) == (-30.0, None)


def test_new_cp2k_may_print_bar_so_its_stress_is_left_out_with_a_word() -> None:
    (record,) = records_of_document(cp2k("CP2K version 2025.1"), source="s", name="c")
    assert isinstance(record, Record)
    assert record.stress is None
    assert record.forces is not None
    assert record.properties["stress_left_out"].value == "its unit is not known"


def test_cp2k_of_no_version_is_refused() -> None:
    with pytest.raises(InputError, match="version unknown of the code"):
        list(records_of_document(cp2k(""), source="s", name="c"))


class Anything(BaseModel):
    """Stands for a class of a package that is not installed."""

    model_config = {"extra": "allow"}


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """atomate2's schemas can be imported without the packages that read ABINIT's and FHI-aims's files."""
    missing = [
        "abipy",
        "abipy.electrons",
        "abipy.electrons.gsr",
        "abipy.flowtk",
        "abipy.flowtk.events",
        "abipy.flowtk.utils",
        "abipy.abio",
        "abipy.abio.inputs",
        "pymatgen.io.aims",
        "pymatgen.io.aims.inputs",
        "pymatgen.io.aims.outputs",
        "atomate2.abinit.files",
        "atomate2.abinit.utils.common",
    ]
    forget()
    for name in missing:
        module = types.ModuleType(name)
        vars(module).update(__path__=[], __getattr__=lambda _: Anything)
        monkeypatch.setitem(sys.modules, name, module)
        parent, _, child = name.rpartition(".")
        if parent in missing:
            setattr(sys.modules[parent], child, module)
    yield
    forget()


def forget() -> None:
    """Let nobody else meet the schemas that were imported with stand-ins."""
    for name in [n for n in sys.modules if n.startswith(("atomate2.abinit", "atomate2.aims"))]:
        del sys.modules[name]


@pytest.mark.usefixtures("codes")
def test_abinit_stress_is_gpa_with_ases_sign() -> None:
    task = importlib.import_module("atomate2.abinit.schemas.task")
    output = task.OutputDoc(structure=SALT, energy=-50.0, forces=FORCES, stress=STRESS, bandgap=1.0)
    document = task.AbinitTaskDoc(
        structure=SALT, output=output, state="successful", input=task.InputDoc(structure=SALT, xc="PBE")
    )
    fields = stored(document.model_dump(), "atomate2.abinit.schemas.task", "AbinitTaskDoc")
    (record,) = records_of_document(fields, source="s", name="a")
    assert isinstance(record, Record)
    assert np.array_equal(record.forces, FORCES)
    assert np.allclose(record.stress, np.array(STRESS) / 160.21766, rtol=1e-7)
    assert (record.energy_free, record.energy_sigma0) == (
        -50.0,
        None,
    )  # the input does not say if it is smeared
    assert (record.theory.functional, record.convergence.complete) == ("PBE", True)
    fields["input"]["abinit_input"] = {"abi_args": [["ecut", 10.0], ["occopt", 1], ["nsppol", 2]]}
    (record,) = records_of_document(fields, source="s", name="a")
    assert isinstance(record, Record)
    assert record.energy_sigma0 == -50.0
    assert record.convergence.electronic is None  # no report of events says it
    assert record.theory.cutoff == 272.1139  # as headers.py says it of the text output
    assert record.theory.spin is True


@pytest.mark.usefixtures("codes")
@pytest.mark.parametrize(("events", "converged"), [([], True), (["ScfConvergenceWarning"], False)])
def test_abinit_converged_unless_its_report_says_otherwise(events: list[str], converged: bool) -> None:
    task = importlib.import_module("atomate2.abinit.schemas.task")
    output = task.OutputDoc(structure=SALT, energy=-50.0, forces=FORCES, stress=STRESS)
    document = task.AbinitTaskDoc(structure=SALT, output=output, input=task.InputDoc(structure=SALT))
    fields = stored(document.model_dump(), "atomate2.abinit.schemas.task", "AbinitTaskDoc")
    fields["event_report"] = {"events": [{"@class": name} for name in ["AbinitComment", *events]]}
    (record,) = records_of_document(fields, source="s", name="a")
    assert isinstance(record, Record)
    assert record.convergence.electronic is converged


@pytest.mark.usefixtures("codes")
def test_aims_documents_have_ases_units() -> None:
    task = importlib.import_module("atomate2.aims.schemas.task")
    output = task.OutputDoc(structure=SALT, energy=-50.0, forces=FORCES, stress=STRESS, bandgap=1.0)
    document = task.AimsTaskDoc(
        structure=SALT,
        output=output,
        completed=True,
        elements=["Na", "Cl"],
        input=task.InputDoc(
            structure=SALT, xc="pbe", parameters={"species_dir": "/x/light", "spin": "collinear"}
        ),
    )
    fields = stored(document.model_dump(exclude_unset=True), "atomate2.aims.schemas.task", "AimsTaskDoc")
    (record,) = records_of_document(fields, source="s", name="a")
    assert isinstance(record, Record)
    assert np.array_equal(record.stress, STRESS)
    assert (record.energy_free, record.energy_sigma0) == (None, -50.0)
    assert record.theory.setups == {"Na": "light", "Cl": "light"}
    assert record.theory.spin is True
