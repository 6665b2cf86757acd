"""Job stores: every known document in them, and a word about every other."""

from pathlib import Path

import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from monty.json import jsanitize

from zonemelt.tasks.convert.atoms import record_of_atoms
from zonemelt.tasks.convert.documents.ase_docs import ase_document_of
from zonemelt.tasks.convert.origin import BadRow
from zonemelt.tasks.errors import InputError, StoreError
from zonemelt.tasks.ingest.tables.addresses import read_address
from zonemelt.tasks.ingest.tables.common import NOTHING_KNOWN
from zonemelt.tasks.ingest.tables.job_store import read_store
from zonemelt.tasks.records import Ingested, Record
from zonemelt.tasks.stores import open_store
from zonemelt.tasks.theory import Theory

pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")  # spglib's own


@pytest.fixture
def record() -> Record:
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=1)
    atoms.calc = EMT()
    atoms.get_potential_energy()
    return record_of_atoms(
        atoms,
        identifier="ours",
        theory=Theory(code="emt", is_dft=False),
        convergence=NOTHING_KNOWN,
        provenance=Ingested(source="s", calculation="c", parser="p"),
    )


def filled(directory: Path, record: Record) -> None:
    document = jsanitize(ase_document_of(record), strict=True)
    outputs = {
        "a": document,
        "b": {"labels": [record.model_dump(mode="json"), {"deep": document}]},
        "c": {"summary": 1},
        "d": document | {"@version": "9.9"},
        "e": None,
    }
    with open_store(None, directory=directory) as store:
        for uuid, output in outputs.items():
            store.update({"uuid": uuid, "index": 1, "output": output}, key=["uuid", "index"])


def test_documents_are_found_wherever_they_lie(tmp_path: Path, record: Record) -> None:
    filled(tmp_path, record)
    found = list(read_store(str(tmp_path)))
    assert [type(one) for one in found] == [Record, Record, Record, BadRow, BadRow, BadRow]
    first, ours, deep = (one for one in found if isinstance(one, Record))
    assert ours == record
    assert first.forces == deep.forces == record.forces
    assert (first.identifier, deep.identifier) == ("a", "b-1-1")
    reasons = [one.reason for one in found if isinstance(one, BadRow)]
    assert reasons[0] == reasons[2] == "its output holds no document of a calculation"
    assert "not known for atomate2 9.9" in reasons[1]


def test_a_store_by_its_address(tmp_path: Path, record: Record) -> None:
    filled(tmp_path, record)
    path = tmp_path / "store.yaml"
    path.write_text("type: sqlite\n")
    assert len(list(read_address(f"store:{path}"))) == 6
    with pytest.raises(InputError, match=r"none\.yaml"):
        list(read_address(f"store:{tmp_path / 'none.yaml'}"))


def test_a_directory_without_a_campaign_is_left_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        list(read_address(f"store:{tmp_path}"))
    assert not list(tmp_path.iterdir())
