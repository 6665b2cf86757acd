"""JSON lines: records, documents and tables of crystals, each line for itself."""

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import bulk

from zonemelt.tasks.convert.atoms import record_of_atoms
from zonemelt.tasks.convert.documents.ase_docs import ase_document_of
from zonemelt.tasks.convert.origin import BadRow, Origin
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.tables.columns import Columns, Composition, Target, read_table_settings
from zonemelt.tasks.ingest.tables.common import NOTHING_KNOWN
from zonemelt.tasks.ingest.tables.jsonl import read_jsonl
from zonemelt.tasks.quality.symmetry import quiet
from zonemelt.tasks.records import Ingested, Record
from zonemelt.tasks.theory import Theory

ORIGIN = Origin(source="set.jsonl", sha256="cd" * 32)
ROW = {
    "id": "a-1",
    "formula": "NaCl",
    "lattice": [[4.0, 0, 0], [1.0, 4.0, 0], [0, 0, 5.0]],
    "Z": [11, 17],
    "frac": [[0, 0, 0], [0.5, 0.5, 0.5]],
    "y": {"e_form": -2.1, "gap": 5.0},
    "split": "train",
}
COLUMNS = Columns(
    targets={
        "e_form": Target(column="y.e_form", unit="eV/atom"),
        "energy_sigma0": Target(column="total", unit="meV/atom"),
    }
)


def read(tmp_path: Path, *lines: Any, **more: Any) -> list[Any]:
    path = tmp_path / "set.jsonl"
    texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b"\n".join(texts))
    return list(read_jsonl(path, replace(ORIGIN, **more)))


def test_a_crystal_with_its_targets(tmp_path: Path) -> None:
    (record,) = read(tmp_path, ROW | {"total": 1500}, columns=COLUMNS)
    assert record.identifier == "a-1"
    assert record.geometry.symbols == ("Na", "Cl")
    assert np.allclose(record.geometry.positions[1], [2.5, 2.0, 2.5])
    assert record.energy_sigma0 == pytest.approx(3.0)  # eV of two atoms
    assert record.energy_free is None
    assert record.properties["e_form"].model_dump() == {"value": -2.1, "unit": "eV/atom"}
    assert record.properties["y.gap"].model_dump() == {"value": 5.0, "unit": "unknown"}
    assert record.properties["split"].value == "train"
    assert "y.e_form" not in record.properties


def test_without_a_word_all_is_kept_and_no_unit_is_guessed(tmp_path: Path) -> None:
    (record,) = read(tmp_path, ROW)
    assert {name: p.unit for name, p in record.properties.items()} == {
        "y.e_form": "unknown",
        "y.gap": "unknown",
        "split": "",
    }
    assert record.energy_free is None


def test_records_and_documents_lie_in_one_file(tmp_path: Path) -> None:
    atoms = bulk("Cu", cubic=True)
    record = record_of_atoms(
        atoms,
        identifier="r",
        theory=Theory(code="emt", is_dft=False),
        convergence=NOTHING_KNOWN,
        provenance=Ingested(source="s", calculation="c", parser="p"),
        energy_free=1.0,
        energy_sigma0=1.0,
    )
    from monty.json import jsanitize

    with quiet():
        document = jsanitize(ase_document_of(record), strict=True)
    first, second, third = read(tmp_path, record.model_dump(mode="json"), document, ROW)
    assert first == record
    assert second.energy_sigma0 == 1.0
    assert second.identifier == "cdcdcdcdcdcdcdcd-1"
    assert third.identifier == "a-1"


def test_a_composition_without_a_structure_is_no_record(tmp_path: Path) -> None:
    (row,) = read(tmp_path, {"id": 7, "formula": "Fe2O3", "y": 1.0})
    assert isinstance(row, Composition)
    assert (row.identifier, row.formula) == ("7", "Fe2O3")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{", "it is no JSON"),
        (b"[1]", "it is a list"),
        (b'{"id": NaN}', "NaN is no number"),
        (b'{"a": "\xff"}', "0xff"),
        (b"[" * 100_000, "deep|JSON"),
        (ROW | {"Z": [11]}, "1 symbols but 2 positions"),
        (ROW | {"Z": [11, 999]}, "999 is no atomic number"),
        (ROW | {"lattice": [[1, 0, 0], [2, 0, 0], [0, 0, 1]]}, "no volume"),
        (ROW | {"frac": [[0, 0], [1, 1]]}, "lattice and coordinates"),
        (ROW | {"y": {"gap": 1}}, "no column 'y.e_form'"),
        (ROW | {"y": {"e_form": "much"}}, "no number"),
        (
            {"identifier": "x", "geometry": {}, "theory": {}, "provenance": {}},
            "geometry.cell: Field required",
        ),
        ({"@module": "emmet.core.tasks", "@class": "TaskDoc", "output": 3}, "no whole"),
    ],
)
def test_a_bad_line_does_not_lose_the_others(tmp_path: Path, line: Any, words: str) -> None:
    good = ROW | {"total": 1}
    line = {"total": 1} | line if isinstance(line, dict) else line
    first, bad, last = read(tmp_path, good, line, good, columns=COLUMNS)
    assert isinstance(first, Record)
    assert isinstance(last, Record)
    assert isinstance(bad, BadRow)
    assert bad.where.startswith("set.jsonl, line 2")
    assert re.search(words, bad.reason), bad.reason


def test_what_a_person_says_of_a_table_is_checked_before_it_is_read() -> None:
    def targets(**of_energy: str) -> dict[str, Any]:
        return {"columns": {"targets": {"energy_free": of_energy}}}

    assert read_table_settings(targets(column="e", unit="Ha/atom"))["columns"]["targets"]
    for given, words in (
        (targets(column="y.gap", unit="GPa"), "'GPa' is no unit of a total energy"),
        (targets(columns="e", unit="eV"), "did you mean 'column'"),
        ({"column": {}}, "did you mean 'columns'"),
        ({"theory": {"functional": "PBE"}}, r"'theory\.code' is missing"),
    ):
        with pytest.raises(InputError, match=words):
            read_table_settings(given)


def test_an_identifier_may_be_anything(tmp_path: Path) -> None:
    rows = [ROW | {"id": said} for said in (["a", 1], {"a": 1}, 7, "", None)]
    found = read(tmp_path, *rows)
    assert [one.identifier for one in found[:3]] == ["['a', 1]", "{'a': 1}", "7"]
    assert [one.identifier.rpartition("-")[2] for one in found[3:]] == ["3", "4"]


def test_compressed_cut_and_empty_files(tmp_path: Path) -> None:
    whole = gzip.compress((json.dumps(ROW) + "\n").encode() * 100)
    path = tmp_path / "set.jsonl.gz"
    path.write_bytes(whole)
    assert len(list(read_jsonl(path, ORIGIN))) == 100
    path.write_bytes(whole[:-12])
    with pytest.raises(InputError, match="to its end"):
        list(read_jsonl(path, ORIGIN))
    path.write_bytes(b"")
    with pytest.raises(InputError, match="empty"):
        list(read_jsonl(path, ORIGIN))
