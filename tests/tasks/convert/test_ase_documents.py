"""A contract: what atomate2's jobs store of a calculator is read as the calculator's own numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from monty.json import jsanitize
from pymatgen.io.ase import AseAtomsAdaptor

from zonemelt.tasks.convert.atoms import record_of_atoms
from zonemelt.tasks.convert.documents.ase_docs import ase_document_of, force_field_document_of
from zonemelt.tasks.convert.documents.read import is_document, records_of_document
from zonemelt.tasks.convert.origin import BadRow
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Convergence, Ingested, Record
from zonemelt.tasks.theory import Theory

pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")  # spglib's own


@pytest.fixture(scope="module")
def relaxed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, dict[str, Any]]:
    """atomate2's document of an EMT relaxation of three steps: the object, and what the store keeps."""
    from atomate2.ase.jobs import EmtRelaxMaker

    atoms = bulk("Cu", "fcc", a=3.7, cubic=True)
    atoms.rattle(0.05, seed=1)
    atoms.set_cell(atoms.cell.array @ [[1, 0.02, 0], [0, 1, 0.01], [0, 0, 1]], scale_atoms=True)
    job = EmtRelaxMaker(steps=3).make(AseAtomsAdaptor.get_structure(atoms))
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    folder = tmp_path_factory.mktemp("run")
    done = run_locally(job, store=store, ensure_success=True, root_dir=folder, log=False)
    stored = store.query_one({"uuid": job.uuid}, load=True)
    return done[job.uuid][1].output, stored["output"]


def direct(record: Record) -> Atoms:
    """The same structure, computed again without anything between."""
    atoms = record.geometry.atoms()
    atoms.calc = EMT()
    return atoms


@pytest.mark.parametrize("form", [0, 1], ids=["object", "stored"])
def test_every_step_of_an_ase_job_equals_the_calculator(relaxed: tuple[Any, Any], form: int) -> None:
    records = list(records_of_document(relaxed[form], source="store:x", name="job"))
    assert len(records) >= 3
    for number, record in enumerate(records):
        assert isinstance(record, Record)
        atoms = direct(record)
        assert record.energy_sigma0 == pytest.approx(atoms.get_potential_energy(), abs=1e-12)
        assert record.energy_free == record.energy_sigma0
        assert np.allclose(record.forces, atoms.get_forces(), atol=1e-12)
        assert np.allclose(record.stress, atoms.get_stress(voigt=False), rtol=1e-10, atol=1e-14)
        assert record.theory == Theory(code="emt", is_dft=False)
        assert isinstance(record.provenance, Ingested)
        assert (record.provenance.frame, record.provenance.frames) == (number, len(records))
        assert record.identifier == f"job-{number}"
    assert [r.convergence.ionic for r in records] == [None] * (len(records) - 1) + [False]
    assert np.abs(records[0].stress).max() > 1e-3  # or else a sign could hide


@pytest.mark.filterwarnings("ignore")  # of atomate2's force fields
def test_a_force_field_job_equals_the_calculator(tmp_path: Path) -> None:
    from atomate2.forcefields.jobs import ForceFieldStaticMaker

    atoms = bulk("Al", "fcc", a=4.2, cubic=True)
    atoms.rattle(0.05, seed=4)
    maker = ForceFieldStaticMaker(force_field_name={"@module": "ase.calculators.emt", "@callable": "EMT"})
    job = maker.make(AseAtomsAdaptor.get_structure(atoms))
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    run_locally(job, store=store, ensure_success=True, root_dir=tmp_path, log=False)
    output = store.query_one({"uuid": job.uuid}, load=True)["output"]
    assert output["@class"] == "ForceFieldTaskDocument"
    record = list(records_of_document(output, source="s", name="f"))[-1]
    assert isinstance(record, Record)
    again = direct(record)
    assert record.energy_free == pytest.approx(again.get_potential_energy(), abs=1e-12)
    assert np.allclose(record.forces, again.get_forces(), atol=1e-12)
    assert np.allclose(record.stress, again.get_stress(voigt=False), rtol=1e-10, atol=1e-14)
    assert not record.theory.is_dft


def test_object_and_stored_document_give_the_same_records(relaxed: tuple[Any, Any]) -> None:
    first, second = (list(records_of_document(d, source="s", name="n")) for d in relaxed)
    assert [r.geometry for r in first] == [r.geometry for r in second]
    assert [r.forces for r in first] == [r.forces for r in second]


