"""Potentials of other libraries: what is said where one is absent, and random models of those present.

The libraries write the models themselves; those that need an environment of their own are skipped elsewhere.
"""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.lj import LennardJones
from potential_contract import PotentialContract

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.potentials.foreign.libraries import LIBRARIES
from zonemelt.tasks.potentials.foreign.library import Loaded
from zonemelt.tasks.potentials.load import load_potential
from zonemelt.tasks.theory import Theory


def stand_in(monkeypatch, *, name="mace", load=None):
    """Library ``name`` as if it were installed: its calculator is ASE's Lennard-Jones."""
    seen = []

    def loaded(asked):
        seen.append(asked)
        print("a library that talks")
        return Loaded(calculator=LennardJones(), elements=["Ar"], cutoff=3.0)

    monkeypatch.setitem(LIBRARIES, name, replace(LIBRARIES[name], module="json", load=load or loaded))
    return seen


@pytest.mark.parametrize("name", LIBRARIES)
def test_every_library_says_how_to_get_it_and_its_licence(name):
    library = LIBRARIES[name]
    assert library.install.startswith("pip install ")
    assert library.files
    for model in library.models.values():
        assert model.licence
        assert model.theory.functional in {"PBE", "r2SCAN"}


@pytest.mark.parametrize("name", LIBRARIES)
def test_an_absent_library_is_one_error_with_the_line_to_type(name, monkeypatch):
    monkeypatch.setitem(LIBRARIES, name, replace(LIBRARIES[name], module="not_there.at_all"))
    own = "environment of its own" if LIBRARIES[name].environment else "pip install"
    with pytest.raises(InputError, match=rf"{name} is not installed") as error:
        load_potential(f"{name}:some-model")
    assert own in error.value.remedy


def test_a_file_that_may_run_code_is_read_only_when_somebody_says_so(tmp_path, monkeypatch):
    seen = stand_in(monkeypatch)
    path = tmp_path / "a.model"
    path.write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(InputError, match="can run any program"):
        load_potential(f"mace:{path}")
    assert not seen
    found = load_potential(f"mace:{path}", trust=True)
    assert (seen[0].source, seen[0].is_file) == (str(path), True)
    assert found.elements == {"Ar"}
    assert found.theory.described.startswith("not said mace ")
    said = Theory(code="vasp", functional="PBE")
    assert load_potential(f"mace:{path}", trust=True, theory=said).theory == said


def test_weights_alone_need_no_trust(tmp_path, monkeypatch):
    seen = stand_in(monkeypatch, name="orb")
    path = tmp_path / "orb-v2-20241011.ckpt"
    path.write_bytes(b"")
    load_potential(f"orb:{path}")
    assert seen[0].is_file


def test_a_published_name_brings_its_licence_and_theory(monkeypatch, capsys):
    seen = stand_in(monkeypatch)
    found = load_potential("mace:medium-mpa-0")
    assert not seen[0].is_file
    assert (found.name, found.licence, found.theory.functional) == ("mace:medium-mpa-0", "MIT", "PBE")
    assert not capsys.readouterr().out  # what is asked for with --json stays JSON
    other = load_potential("mace:brand-new")
    assert "see" in other.licence
    assert other.theory.key != found.theory.key
    with pytest.raises(InputError, match="does not know Cu"):
        found.evaluate(Crystals.of_atoms([bulk("Cu")]))


def test_what_goes_wrong_inside_a_library(monkeypatch):
    def offline(_):
        os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
        raise RuntimeError("Model download failed")

    stand_in(monkeypatch, load=offline)
    monkeypatch.delenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", raising=False)
    with pytest.raises(InputError, match="Model download failed") as error:
        load_potential("mace:medium")
    assert "needs a network" in error.value.remedy
    assert "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD" not in os.environ


def test_names_that_nobody_knows(tmp_path):
    with pytest.raises(UnknownKeyError, match=r"did you mean 'chgnet-0\.3\.0'"):
        load_potential("chgnet-0.3")
    with pytest.raises(InputError, match="no such file"):
        load_potential("mace:models/absent.model", trust=True)
    with pytest.raises(InputError, match="no such file"):
        load_potential("sevennet:absent.pth")
    (tmp_path / "some.model").write_bytes(b"")
    with pytest.raises(InputError, match="does not say of which library"):
        load_potential(str(tmp_path / "some.model"))


@pytest.mark.parametrize(("kind", "package", "inside"), [
    ("chgnet", "chgnet", "pretrained/0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar"),
    ("sevennet", "sevenn", "pretrained_potentials/SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth"),
])  # fmt: skip
def test_checkpoints_of_known_networks_from_a_file(kind, package, inside):
    pytest.importorskip(package)
    from zonemelt.tasks.potentials.weights import packaged

    crystals = Crystals.of_atoms([bulk("NaCl", "rocksalt", a=5.6)])
    by_name = load_potential({"chgnet": "chgnet-0.3.0", "sevennet": "sevennet-0"}[kind])
    by_file = load_potential(f"{kind}:{packaged(package, inside)}")
    np.testing.assert_array_equal(
        by_file.evaluate(crystals).energies_G, by_name.evaluate(crystals).energies_G
    )
    assert by_file.theory.code == "not said"


