"""CIF: every block for itself, disorder refused."""

from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure

from zonemelt.tasks.convert.origin import BadRow, Origin
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.tables.cif import read_cif
from zonemelt.tasks.records import Record

SALT = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]).to(fmt="cif")
ALLOY = Structure(Lattice.cubic(4), [{"Cu": 0.5, "Au": 0.5}], [[0, 0, 0]]).to(fmt="cif")
HEAD = "data_global\n_publ_section_title\n;\ndata_about salt\n;\n"


def read(tmp_path: Path, text: str | bytes) -> list[Record | BadRow]:
    path = tmp_path / "x.cif"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_cif(path, Origin(source="x.cif", sha256="12" * 32)))


def test_several_blocks_and_one_that_is_none(tmp_path: Path) -> None:
    cut = SALT[: SALT.index("_atom_site_occupancy")] + "_atom_site_occupancy\n Na Na0 1 0 0\n"
    found = read(tmp_path, HEAD + SALT + ALLOY + cut + SALT)
    assert [type(one) for one in found] == [Record, BadRow, BadRow, Record]
    first, disordered, spoilt, _ = found
    assert isinstance(first, Record)
    assert first.geometry.symbols == ("Na", "Cl")
    assert first.energy_free is None
    assert isinstance(disordered, BadRow)
    assert "disordered (" in disordered.reason
    assert isinstance(spoilt, BadRow)
    assert "pymatgen cannot read it" in spoilt.reason


def test_bytes_that_are_no_text_spoil_their_block_only(tmp_path: Path) -> None:
    spoilt = SALT.encode().replace(b"_cell_length_a", b"# \xe9\n_cell_length_a")
    bad, good = read(tmp_path, spoilt + SALT.encode())
    assert isinstance(bad, BadRow)
    assert "0xe9" in bad.reason
    assert isinstance(good, Record)


@pytest.mark.parametrize(("text", "words"), [("", "empty"), ("hello\n", "no block"), (HEAD, "no block")])
def test_what_holds_no_structure_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(tmp_path, text)