@pytest.fixture
def record() -> Record:
    atoms = bulk("Al", "hcp", a=2.9, c=4.6)
    atoms.rattle(0.1, seed=2)
    atoms.calc = EMT()
    atoms.get_potential_energy()
    return record_of_atoms(
        atoms,
        identifier="al",
        theory=Theory(code="emt", version="1", is_dft=False),
        convergence=Convergence(electronic=True, complete=True),
        provenance=Ingested(source="here", calculation="c", parser="none"),
    )


@pytest.mark.parametrize(
    ("calculator", "free", "sigma0"), [("EMT", True, True), ("Espresso", True, False), ("Vasp", False, True)]
)
def test_which_energy_a_calculator_gives(
    relaxed: tuple[Any, dict[str, Any]], calculator: str, free: bool, sigma0: bool
) -> None:
    document = relaxed[1] | {"ase_calculator_name": calculator}
    for record in records_of_document(document, source="store:x"):
        assert isinstance(record, Record)
        assert (record.energy_free is not None, record.energy_sigma0 is not None) == (free, sigma0)


@pytest.mark.parametrize("make", [ase_document_of, force_field_document_of])
def test_a_record_survives_the_way_through_a_document(record: Record, make: Any) -> None:
    document = make(record)
    for form in (document, jsanitize(document, strict=True)):
        (back,) = records_of_document(form, source="here", name="al")
        assert isinstance(back, Record)
        assert np.allclose(back.geometry.positions, record.geometry.positions, atol=1e-13)
        assert back.geometry.cell == record.geometry.cell
        assert back.geometry.symbols == record.geometry.symbols
        assert (back.energy_free, back.energy_sigma0) == (record.energy_free, record.energy_sigma0)
        assert back.forces == record.forces
        assert np.allclose(back.stress, record.stress, rtol=1e-14, atol=0)
        assert back.convergence == record.convergence
        assert back.theory.code == "emt"


@pytest.mark.parametrize("make", [ase_document_of, force_field_document_of])
def test_a_document_holds_crystals_with_energies_only(record: Record, make: Any) -> None:
    bare = record.model_copy(update={"energy_free": None, "energy_sigma0": None})
    with pytest.raises(InputError, match="record al: it has no energy"):
        make(bare)
    molecule = record.geometry.model_copy(update={"periodic": (False, False, False)})
    with pytest.raises(InputError, match="record al: it is no crystal"):
        make(record.model_copy(update={"geometry": molecule}))


def test_a_document_of_other_versions_is_refused(relaxed: tuple[Any, dict[str, Any]]) -> None:
    for version in ("0.0.13", "0.2.0", "next", None):
        with pytest.raises(InputError, match=r"units of .*AseStructureTaskDoc are not known") as caught:
            list(records_of_document(relaxed[1] | {"@version": version}, source="store:x"))
        assert ">=0.1,<0.2" in caught.value.remedy


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "no '@module' and '@class'"),
        ({"@module": "os", "@class": "system", "@version": "1"}, "no known schema"),
    ],
)
def test_what_is_no_known_document_is_refused(document: dict[str, Any], words: str) -> None:
    assert not is_document(document)
    with pytest.raises(InputError, match=words):
        list(records_of_document(document, source="store:x"))


def test_a_bad_step_does_not_lose_the_others(relaxed: tuple[Any, dict[str, Any]]) -> None:
    steps = [dict(step) for step in relaxed[1]["output"]["ionic_steps"]]
    steps[0]["energy"] = float("nan")
    steps[1]["forces"] = steps[1]["forces"][:-1]
    steps[2]["mol_or_struct"] = None
    document = relaxed[1] | {"output": relaxed[1]["output"] | {"ionic_steps": steps}}
    found = list(records_of_document(document, source="store:x"))
    bad = [one for one in found if isinstance(one, BadRow)]
    assert len(found) == len(steps)
    assert ["finite" in bad[0].reason, "3 forces for 4 atoms" in bad[1].reason] == [True, True]
    assert bad[2].reason == "there is no structure"
    assert bad[2].where == "store:x (frame 2)"


def test_steps_in_another_store_are_not_lost_silently(relaxed: tuple[Any, dict[str, Any]]) -> None:
    elsewhere = {"output": relaxed[1]["output"] | {"ionic_steps": {"blob_uuid": "b", "store": "data"}}}
    warned, end = records_of_document(relaxed[1] | elsewhere, source=str(Path("x")))
    assert isinstance(warned, BadRow)
    assert isinstance(end, Record)
    assert end.energy_sigma0 == relaxed[1]["output"]["energy"]
