"""zonemelt potential: from a dataset to a judged potential and its use; what it refuses."""

from __future__ import annotations

import json

import pytest
from ase.build import bulk
from labels_for_tests import VASP, record_of
from trained_potentials_for_tests import structures

from zonemelt.tasks.datasets import commit, write_part
from zonemelt.tasks.potentials.load import load_potential
from zonemelt.tasks.records import Quality

pytest.importorskip("sevenn")
pytest.importorskip("chgnet")

INLINE = ("--site", "inline")
LINEAR = (
    "--kind",
    "linear",
    "--set",
    "basis.cutoff=4.0",
    "--set",
    "basis.radial=2",
    "--set",
    "basis.degree=1",
)
TINY = (
    "--epochs", "1", "--set", "architecture.cutoff=3.5", "--set", "architecture.channels=[4, 3]",
    "--set", "architecture.layers=2", "--set", "architecture.hidden=[8]",
)  # fmt: skip


def dataset(place, *, functionals=("PBE",), forces=True):
    records = []
    for number, atoms in enumerate(structures(20)):
        changes = {
            "energy_free": float(atoms.get_potential_energy()),
            "forces": atoms.get_forces().tolist() if forces else None,
            "stress": atoms.get_stress(voigt=False).tolist(),
            "theory": VASP.model_copy(update={"functional": functionals[number % len(functionals)]}),
            "quality": Quality(accepted=True),
        }
        records.append(record_of(atoms, f"m{number}", **changes))
    commit(place, [write_part(place, records)], message="made for a test")
    return place


@pytest.fixture
def metals(home):
    return dataset(home / "metals")


def test_a_linear_potential_from_a_dataset_to_its_use(zonemelt, metals, home):
    words = ("potential", "train", "metals", "--out", "fit", *INLINE, *LINEAR)
    found = zonemelt.json(*words)
    assert found["labels"]["judged"] == 2
    assert found["same_theory"]
    assert found["errors"]["forces"]["mae"] > 0
    assert found["units"]["forces"] == "eV/Å"
    assert zonemelt.json(*words) == found  # it has ended: nothing is fitted again
    bulk("Cu", cubic=True, a=3.7).write("cu.extxyz")
    bulk("Fe").write("fe.extxyz")
    asked = zonemelt.json("potential", "evaluate", "fit", "cu.extxyz", "fe.extxyz", "absent.cif", code=1)
    assert [bool(one["refused"]) for one in asked["structures"]] == [False, True, True]
    assert "does not know Fe" in asked["structures"][1]["refused"]
    judged = zonemelt.json(
        "potential", "validate", "fit", "metals", "--split", "fit/split.json", "--out", "judged", *INLINE
    )
    assert judged["errors"] == found["errors"]
    assert (home / "judged" / "parity.svg").is_file()


def test_a_committee_says_how_far_it_disagrees(zonemelt, metals):
    words = ("potential", "train", "metals", "--out", "many", "--members", "2", "--seed", "5")
    zonemelt(*words, *INLINE, *LINEAR)
    assert [one.card.training["seed"] for one in load_potential("many").members] == [5, 6]
    bulk("Cu", cubic=True, a=3.7).write("cu.extxyz")
    row = zonemelt.json("potential", "evaluate", "many", "cu.extxyz")["structures"][0]
    assert row["energy spread (eV/atom)"] > 0
    zonemelt("potential", "evaluate", "many", "cu.extxyz", "--out", "said.extxyz", "--stress")
    from ase.io import read

    assert read("said.extxyz").get_forces().shape == (4, 3)


def test_a_network_is_trained_and_tuned_further(zonemelt, metals):
    found = zonemelt.json("potential", "train", "metals", "--out", "net", *INLINE, *TINY)
    assert found["errors"]["energy"]["count"] == 2
    tuned = zonemelt.json(
        "potential", "finetune", "metals", "--start", "net", "--out", "tuned", "--epochs", "1", *INLINE
    )
    assert tuned["labels"]["judged"] == 2
    assert load_potential("tuned").card.start.endswith("net")
    said = zonemelt("potential", "export", "net", "--out", "net.pt")
    assert "pair_style e3gnn" in said


