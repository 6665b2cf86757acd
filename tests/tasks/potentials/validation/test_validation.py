"""Errors of potentials: against closed forms, by element and type; references; what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from potentials_for_tests import Morse

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.potentials.validation.errors import compare, judge, statistics
from zonemelt.tasks.potentials.validation.figure import parity_figure
from zonemelt.tasks.potentials.validation.jobs import PARITY, validate_errors
from zonemelt.tasks.potentials.validation.labelled import Labelled, read_labelled
from zonemelt.tasks.potentials.validation.references import properties, read_references, reference_of


def labelled_by_morse(*, energy=0.0, force=0.0, stress=0.0):
    """Six structures labelled by the potential itself, with known errors on top."""
    found = []
    for number in range(6):
        atoms = bulk("Cu", cubic=True, a=3.6) if number % 2 else bulk("NaCl", "rocksalt", a=5.5)
        atoms.rattle(0.05, seed=number)
        said = Morse().evaluate(Crystals.of_atoms([atoms]), stress=True)
        shift = energy * len(atoms) * (1 if number % 2 else -1)  # eV, another zero for each element
        found.append(
            Labelled(
                name=f"s{number}", atoms=atoms, kind="metal" if number % 2 else "salt",
                energy=said.energies_G[0] + shift, forces_A3=said.forces_A3 + force,
                stress_33=None if number == 2 else said.stresses_G33[0] + stress,
            )
        )  # fmt: skip
    return found


def test_errors_are_what_was_added():
    parity, refused = compare(Morse(), labelled_by_morse(energy=0.2, force=0.1, stress=0.01))
    assert not refused
    found = judge(parity)
    assert found["errors"]["energy"]["mae"] == pytest.approx(0.2)
    assert found["errors"]["energy_aligned"]["mae"] == pytest.approx(0.0, abs=1e-9)
    assert found["errors"]["forces"]["rmse"] == pytest.approx(0.1)
    assert found["errors"]["forces"]["count"] == 3 * (3 * 2 + 3 * 4)
    assert found["errors"]["stress"]["mae"] == pytest.approx(0.01)
    assert found["errors"]["stress"]["count"] == 5 * 9
    assert set(found["by_element"]) == {"Cu", "Na", "Cl"}
    assert set(found["by_type"]) == {"metal", "salt"}
    assert found["by_type"]["salt"]["forces"]["count"] == 3 * 6
    assert found["shifts"]["Cu"] == pytest.approx(-0.2)
    assert found["largest"][0]["force"] == pytest.approx(0.1)
    assert parity_figure(parity, found, title="morse").startswith(b"<?xml")


def test_a_batch_is_judged_as_one_by_one():
    some = labelled_by_morse(force=0.1)
    together = compare(Morse(), some)[0]
    alone = [compare(Morse(), [one])[0] for one in some]
    np.testing.assert_allclose(together.forces_2A3, np.concatenate([one.forces_2A3 for one in alone], axis=1))
    np.testing.assert_allclose(together.energy_2G, np.concatenate([one.energy_2G for one in alone], axis=1))


def test_unknown_elements_are_left_out_and_counted():
    iron = Labelled(name="iron", atoms=bulk("Fe"), energy=-1.0)
    parity, refused = compare(Morse(), [*labelled_by_morse(), iron])
    assert len(parity.names_G) == 6
    assert refused == {"iron": "morse does not know Fe"}
    with pytest.raises(InputError, match=r"refuses all structures.*does not know Fe"):
        compare(Morse(), [iron])


def test_nothing_known_has_no_statistics():
    assert statistics(np.array([np.nan, np.nan])) is None


def test_labels_of_a_file(tmp_path):
    from ase.io import write

    frames = []
    for one in labelled_by_morse():
        atoms = one.atoms.copy()
        atoms.calc = SinglePointCalculator(atoms, energy=one.energy, forces=one.forces_A3)
        atoms.info["config_type"] = one.kind
        frames.append(atoms)
    write(tmp_path / "some.extxyz", frames)
    found, theory = read_labelled(tmp_path / "some.extxyz")
    assert theory is None
    assert [one.kind for one in found] == ["salt", "metal"] * 3
    np.testing.assert_allclose(found[1].forces_A3, frames[1].get_forces(), atol=1e-7)
    assert found[0].stress_33 is None
    frames[0].calc = None
    write(tmp_path / "bare.extxyz", frames[0])
    with pytest.raises(InputError, match="no structure has an energy or forces"):
        read_labelled(tmp_path / "bare.extxyz")
    (tmp_path / "text.txt").write_text("hello")
    with pytest.raises(InputError, match="format"):
        read_labelled(tmp_path / "text.txt")
    with pytest.raises(InputError, match="no such file"):
        read_labelled(tmp_path / "absent.extxyz")
    with pytest.raises(InputError, match="a split is of a dataset"):
        read_labelled(tmp_path / "some.extxyz", split={"train": [0]})


def test_the_document_and_its_files(tmp_path):
    pytest.importorskip("chgnet")
    atoms = bulk("NaCl", "rocksalt", a=5.6)
    atoms.calc = SinglePointCalculator(atoms, energy=-7.0, forces=np.zeros((2, 3)))
    atoms.write(tmp_path / "salt.extxyz")
    found = validate_errors("chgnet-0.3.0", {"source": tmp_path / "salt.extxyz"}, directory=tmp_path / "out")
    assert found["same_theory"] is None
    assert found["potential"]["licence"] == "BSD-3-Clause"
    assert found["labels"]["judged"] == 1
    with np.load(tmp_path / "out" / PARITY) as arrays:
        assert arrays["forces"].shape == (2, 2, 3)
    assert "stress" not in found["errors"]


def reference(**more):
    return {
        "structure": {"space_group": "Fm-3m", "cell": {"a": 3.6}, "sites": {"Cu": [[0, 0, 0]]}},
        "source": "x",
        **more,
    }


def test_references_beside_what_was_found(tmp_path):
    path = tmp_path / "known.yaml"
    path.write_text(
        "Cu:\n  structure: {space_group: Fm-3m, cell: {a: 3.6}, sites: {Cu: [[0, 0, 0]]}}\n"
        "  source: a table\n  volume: 12.0\n  elastic: {C11: 170, C44: 80}\n"
    )
    known = read_references(path)
    assert known["Cu"].needs == ("eos", "elastic")
    stiffness = np.diag([153.0] * 3 + [84.0] * 3).tolist()
    rows = properties(known, {"eos": [{"fit": {"volume": 12.6}}], "elastic": [{"stiffness": stiffness}]})
    assert [(row["property"], round(row["error"], 6)) for row in rows] == [
        ("volume", 5.0), ("C11", -10.0), ("C44", 5.0),
    ]  # fmt: skip
    rows = properties(
        known, {"eos": [{"fit": None, "reason": "no minimum"}], "elastic": [{"stiffness": None}]}
    )
    assert rows[0]["reason"] == "no minimum"
    assert rows[1]["potential"] is None


@pytest.mark.parametrize(
    ("document", "error", "match"),
    [
        (reference(), InputError, "says nothing of the crystal"),
        (reference(volum=3), UnknownKeyError, "did you mean 'volume'"),
        (reference(volume=-3), InputError, "volume"),
        (reference(elastic={"K11": 3}), InputError, "no elastic constant is called 'K11'"),
        ({"volume": 3}, InputError, "structure"),
    ],
)
def test_references_that_cannot_be(document, error, match):
    with pytest.raises(error, match=match):
        reference_of(document, where="Cu")


def test_a_file_of_references_that_is_none(tmp_path):
    for text, said in (("[1, 2]", "not a mapping of crystals"), ("{}", "names no crystals")):
        (tmp_path / "a.yaml").write_text(text)
        with pytest.raises(InputError, match=said):
            read_references(tmp_path / "a.yaml")
