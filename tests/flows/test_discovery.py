"""Discovery, from seeds to crystals with labels: every number can be followed, kills change nothing."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from discoveries_for_tests import drive, killed_after, small
from relabelling_for_tests import result
from rich.console import Console

from zonemelt import run_flow
from zonemelt.tasks.datasets import commit, open_dataset, write_part
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.generate.generator import load_generator
from zonemelt.tasks.rounds.adopt import adopt, check_level
from zonemelt.tasks.rounds.discovered import Outcome
from zonemelt.tasks.rounds.near_hull import placed
from zonemelt.workflows.report import discovery_tables

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def campaign(tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    place = tmp_path_factory.mktemp("discovery") / "campaign"
    run_flow(small().make(), site="inline", directory=place, ensure_success=True)
    return place, result(place)


def test_the_funnel_narrows_and_ends_in_labels(campaign):
    _, said = campaign
    outcome = Outcome.model_validate(said["discovery"])
    funnel = outcome.funnel
    assert funnel.generated == 6
    assert funnel.generated >= funnel.valid >= funnel.unique >= funnel.novel
    assert funnel.chosen >= funnel.labelled >= funnel.confirmed
    assert funnel.confirmed == sum(one.confirmed for one in outcome.discoveries)
    assert said["kind"] == "discovery"
    assert outcome.described == "above_hull < 0.1, at most 2 atoms"
    assert outcome.oracle == "emt"


def test_energies_are_those_of_the_labels_on_their_own_hull(campaign):
    _, said = campaign
    outcome = Outcome.model_validate(said["discovery"])
    records = {one.identifier: one for one in open_dataset(said["dataset"], said["version"]).records()}
    where = placed(records.values())
    assert outcome.hull
    assert outcome.discoveries
    for one in outcome.discoveries:
        assert one.energy_per_atom == pytest.approx(records[one.identifier].energy_per_atom)
        assert one.above_hull == pytest.approx(where[one.identifier].above_hull)
        assert one.geometry == records[one.identifier].geometry
        assert one.confirmed == (one.above_hull < 0.1 and len(one.geometry.symbols) <= 2)
        assert one.origin is not None
        assert one.origin.explorer == "generator"
    on_hull = {one.identifier for one in outcome.hull if one.above_hull < 1e-9}
    assert {name for name, spot in where.items() if abs(spot.above_hull or 0) < 1e-9} == on_hull
    assert all(one.seed == (one.identifier not in {d.identifier for d in outcome.discoveries})
               for one in outcome.hull if "-refined-" not in one.identifier)  # fmt: skip


def test_each_round_says_what_it_learnt(campaign):
    _, said = campaign
    first, last = (Outcome.model_validate(one["discovery"]) for one in said["rounds"][:2])
    assert [one.model for one in first.lessons] == ["potential", "generator"]
    assert first.lessons[0].new == 0
    assert first.lessons[0].labels == 10
    potential = last.lessons[0]
    assert potential.new == len(said["rounds"][1]["accepted"]) > 0
    assert potential.errors["energy mae (eV/atom)"] > 0
    assert last.factor >= 1
    for one in said["rounds"]:
        assert load_generator(one["generator"]).card.elements == ("Al", "Au")


def test_what_was_found_as_tables_of_the_console(campaign):
    _, said = campaign
    console = Console(width=200, record=True, file=io.StringIO())
    for table in discovery_tables(said["rounds"], said["stopped"]):
        console.print(table)
    text = console.export_text()
    assert "looked for: above_hull < 0.1, at most 2 atoms" in text
    assert f"ended: {said['stopped']}" in text
    found = said["discovery"]["discoveries"]
    assert f"of {len(found)} within the target by their labels (emt)" in text
    assert all(one["identifier"] in text for one in found[:10])
    assert not list(discovery_tables([{"round": 0}], ""))  # of a loop that is none


@pytest.mark.slow
def test_a_kill_in_a_round_changes_nothing(campaign, tmp_path):
    undisturbed = campaign[1]
    place = tmp_path / "killed"
    killed_after(place, jobs=30)
    drive(str(place))
    said = result(place)
    labels = [
        {one.identifier: one.energy_free for one in open_dataset(each["dataset"], each["version"]).records()}
        for each in (undisturbed, said)
    ]
    assert labels[0] == labels[1]
    keep = ("identifier", "above_hull", "predicted_above_hull", "deviation", "confirmed", "reasons")
    found = [
        [{key: one[key] for key in keep} for one in each["discovery"]["discoveries"]]
        for each in (undisturbed, said)
    ]
    assert found[0] == found[1]


def test_what_is_known_is_taken_over_once(campaign, tmp_path):
    _, said = campaign
    first = adopt(said["dataset"], said["version"], tmp_path / "mine")
    assert adopt(said["dataset"], said["version"], tmp_path / "mine") == first
    assert len(open_dataset(tmp_path / "mine")) == said["records"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target": "above_hull < 0.1, with Pb"}, "nothing can satisfy it: .* knows nothing of Pb"),
        ({"target": "above_hull > 0.2, above_hull < 0.1"}, "two ranges"),
        ({"target": "band_gap 1 to 2 eV"}, "band_gap"),
        ({"initial": 1}, "1 asked for first: too few for 2 potentials"),
        ({"sample": [{"count": 3, "elements": ["Cu"]}]}, "the seeds hold no Cu"),
        ({"sample": [{"count": 3, "composition": {"Al": 2, "Au": 2}}]}, "outside the target"),
        ({"sample": [{"count": 3, "atoms": [0]}]}, "1 or more"),
        ({"generator": {"most_atom": 3}}, "most_atoms"),
        ({"acquire": {"strategy": "luck"}}, "luck"),
        ({"models": {"gap": {"family": "extra_trees"}}}, "gap"),
        ({"judging": {"metastable": -1}}, "metastable"),
        ({"relax": {"forces": 0.1}}, "did you mean 'force'"),
        ({"generator": {"most_atoms": 0}}, "most_atoms 0"),
        ({"known": {}, "structures": []}, "give one or more to begin with"),
    ],
)
def test_what_is_refused_before_anything_is_labelled(changes, said):
    with pytest.raises((InputError, UnknownKeyError), match=said):
        small(**changes).check()


def test_seeds_without_an_element_alone_have_no_hull():
    maker = small()
    maker.structures = [one for one in maker.structures if not one["identifier"].startswith("Au1-")]
    with pytest.raises(InputError, match="no crystal of Au alone"):
        maker.check()


def test_known_labels_of_another_level_are_refused(campaign, tmp_path):
    _, said = campaign
    with pytest.raises(InputError, match="its labels are of"):
        check_level(said["dataset"], "", oracle="qe", settings={"protocol": {"functional": "LDA"}})
    records = list(open_dataset(said["dataset"], said["version"]).records())
    dft = records[0].theory.model_copy(update={"code": "qe", "functional": "PBE", "is_dft": True})
    place = tmp_path / "pbe"
    commit(
        place, [write_part(place, [one.model_copy(update={"theory": dft}) for one in records])], message="x"
    )
    with pytest.raises(InputError, match="PBE"):
        check_level(str(place), "", oracle="qe", settings={"protocol": {"functional": "LDA"}})
    check_level(str(place), "", oracle="qe", settings={"protocol": {"functional": "PBE"}})
    mixed = tmp_path / "mixed"
    commit(mixed, [write_part(mixed, records), write_part(mixed, open_dataset(place).records())], message="x")
    with pytest.raises(InputError, match="level"):
        small(structures=[], known={"dataset": str(mixed), "version": ""}).check()
