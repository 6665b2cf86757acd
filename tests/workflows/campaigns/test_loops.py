"""Campaign files of active learning: what is wrong is said before anything is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ase.build import bulk

from zonemelt.tasks.errors import InputError, OracleAbsentError, UnknownKeyError
from zonemelt.workflows.campaigns.active_potential import LoopSpec
from zonemelt.workflows.campaigns.spec import about_catalog, build_flow, load_campaign
from zonemelt.workflows.campaigns.structures import BulkSpec, read_structures

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("overrides", "error", "said"),
    [
        ({"explore.md.explorer": "walks"}, InputError, "explore"),
        ({"explore.md.temperature": 300}, InputError, "temperature"),
        ({"acquire.stratgy": "top"}, InputError, "stratgy"),
        ({"stop.rouds": 3}, UnknownKeyError, "did you mean 'rounds'"),
        ({"committee.members": 1}, InputError, "greater than or equal to 2"),
        ({"committee.basis.radal": 3}, UnknownKeyError, "did you mean 'radial'"),
        ({"resources.label": {"pools": "dft"}}, InputError, "pool"),
        ({"structures": ["nowhere.cif"]}, InputError, "there is no file"),
        ({"structures": [{"bulk": "Al", "crystal": "alpha", "a": 4.0}]}, InputError, "Al"),
        ({"oracle": "vsp"}, InputError, "choose one of"),
        ({"batch": 0}, InputError, "greater than or equal to 1"),
    ],
)
def test_what_is_wrong_is_named(overrides, error, said):
    with pytest.raises(error, match=said):
        build_flow(load_campaign("al_potential", overrides))


def test_a_program_that_is_missing_is_found_before_anything_starts():
    overrides = {"oracle": "qe", "oracles.qe.command": "/nowhere/pw.x"}
    with pytest.raises(OracleAbsentError, match=r"/nowhere/pw\.x"):
        build_flow(load_campaign("al_potential", overrides))


def test_ranks_of_a_label_are_those_of_its_program():
    spec = load_campaign("al_potential", {"resources": {"label": {"ranks_per_node": 4}}})
    assert isinstance(spec, LoopSpec)
    assert spec.loop_fields(["Al"])["resources"]["label"] == {"launcher": "program", "ranks_per_node": 4}


def test_files_are_relative_to_the_campaign(tmp_path: Path):
    bulk("Al", cubic=True).write(tmp_path / "al.cif")
    found = load_campaign("al_potential", {"structures": ["al.cif"]}).with_paths_from(tmp_path)
    (one,) = read_structures(found.structures)
    assert (one["identifier"], one["geometry"]["symbols"]) == ("al", ["Al"] * 4)


def test_structures_have_names_of_their_own():
    names = [one["identifier"] for one in read_structures([BulkSpec(bulk="Al"), BulkSpec(bulk="Al", a=4.1)])]
    assert len(set(names)) == 2


def test_every_campaign_of_the_catalog_says_what_it_is_for():
    assert all(len(about) > 20 for about in about_catalog().values())


def test_errors_of_structures_name_their_field() -> None:
    spec = load_campaign("quickstart", {"seeds": [{"bulk": "Al"}, "nowhere.cif"]})
    with pytest.raises(InputError, match=r"seeds\[1\]: there is no file"):
        build_flow(spec)
    spec = load_campaign("screening", {"references.structures": [{"bulk": "Al"}, "gone.cif"]})
    with pytest.raises(InputError, match=r"references\.structures\[1\]: there is no file"):
        build_flow(spec)


def test_paths_of_a_file_are_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    overrides = {"potential": "mine", "reuse": ["old"]}
    spec = load_campaign("cathodes", overrides).with_paths_from(tmp_path)
    assert spec.potential == str(tmp_path / "mine")
    assert spec.reuse == [str(tmp_path / "old")]
    assert load_campaign("cathodes").with_paths_from(tmp_path).potential == "sevennet-0"
    loop = load_campaign("al_potential", {"committee.start": "mine"}).with_paths_from(tmp_path)
    assert loop.committee.start == str(tmp_path / "mine")


def test_files_of_an_oracle_are_relative_to_the_campaign(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    overrides = {
        "oracles.qe": {"protocol": "oxides.yaml", "pseudopotentials": "upf"},
        "oracles.abinit": {"protocol": {"based_on": "oxides.yml", "cutoff": 500.0}},
        "oracles.gpaw": {"protocol": "standard"},
        "oracles.potential": {"name": "mine"},
    }
    given = load_campaign("al_potential", overrides)
    found = given.with_paths_from(tmp_path).oracles
    assert found.qe.protocol == str(tmp_path / "oxides.yaml")
    assert found.qe.pseudopotentials == str(tmp_path / "upf")
    assert found.abinit.protocol == {"based_on": str(tmp_path / "oxides.yml"), "cutoff": 500.0}
    assert found.gpaw == given.oracles.gpaw
    assert found.potential.name == str(tmp_path / "mine")
    assert found.model_fields_set == given.oracles.model_fields_set
    assert found.qe.with_paths_from(tmp_path / "elsewhere") == found.qe
