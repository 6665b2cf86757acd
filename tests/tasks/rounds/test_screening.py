"""A model of a search is fitted to the labels that there are."""

from __future__ import annotations

from relabelling_for_tests import pool_of_alloys

from zonemelt.tasks.datasets import commit, open_dataset, write_part
from zonemelt.tasks.rounds.screening import fit_job


def test_a_label_without_the_property_is_left_out(tmp_path):
    records = list(open_dataset(pool_of_alloys(tmp_path / "all")).records())[:14]
    records[3] = records[3].model_copy(update={"properties": {}})
    place = tmp_path / "labels"
    commit(place, [write_part(place, records)], message="one without")
    found = fit_job.original(
        dataset=str(place), version=open_dataset(place).version, target="heat",
        model={"family": "ridge", "grid": {"alpha": [1.0]}}, seed=0, directory=str(tmp_path / "model"),
    )  # fmt: skip
    assert found["card"]["training"]["samples"] == 13