class TestMace(PotentialContract):
    """A small random MACE, saved whole by mace-torch, read from its file."""

    exact = 1e-9
    rtol = 1e-3

    @pytest.fixture(scope="class")
    @classmethod
    def potential(cls, tmp_path_factory):
        pytest.importorskip("mace", reason="mace-torch needs an environment of its own")
        import torch
        from e3nn import o3
        from mace.modules import ScaleShiftMACE, interaction_classes

        torch.manual_seed(0)
        block = interaction_classes["RealAgnosticResidualInteractionBlock"]
        model = ScaleShiftMACE(
            r_max=4.5, num_bessel=4, num_polynomial_cutoff=5, max_ell=2, interaction_cls=block,
            interaction_cls_first=block, num_interactions=2, num_elements=3, hidden_irreps=o3.Irreps("8x0e"),
            MLP_irreps=o3.Irreps("8x0e"), gate=torch.nn.functional.silu,
            atomic_energies=np.array([-1.0, -2.0, -3.0]), avg_num_neighbors=1.0, correlation=2,
            atomic_numbers=[11, 17, 29], atomic_inter_scale=300.0, atomic_inter_shift=0.0,
        )  # fmt: skip
        path = tmp_path_factory.mktemp("mace") / "small.model"
        torch.save(model, path)
        found = load_potential(f"mace:{path}", dtype="float64", trust=True)
        assert found.elements == {"Na", "Cl", "Cu"}
        assert found.cutoff == 4.5
        return found


@pytest.mark.parametrize("kind", ["M3GNet", "TensorNet"])
def test_matgl(kind, tmp_path):
    pytest.importorskip("matgl")
    import torch
    from matgl import models
    from matgl.apps.pes import Potential

    torch.manual_seed(0)
    sizes = {
        "M3GNet": {
            "dim_node_embedding": 8, "dim_edge_embedding": 8, "units": 8, "nblocks": 1,
            "threebody_cutoff": 3.5,
        },
        "TensorNet": {"units": 8, "nblocks": 1, "num_rbf": 4},
    }  # fmt: skip
    network = getattr(models, kind)(element_types=("Na", "Cl"), is_intensive=False, cutoff=4.5, **sizes[kind])
    for weights in network.parameters():
        weights.data *= 3  # else the energies are flat, and single precision sees no slopes
    Potential(model=network, calc_stresses=True).save(tmp_path / "model")
    with pytest.raises(InputError, match="can run any program"):
        load_potential(f"matgl:{tmp_path / 'model'}")
    with pytest.raises(InputError, match="float32 only"):
        load_potential(f"matgl:{tmp_path / 'model'}", trust=True, dtype="float64")
    found = load_potential(f"matgl:{tmp_path / 'model'}", trust=True)
    assert (found.elements, found.cutoff) == ({"Na", "Cl"}, 4.5)
    slopes(found)


def slopes(potential, *, rtol=0.03):
    """Forces and pressure are slopes of the energy, also in single precision."""
    atoms = bulk("NaCl", "rocksalt", a=5.6)
    atoms.rattle(0.1, seed=1)
    direction = np.random.default_rng(0).normal(size=(2, 3))
    moved = [atoms.copy(), atoms.copy()]
    for one, sign in zip(moved, (1, -1), strict=True):
        one.positions += sign * 0.01 * direction
    said = potential.evaluate(Crystals.of_atoms([atoms]), stress=True)
    up, down = potential.evaluate(Crystals.of_atoms(moved), forces=False).energies_G
    np.testing.assert_allclose((up - down) / 0.02, -(said.forces_A3 * direction).sum(), rtol=rtol)
    strained = [atoms.copy(), atoms.copy()]
    for one, sign in zip(strained, (1, -1), strict=True):
        one.set_cell(one.cell * (1 + sign * 1e-3), scale_atoms=True)
    up, down = potential.evaluate(Crystals.of_atoms(strained), forces=False).energies_G
    slope = (up - down) / 2e-3 / atoms.get_volume()
    np.testing.assert_allclose(np.trace(said.stresses_G33[0]), slope, rtol=rtol)


@pytest.mark.filterwarnings("ignore")  # its own use of ASE
def test_orb(tmp_path):
    pytest.importorskip("orb_models", reason="orb-models needs an environment of its own")
    import torch
    from orb_models.forcefield import pretrained

    torch.manual_seed(0)
    path = tmp_path / "orb-v3-conservative-inf-omat-20250404.ckpt"
    torch.save(pretrained.orb_v3_conservative_architecture(device="cpu").state_dict(), path)
    found = load_potential(f"orb:{path}", dtype="float64")
    assert {"Na", "Pu"} <= found.elements
    assert torch.get_default_dtype() == torch.float32  # not what the library has set
    slopes(found)
    path.rename(tmp_path / "mine.ckpt")
    with pytest.raises(UnknownKeyError, match="mine"):
        load_potential(f"orb:{tmp_path / 'mine.ckpt'}")


def test_mattersim(tmp_path):
    pytest.importorskip("mattersim", reason="mattersim needs an environment of its own")
    import torch
    from mattersim.forcefield.m3gnet.m3gnet import M3Gnet

    torch.manual_seed(0)
    sizes = {"num_blocks": 2, "units": 16, "max_l": 2, "max_n": 2, "cutoff": 5.0, "max_z": 94}
    network = M3Gnet(device="cpu", threebody_cutoff=4.0, **sizes)
    for weights in network.parameters():
        weights.data *= 4  # else the energies are flat
    path = tmp_path / "small.pth"
    torch.save({"model_name": "m3gnet", "model_args": sizes, "model": network.state_dict()}, path)
    with pytest.raises(InputError, match="can run any program"):
        load_potential(f"mattersim:{path}")
    slopes(load_potential(f"mattersim:{path}", trust=True))
