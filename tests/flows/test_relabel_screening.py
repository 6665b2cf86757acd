"""Searches: few labels, each looked up once, and an end with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from relabelling_for_tests import pool_of_alloys, result

from zonemelt import run_flow
from zonemelt.flows.relabel_screening import RelabelScreeningMaker
from zonemelt.tasks.datasets import commit, open_dataset, write_part
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.rounds.screening import covering
from zonemelt.workflows.campaigns.spec import build_flow, load_campaign
from zonemelt.workflows.engine.inspect import open_ledger

if TYPE_CHECKING:
    from pathlib import Path


def search(place: Path, **more: Any) -> tuple[dict[str, Any], Path]:
    pool = pool_of_alloys(place / "pool")
    maker = RelabelScreeningMaker(**{
        "name": "alloys",
        "pool": {"dataset": str(pool), "version": open_dataset(pool).version},
        "target": "heat",
        "model": {"family": "gaussian_process", "grid": {}},
        "initial": 6,
        "batch": 3,
        "ahead": 0,
        "acquire": {"strategy": "top", "score": "improvement", "features": "", "fraction": 0.05},
        "stop": {"rounds": 3},
        **more,
    })  # fmt: skip
    maker.check()
    run_flow(maker.make(), site="inline", directory=place / "c", ensure_success=True)
    return result(place / "c"), pool


def test_the_best_is_found_and_nothing_else_is_looked_up(tmp_path):
    said, pool = search(tmp_path)
    values = {one.identifier: one.properties["heat"].value for one in open_dataset(pool).records()}
    lowest = min(values.values())
    assert min(said["rounds"][-1]["best"].values()) == lowest
    assert said["labels"] == 6 + 3 * 3 < len(values)
    with open_ledger(tmp_path / "c") as connection:
        (looked_up,) = connection.execute("SELECT COUNT(*) FROM jobs WHERE name LIKE 'label %'").fetchone()
    assert looked_up == said["labels"]


def test_a_whole_pool(tmp_path):
    said, pool = search(tmp_path, batch=20, stop={"rounds": 9}, heldout=4)
    assert said["stopped"].startswith("exhausted")
    assert said["labels"] == len(open_dataset(pool)) - 4
    assert said["rounds"][-1]["heldout"]["heat mae (eV/atom)"] < 0.5


def test_a_pool_that_is_too_small_or_not_there(tmp_path):
    pool = pool_of_alloys(tmp_path / "pool")
    for overrides, match in (
        ({"pool": str(pool), "initial": 100}, "31 structures, of which 100 are asked for first"),
        ({"pool": str(tmp_path / "none")}, "no such directory"),
        ({"pool": str(pool), "initial": 6, "target": "heta"}, "did you mean 'heat'"),
    ):
        with pytest.raises(InputError, match=match):
            build_flow(load_campaign("al_screening", {"target": "heat", **overrides}))


def test_a_target_that_the_first_record_lacks(tmp_path):
    some = list(open_dataset(pool_of_alloys(tmp_path / "all")).records())[:8]
    some[0] = some[0].model_copy(update={"properties": {}})
    commit(tmp_path / "pool", [write_part(tmp_path / "pool", some)], message="one without")
    pool = {"dataset": str(tmp_path / "pool"), "version": open_dataset(tmp_path / "pool").version}
    RelabelScreeningMaker(pool=pool, target="heat", initial=5).check()
    with pytest.raises(InputError, match="did you mean 'heat'"):
        RelabelScreeningMaker(pool=pool, target="heta", initial=5).check()


def test_elements_without_a_label_come_first():
    candidates = [
        {"identifier": name, "geometry": {"symbols": symbols}}
        for name, symbols in {"a": ["Al"], "b": ["Al", "Cu"], "c": ["Cu", "Ni", "Au"], "d": ["Zn"]}.items()
    ]
    assert [one["identifier"] for one in covering(candidates, {"Al"}, 9)] == ["c", "d"]
    assert [one["identifier"] for one in covering(candidates, (), 1)] == ["c"]
    assert covering(candidates, {"Al", "Cu", "Ni", "Au", "Zn"}, 5) == []


def test_errors_on_what_is_held_out(tmp_path):
    said, _ = search(tmp_path, initial=5, heldout=5, stop={"rounds": 2})
    assert said["labels"] == 5 + 2 * 3
    assert "heat mae (eV/atom)" in said["rounds"][-1]["heldout"]
