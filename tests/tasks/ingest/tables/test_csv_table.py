"""CSV tables: which column is what is said or recognised, never guessed; units come from a person."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pymatgen.core import Lattice, Structure

from zonemelt.tasks.convert.origin import BadRow, Origin
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.tables.columns import Columns, Composition, Target
from zonemelt.tasks.ingest.tables.csv_table import read_csv
from zonemelt.tasks.records import Record

ORIGIN = Origin(source="t.csv", sha256="ef" * 32)
SALT = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def read(tmp_path: Path, text: str | bytes, **more: Any) -> list[Any]:
    path = tmp_path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_csv(path, replace(ORIGIN, **more)))


def test_compositions_with_a_target(tmp_path: Path) -> None:
    columns = Columns(identifier="mbid", targets={"gap": Target(column="target", unit="eV")})
    (row,) = read(tmp_path, "mbid,formula,target,fold\nmb-1,Ag(AuS)2,0.5,2\n", columns=columns)
    assert row == Composition(
        identifier="mb-1", formula="Ag(AuS)2", properties=row.properties, source="t.csv"
    )
    assert row.properties["gap"].model_dump() == {"value": 0.5, "unit": "eV"}
    assert row.properties["fold"].unit == "unknown"


def test_structures_as_json_and_as_cif(tmp_path: Path) -> None:
    cells = [json.dumps(SALT.as_dict()), SALT.to(fmt="cif")]
    text = "id,structure\n" + "\n".join(
        f'{n},"{c.replace(chr(34), chr(34) * 2)}"' for n, c in enumerate(cells)
    )
    first, second = read(tmp_path, text)
    for record in (first, second):
        assert isinstance(record, Record)
        assert record.geometry.symbols == ("Na", "Cl")
    assert (first.identifier, second.identifier) == ("0", "1")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"b", "1 cells under 3 columns"),
        (b"b,Xx2,1", "'Xx2' is no formula"),
        (b"b,,1", "no formula"),
        (b"b,Fe,nan", "target is nan"),
        (b"b,Fe,x", "no number"),
        (b"b,F\xe9,1", "0xe9"),
    ],
)
def test_a_bad_row_does_not_lose_the_others(tmp_path: Path, line: bytes, words: str) -> None:
    columns = Columns(targets={"t": Target(column="target", unit="eV")})
    good, bad, last = read(tmp_path, b"id,formula,target\na,Fe,1\n" + line + b"\nc,Cu,2\n", columns=columns)
    assert (good.formula, last.formula) == ("Fe", "Cu")
    assert isinstance(bad, BadRow)
    assert bad.where == "t.csv, line 3"
    assert words in bad.reason


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("a,b\n1,2\n", "no column of a, b is said to hold a structure or a formula"),
        ("formula,x,x\nFe,1,2\n", "two columns are called 'x'"),
    ],
)
def test_tables_that_cannot_be_read_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(tmp_path, text)


def test_a_target_that_is_not_there_names_what_is(tmp_path: Path) -> None:
    columns = Columns(targets={"t": Target(column="gap", unit="eV")})
    with pytest.raises(InputError, match="no column 'gap'") as caught:
        read(tmp_path, "id,formula,Gap\na,Fe,1\n", columns=columns)
    assert "Gap" in caught.value.what
