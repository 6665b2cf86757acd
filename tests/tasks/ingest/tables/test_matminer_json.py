"""matbench's and matminer's tables, from a directory."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from pymatgen.core import Lattice, Structure

from zonemelt.tasks.convert.origin import BadRow, Origin
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.tables.columns import Columns, Composition, Target
from zonemelt.tasks.ingest.tables.matminer_json import MATBENCH, read_matbench, read_matminer_json
from zonemelt.tasks.records import Record
from zonemelt.tasks.theory import Theory

SALT = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]).as_dict()


def put(directory: Path, name: str, table: Any) -> Path:
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    (directory / f"{name}.json.gz").write_bytes(gzip.compress(text))
    return directory


def test_structures_come_with_the_unit_of_their_target(tmp_path: Path) -> None:
    rows = [[SALT, 98.5], [{"sites": 3}, 1.0], [SALT], [SALT, 99]]
    table = {"columns": ["structure", "last phdos peak"], "index": [0, 1, 2, 3], "data": rows}
    found = list(read_matbench("matbench_phonons", directory=put(tmp_path, "matbench_phonons", table)))
    assert [type(one) for one in found] == [Record, BadRow, BadRow, Record]
    first = found[0]
    assert isinstance(first, Record)
    assert first.properties["last phdos peak"].model_dump() == {"value": 98.5, "unit": "1/cm"}
    assert first.provenance.source == "matbench:matbench_phonons"  # type: ignore[union-attr]
    assert first.geometry.symbols == ("Na", "Cl")


def test_what_a_person_says_of_a_table_is_heard(tmp_path: Path) -> None:
    table = {"columns": ["crystal", "e"], "index": [0], "data": [[SALT, 2]]}
    path = put(tmp_path, "x", table) / "x.json.gz"
    columns = Columns(structure="crystal", targets={"energy_sigma0": Target(column="e", unit="Ry")})
    (record,) = read_matminer_json(path, Origin(source="x", columns=columns, theory=Theory(code="vasp")))
    assert isinstance(record, Record)
    assert (record.theory, round(record.energy, 3)) == (Theory(code="vasp"), 27.211)


def test_compositions(tmp_path: Path) -> None:
    table = {"columns": ["composition", "gap expt"], "index": [0], "data": [["NaCl", 5.0]]}
    (row,) = read_matbench("matbench_expt_gap", directory=put(tmp_path, "matbench_expt_gap", table))
    assert isinstance(row, Composition)
    assert row.properties["gap expt"].unit == "eV"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (b"", "the file is empty"),
        (b"{", "it is no table of matminer: JSONDecodeError"),
        ({"data": []}, "it is no table of matminer: KeyError: 'columns'"),
        ({"columns": 3, "data": [[1]]}, "it is no table of matminer: TypeError"),
        ({"columns": ["a"], "data": 5}, "it is no table of matminer: TypeError"),
        ([1], "it is no table of matminer: TypeError"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, table: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        list(read_matbench("x", directory=put(tmp_path, "x", table)))


def test_a_directory_without_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no matbench_phonons\.json\.gz"):
        list(read_matbench("matbench_phonons", directory=tmp_path))


def test_the_targets_are_those_that_matminer_describes() -> None:
    datasets = pytest.importorskip("matminer.datasets")
    known = datasets.dataset_retrieval._load_dataset_dict()
    for name, target in MATBENCH.items():
        assert target.column in known[name]["columns"], name


@pytest.mark.filterwarnings("ignore")
def test_an_unknown_name_gets_a_suggestion() -> None:
    pytest.importorskip("matminer.datasets")
    with pytest.raises(InputError, match="matminer has no data set") as caught:
        list(read_matbench("matbench_phonon"))
    assert "matbench_phonons" in caught.value.remedy
