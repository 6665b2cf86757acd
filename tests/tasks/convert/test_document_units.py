"""The table of units: signs, what is unknown, and that nothing is guessed."""

import numpy as np
import pytest
from ase.units import GPa

from zonemelt.tasks.convert.documents.units import KBAR_OF_VASP, TABLE, normalised, units_of
from zonemelt.tasks.errors import InputError

VASP = "emmet.core.tasks:TaskDoc"
CP2K = "atomate2.cp2k.schemas.task:TaskDocument"


def test_the_stress_of_a_compressed_cell_is_negative_for_us() -> None:
    """VASP prints -199 kbar for a stretched Ti-O cell, ASE +0.12421 eV/Å³."""
    assert pytest.approx(0.12421, abs=1e-5) == -199.0 * KBAR_OF_VASP
    assert GPa * 160.21766 == pytest.approx(1, rel=1e-7)


def test_what_is_in_our_units_is_kept_to_the_last_digit_and_none_stays_none() -> None:
    units = units_of(VASP, None, where="x")
    energy = 0.1 + 0.2
    ours = normalised(
        {"energy_free": energy, "energy_sigma0": None, "forces": [[energy] * 3], "stress": None}, units
    )
    assert ours == {"energy_free": energy, "energy_sigma0": None, "forces": [[energy] * 3], "stress": None}


def test_stress_is_converted_whole() -> None:
    stress = normalised({"stress": np.arange(9.0).reshape(3, 3)}, units_of(VASP, None, where="x"))["stress"]
    assert np.allclose(stress, -np.arange(9).reshape(3, 3) * GPa / 10)


@pytest.mark.parametrize("version", [None, "", "0.0.14", "0.2.0", "nonsense"])
def test_an_unknown_version_is_refused_with_what_is_known(version: str | None) -> None:
    with pytest.raises(InputError, match=r"the units of .* are not known for atomate2") as caught:
        units_of("atomate2.abinit.schemas.task:AbinitTaskDoc", version, where="doc 1")
    assert caught.value.where == "doc 1"
    assert "atomate2 >=0.1,<0.2" in caught.value.remedy


def test_an_unknown_schema_is_refused() -> None:
    with pytest.raises(InputError, match="no known schema") as caught:
        units_of("emmet.core.tasks:PhononDoc", None, where="x")
    assert VASP in caught.value.remedy


def test_rows_that_depend_on_the_code_do_not_overlap() -> None:
    for code in ("9.1", "2023.1", "2024.3", "2025.1", "2026.1"):
        row = units_of(CP2K, "0.1.5", code_version=code, where="x")
        assert (row.stress is None) == (float(code) >= 2025), code
    with pytest.raises(InputError, match="version unknown of the code"):
        units_of(CP2K, "0.1.5", where="x")


def test_rows_of_one_schema_are_told_apart() -> None:
    keys = [(row.schema, row.versions, row.code_versions) for row in TABLE]
    assert len(set(keys)) == len(keys)