def test_relaxed_structures_are_written(zonemelt, home):
    for number, a in enumerate((5.55, 5.75)):
        bulk("NaCl", "rocksalt", a=a).write(home / f"salt-{number}.extxyz")
    words = ("potential", "relax", "chgnet-0.3.0", "salt-0.extxyz", "salt-1.extxyz", "--out", "rest", *INLINE)
    found = zonemelt.json(*words, "--force", "0.02")
    assert found["outcomes"] == {"converged": 2}
    one, other = found["structures"]
    assert one["volume"] == pytest.approx(other["volume"], rel=1e-2)
    from ase.io import read

    frames = read("rest/relaxed.extxyz", ":")
    assert frames[0].get_potential_energy() == pytest.approx(one["energy"])
    assert json.loads((home / "rest" / "relaxed.json").read_text()) == found
    hurried = ("potential", "relax", "chgnet-0.3.0", "salt-0.extxyz", "--out", "hurried", *INLINE)
    assert zonemelt.json(*hurried, "--steps", "1", code=1)["outcomes"] == {"out of steps": 1}


def test_dynamics_of_structures(zonemelt, home):
    bulk("NaCl", "rocksalt", a=5.7).write(home / "salt.extxyz")
    words = ("potential", "md", "chgnet-0.3.0", "salt.extxyz", "--out", "run", "--steps", "10", *INLINE)
    found = zonemelt.json(*words, "--every", "5", "--extxyz")
    assert found["ends"] == {"finished": 1}
    from ase.io import read

    assert len(read(found["structures"][0]["extxyz"], ":")) == 3
    hot = ("potential", "md", "chgnet-0.3.0", "salt.extxyz", "--out", "hot", "--steps", "40", *INLINE)
    burst = zonemelt.json(*hot, "-T", "40000", "--timestep", "200", code=1)
    assert burst["ends"] == {"exploded": 1}


def test_which_there_are(zonemelt):
    found = {one["name"]: one for one in zonemelt.json("potential", "list")["potentials"]}
    assert found["sevennet-0"]["installed"]
    assert found["mace:medium-mpa-0"]["licence"] == "MIT"
    assert "pip install" in found["grace:GRACE-2L-OAM"]["install"]
    assert "zonemelt[mace]" in zonemelt("potential", "list")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("train", "metals", "--kind", "lineer"), "one of network, linear"),
        (("train", "metals", "--set", "architecture.cutof=3"), "did you mean 'cutoff'"),
        (("train", "metals", "--set", "basis.cutoff=3"), "'basis.cutoff' is of a linear potential"),
        (("train", "metals", "--set", "cutoff=3"), "write settings.KEY, architecture.KEY"),
        (("train", "metals", "--kind", "linear", "--epochs", "3"), "a linear fit has none"),
        (("train", "metals", "--kind", "linear", "--fractions", "0.9,0,0.1"), "no validation part"),
        (("train", "nothing"), "no such directory"),
        (("finetune", "metals", "--start", "sevennet-9"), "did you mean 'sevennet-0'"),
        (("finetune", "metals", "--start", "sevennet-0", "--set", "architecture.cutoff=4"), "beside start"),
        (("relax", "chgnet-0.3.0", "metals.cif"), "no such file"),
        (("relax", "chgnet-9", "cu.extxyz"), "did you mean 'chgnet-0.3.0'"),
        (("relax", "chgnet-0.3.0", "og.extxyz"), "does not know Og"),
        (("relax", "chgnet-0.3.0", "cu.extxyz", "--method", "newton"), "method: 'newton' cannot be used"),
        (("md", "chgnet-0.3.0", "cu.extxyz", "--ensemble", "nph"), "one of nve, nvt, npt"),
        (("md", "chgnet-0.3.0", "cu.extxyz", "--pressure", "1"), "give --ensemble npt"),
        (("md", "chgnet-0.3.0", "og.extxyz"), "does not know Og"),
        (("validate", "chgnet-0.3.0"), "nothing to judge on"),
        (("validate", "chgnet-0.3.0", "cu.extxyz"), "no structure has an energy or forces"),
        (("validate", "mace:some", "cu.extxyz"), "pip install 'zonemelt[mace]'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(zonemelt, metals, home, words, says):
    bulk("Cu").write(home / "cu.extxyz")
    bulk("Og", "fcc", a=6.0).write(home / "og.extxyz")
    assert says in zonemelt.refused("potential", *words, "--out", "made", *INLINE)
    assert not (home / "made").exists()


def test_labels_that_nothing_can_be_learnt_from(zonemelt, home):
    dataset(home / "mixed", functionals=("PBE", "r2SCAN"))
    assert "mixed" in zonemelt.refused("potential", "train", "mixed", "--out", "made", *INLINE)
    dataset(home / "flat", forces=False)
    assert "no training record has forces" in zonemelt.refused(
        "potential", "train", "flat", "--out", "made", *INLINE
    )
    assert not (home / "made").exists()
