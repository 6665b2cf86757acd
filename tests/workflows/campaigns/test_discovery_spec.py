"""Campaign files of discovery: what is wrong is said before anything is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from jobflow import Flow

from zonemelt.tasks.errors import InputError, UnfitStructureError, UnknownKeyError
from zonemelt.workflows.campaigns.spec import build_flow, load_campaign

if TYPE_CHECKING:
    from pathlib import Path

ALLOY = {"bulk": "AlAu", "crystal": "cesiumchloride", "a": 3.1}


@pytest.mark.parametrize("name", ["discovery", "quickstart", "stiff_alloys"])
def test_the_catalog_builds(name):
    flow = build_flow(load_campaign(name))
    assert isinstance(flow, Flow)
    assert {job.metadata["step"] for job, _ in flow.iterflow()} == {"begin"}


@pytest.mark.parametrize(
    ("overrides", "error", "said"),
    [
        ({"target": "above_hull < 0.05, no Al, with Al"}, InputError, "required and forbidden"),
        ({"target": "as good as can be"}, InputError, "cannot be read"),
        ({"seeds": []}, InputError, "neither seeds nor known"),
        ({"seeds": [{"orderings": ["Al"]}]}, InputError, "orderings"),
        ({"seeds": [{"orderings": ["Al", "Au"], "lattices": ["hcp"]}]}, InputError, "lattices"),
        ({"generator.epochs": 3}, UnknownKeyError, "epochs"),
        ({"stop.confirmeds": 3}, UnknownKeyError, "did you mean 'confirmed'"),
        ({"batch": 0}, InputError, "batch"),
    ],
)
def test_a_file_that_cannot_be_read(overrides, error, said):
    with pytest.raises(error, match=said):
        load_campaign("quickstart", overrides)


@pytest.mark.parametrize(
    ("overrides", "error", "said"),
    [
        ({"target": "above_hull < 0.05, with Pb"}, InputError, "nothing can satisfy it"),
        ({"target": "band_gap 1 to 2 eV"}, InputError, "band_gap"),
        ({"initial": 2}, InputError, "too few"),
        ({"seeds": [{"bulk": "Al"}, ALLOY]}, InputError, "Au alone"),
        ({"seeds": [{"orderings": ["Al", "Si"], "sizes": [2]}], "target": "above_hull < 0.1"},
         UnfitStructureError, "EMT has no parameters for Si"),
        ({"known": "nowhere"}, InputError, "nowhere"),
        ({"judging.hull": "all"}, InputError, "references"),
        ({"measure": ["bulk_moduls"]}, UnknownKeyError, "bulk_modulus"),
        ({"target": "bulk_modulus > 1", "measure": ["bulk_modulus"]}, InputError, "nothing predicts it"),
    ],
)  # fmt: skip
def test_a_campaign_that_makes_no_sense(overrides, error, said):
    with pytest.raises(error, match=said):
        build_flow(load_campaign("quickstart", overrides))


def test_paths_are_from_the_file(tmp_path: Path):
    spec = load_campaign("quickstart", {"known": "labels", "seeds": ["a.cif"]}).with_paths_from(tmp_path)
    assert spec.known == str(tmp_path / "labels")
    assert spec.seeds == [str(tmp_path / "a.cif")]
