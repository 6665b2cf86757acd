"""Published potentials: the physics of all, the numbers of their own calculators, and no file that runs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from potential_contract import PotentialContract, metal, salt

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.featurize.neighbours import within
from zonemelt.tasks.potentials.bonds import bonds
from zonemelt.tasks.potentials.load import NAMES, load_potential
from zonemelt.tasks.potentials.weights import read_weights

torch.set_num_threads(1)


class TestChgnet(PotentialContract):
    @pytest.fixture(scope="class")
    @classmethod
    def potential(cls):
        return load_potential("chgnet-0.3.0", dtype="float64")

    def test_a_stress_of_what_has_no_volume_is_refused(self, potential):
        slab = salt()
        slab.pbc = (True, True, False)
        with pytest.raises(InputError, match=r"structure 1.*does not repeat"):
            potential.evaluate(Crystals.of_atoms([salt(), slab]), stress=True)

    def test_small_passes_give_the_same(self, potential, monkeypatch):
        crystals = Crystals.of_atoms([salt(), metal(), bulk("Si")])
        at_once = potential.evaluate(crystals, stress=True)
        monkeypatch.setattr(potential, "atoms_at_once", 3)
        in_passes = potential.evaluate(crystals, stress=True)
        np.testing.assert_allclose(in_passes.energies_G, at_once.energies_G, atol=1e-10)
        np.testing.assert_allclose(in_passes.forces_A3, at_once.forces_A3, atol=1e-10)


class TestSevenNet(PotentialContract):
    @pytest.fixture(scope="class")
    @classmethod
    def potential(cls):
        return load_potential("sevennet-0", dtype="float64")

    def test_molecules(self, potential):
        found = potential.evaluate(Crystals.of_atoms([Atoms("N2", [(0, 0, 0), (0, 0, 1.2)]), Atoms("Ar")]))
        assert found.forces_A3[0, 2] > 1  # stretched: pulled together
        np.testing.assert_allclose(found.forces_A3[2], 0, atol=1e-12)


def as_their_own(calculator, name, forces, tolerance=1e-5):
    ours = load_potential(name).evaluate(Crystals.of_atoms([salt(), metal()]), stress=True)
    first = 0
    for index, atoms in enumerate((salt(), metal())):
        atoms.calc = calculator
        rows = slice(first, first + len(atoms))
        assert ours.energies_G[index] == pytest.approx(atoms.get_potential_energy(), abs=tolerance)
        np.testing.assert_allclose(ours.forces_A3[rows], atoms.get_forces(), atol=forces)
        stress = atoms.get_stress(voigt=False)
        np.testing.assert_allclose(ours.stresses_G33[index], stress, atol=tolerance)
        first += len(atoms)


@pytest.mark.parametrize("name", ["0.3.0", "r2scan"])
@pytest.mark.filterwarnings("ignore")
def test_chgnet_as_its_own_calculator(name):
    from chgnet.model import CHGNet, CHGNetCalculator

    theirs = CHGNet.load(model_name=name, use_device="cpu", verbose=False)
    # its own positions are in single precision
    as_their_own(CHGNetCalculator(theirs, use_device="cpu"), f"chgnet-{name}", forces=3e-5)


@pytest.mark.parametrize(
    ("ours", "theirs", "modal"),
    [
        ("sevennet-0", "7net-0", None),
        pytest.param("sevennet-l3i5", "7net-l3i5", None, marks=pytest.mark.slow),
        pytest.param("sevennet-mf-0", "7net-mf-0", "PBE", marks=pytest.mark.slow),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_sevennet_as_its_own_calculator(ours, theirs, modal):
    from sevenn.calculator import SevenNetCalculator

    as_their_own(SevenNetCalculator(theirs, device="cpu", modal=modal), ours, forces=1e-5)


def test_what_a_potential_says_of_itself():
    assert "corrected by MP2020" in load_potential("chgnet-0.3.0").theory.version
    potential = load_potential("chgnet-r2scan")
    assert potential.theory.functional == "r2SCAN"
    assert potential.licence.startswith("BSD")
    assert potential.cutoff == 6.0
    assert {"H", "Fe", "Pu"} <= potential.elements
    assert "Am" not in potential.elements


def test_a_name_that_does_not_exist():
    with pytest.raises(UnknownKeyError, match="did you mean 'sevennet-0'"):
        load_potential("sevenet-0")
    assert "chgnet-0.3.0" in NAMES


class Thief:
    def __reduce__(self):
        return (print, ("stolen",))


def test_a_file_that_would_run_something_is_refused(tmp_path, capsys):
    torch.save({"model": Thief()}, tmp_path / "w.pth")
    with pytest.raises(InputError, match="more than weights"):
        read_weights(tmp_path / "w.pth")
    assert "stolen" not in capsys.readouterr().out


def test_an_object_hidden_in_an_array_is_refused(tmp_path, capsys):
    torch.save({"model": np.array([Thief()], object)}, tmp_path / "w.pth")
    with pytest.raises(InputError, match="more than weights"):
        read_weights(tmp_path / "w.pth")
    assert "stolen" not in capsys.readouterr().out


def test_weights_of_arrays_and_tensors_are_read(tmp_path):
    saved = {"a": np.arange(3.0), "b": torch.ones(2), "c": [1, "x", None]}
    torch.save(saved, tmp_path / "w.pth")
    read = read_weights(tmp_path / "w.pth")
    assert read["c"] == saved["c"]
    assert np.array_equal(read["a"], saved["a"])
    assert torch.equal(read["b"], saved["b"])


@pytest.mark.parametrize("content", [b"", b"no weights"])
def test_a_damaged_file(tmp_path, content):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(InputError, match=r"w\.pth"):
        read_weights(tmp_path / "w.pth")


def test_bonds_are_edges_both_ways():
    found = within(Crystals.of_atoms([salt(), bulk("Fe"), metal()]), cutoff=5.0)
    bond_E, first_B = bonds(found)
    assert len(found) == 2 * len(first_B)
    assert (np.bincount(bond_E) == 2).all()
    assert np.array_equal(bond_E[first_B], np.arange(len(first_B)))
    one, other = np.argsort(bond_E, kind="stable").reshape(-1, 2).T
    np.testing.assert_allclose(found.vectors_E3[one], -found.vectors_E3[other], atol=1e-12)
