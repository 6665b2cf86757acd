"""From proposed crystals to labelled ones: a pair potential judges, EMT labels; what the console says."""

from __future__ import annotations

import json

import pytest
from ase.build import bulk
from ase.io import write
from crystals_for_tests import named
from inline_runs import output_of
from labels_for_tests import record_of
from potentials_for_tests import Morse, judge_by
from typer.testing import CliRunner

from zonemelt.flows.judge import JudgeMaker
from zonemelt.flows.screening import ScreeningMaker
from zonemelt.tasks.datasets import commit, write_part
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.judge.verdict import Verdict
from zonemelt.tasks.label.by_ase import emt
from zonemelt.tasks.label.settings import EmtSettings
from zonemelt.tasks.records import Geometry
from zonemelt.workflows.cli import app
from zonemelt.workflows.verdicts import read_verdicts


class Metals(Morse):
    elements = frozenset({"Cu", "Al", "Ni", "Au"})


@pytest.fixture(autouse=True)
def _metals(monkeypatch):
    judge_by(monkeypatch, Metals())


KNOWN = [named(el, bulk(el)) for el in ("Cu", "Al", "Ni")]
B2 = named("B2", bulk("CuAl", "cesiumchloride", a=3.0))
B1 = named("B1", bulk("NiAl", "rocksalt", a=4.6))
SWAPS = [{"Cu": "Ni"}, {"Al": "Ni"}, {"Al": "Au"}, {"Cu": "Ni", "Al": "Cu"}]


def screening(place, **more):
    judge = JudgeMaker(
        potential="metals", references={"crystals": KNOWN}, directory=str(place / "work"),
        judging={"metastable": 2.0}, target=more.pop("target", ""),
        relax={"force": 0.01, "method": "lbfgs"},
    )  # fmt: skip
    given = {
        "parents": [B2], "judge": judge,
        "explore": {"swapped": {"explorer": "substitutions", "swaps": SWAPS}},
        **more,
    }  # fmt: skip
    return ScreeningMaker(**given)


def test_the_best_are_labelled_with_what_they_would_fall_apart_into(tmp_path):
    made = screening(tmp_path, oracle="emt", short_list=2, target="above_hull < 5, no Au")
    made.check()
    assert made.elements() == {"Cu", "Al", "Ni"}
    output = output_of(made.make(), tmp_path / "c")
    verdicts = [Verdict.model_validate(one) for one in output["verdicts"]]
    assert output["explored"]["kept"] == len(verdicts) == 4
    assert not [one for one in verdicts if one.verdict == "invalid"]
    gold = next(one for one in verdicts if "Au" in one.formula)
    assert gold.verdict == "off target"
    labelled = [one for one in verdicts if one.label]
    assert len(labelled) == 2
    best = min((one for one in verdicts if one.above_hull is not None), key=lambda one: one.above_hull)
    assert best in labelled

    def energy(geometry):
        return emt(geometry, EmtSettings(), identifier="x", workdir=tmp_path).energy_per_atom

    phases = {name: Geometry.model_validate(one) for name, one in output["references"]["phases"].items()}
    mixed = sum(share * energy(phases[name]) for name, share in best.decomposition.items())
    assert best.label.energy_per_atom == pytest.approx(energy(best.geometry))
    assert best.label.above_hull == pytest.approx(energy(best.geometry) - mixed)
    assert best.quantities["above_hull"] == best.label.above_hull


def test_those_that_are_found_together_compete_and_their_labels_too(tmp_path):
    """The pure crystals are simple cubic ones, so that B1, which is that too, would be stable alone."""
    b2 = {name: bulk(name, "cesiumchloride", a=2.8) for name in ("NiAl", "CuAl")}
    parents = [*map(named, b2, b2.values()), named("twin", b2["NiAl"].repeat((2, 1, 1))), B1]
    simple = [named(el, bulk(el, "sc", a=2.5)) for el in ("Al", "Cu", "Ni")]
    verdicts = {}
    for hull in ("references", "everything"):
        made = screening(tmp_path / hull, explore={}, parents=parents, oracle="emt", short_list=3)
        made.judge.judging, made.judge.references = {"metastable": 5.0, "hull": hull}, {"crystals": simple}
        output = output_of(made.make(), tmp_path / hull / "c")
        verdicts[hull] = {one["identifier"]: Verdict.model_validate(one) for one in output["verdicts"]}
    alone, among = verdicts["references"], verdicts["everything"]
    assert all(among[name].above_hull >= one.above_hull - 1e-9 for name, one in alone.items())
    assert all(among[name].formation_energy == one.formation_energy for name, one in alone.items())
    best = among["NiAl"] if among["NiAl"].is_new else among["twin"]
    assert not set(best.decomposition) & {"NiAl", "twin"}  # the same crystal is no competitor of itself
    poor = among["B1"]
    assert set(poor.decomposition) <= {"NiAl", "twin"}
    pair = [one for one in (among["NiAl"], among["twin"]) if one.identifier in poor.decomposition]
    assert poor.above_hull == pytest.approx(poor.energy_per_atom - pair[0].energy_per_atom, abs=1e-6)
    assert poor.above_hull > alone["B1"].above_hull
    labelled = [one.label for one in among.values() if one.label]
    assert len(labelled) == 3
    assert all(one.above_hull is not None for one in labelled)  # what it falls apart into has a label too


def test_lots_give_the_verdicts_that_all_together_have(tmp_path):
    made = [bulk(name, "cesiumchloride", a=2.9) for name in ("NiAl", "CuAl", "CuNi", "AuAl")]
    write(tmp_path / "new.extxyz", [*made, made[0].repeat((2, 1, 1)), bulk("NiAl", "rocksalt", a=4.6)])
    source = {"new": {"explorer": "sources", "paths": [str(tmp_path / "new.extxyz")]}}
    outputs, every = {}, {}
    for lot in (0, 2, 100):
        place = tmp_path / str(lot)
        maker = screening(place, explore=source, parents=[], lot=lot, oracle="emt", short_list=1)
        maker.check()
        outputs[lot] = output_of(maker.make(), place / "c")
        every[lot] = {one.verdict.identifier: one.verdict for one in read_verdicts(place / "c")}
    assert outputs[2]["counts"] == outputs[0]["counts"] == outputs[100]["counts"]
    assert outputs[2]["explored"] == outputs[0]["explored"]
    assert outputs[100]["verdicts"] == outputs[0]["verdicts"]
    assert len(every[0]) == 6
    assert every[2] == every[0]
    kept = [one for one in outputs[2]["verdicts"] if one["verdict"] in {"stable", "metastable"}]
    assert kept == outputs[2]["verdicts"]  # of several lots, the good ones are what is left together
    assert sum(one.label is not None for one in every[2].values()) == 1
    competing = screening(tmp_path, explore=source, parents=[], lot=2)
    competing.judge.judging = {"hull": "everything"}
    assert not competing.in_lots


def test_candidates_on_the_console(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    output_of(screening(tmp_path).make(), tmp_path / "c")
    assert len(read_verdicts(tmp_path / "c")) == 4

    def said(*words, code=0):
        result = CliRunner().invoke(app, ["candidates", "c", *words])
        assert result.exit_code == code, result.output
        return result.stdout if code == 0 else result.stderr

    table = said()
    assert "4 generated" in table
    assert "undefined" in table
    assert "there is no reference for Au" in said("--filter", "with Au")
    found = json.loads(said("--filter", "no Au", "--sort", "above_hull", "--reverse", "--json"))["candidates"]
    heights = [one["above_hull"] for one in found]
    assert len(heights) == 3
    assert heights == sorted(heights, reverse=True)
    assert "no candidate is like that" in said("--filter", "verdict=collapsed")
    said("--filter", "with Ni", "--cif", "best")
    assert len(list((tmp_path / "best").glob("*.cif"))) == 3
    assert "did you mean 'above_hull'" in said("--filter", "abovehull<1", code=2)
    output_of(screening(tmp_path, explore={}).judge.make([]), tmp_path / "empty")
    result = CliRunner().invoke(app, ["candidates", "empty"])
    assert result.exit_code == 2
    assert "no candidate was judged yet" in result.stderr


def test_a_screening_on_the_console(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    records = [record_of(bulk(el), el, energy_free=-1.0, energy_sigma0=-1.0) for el in ("Al", "Ni")]
    commit(tmp_path / "known", [write_part(tmp_path / "known", records)], message="pure")
    made = [
        bulk("NiAl", "cesiumchloride", a=2.9),
        bulk("NiAl", "rocksalt", a=4.6),
        bulk("NiAu", "rocksalt", a=5),
    ]
    write(tmp_path / "new.extxyz", made)
    words = ["screen", "new.extxyz", "--references", "known", "--potential", "metals", "--out", "judged"]
    words += ["--force", "0.05", "--site", "inline"]
    told = CliRunner().invoke(app, [*words, "--target", "above_hull < 9"])
    assert told.exit_code == 0, told.output
    assert "3 generated" in told.stdout
    found = CliRunner().invoke(app, [*words, "--target", "above_hull < 9", "--json"])
    document = json.loads(found.stdout)
    assert "Au" in document["candidates"][-1]["formula"]  # of no height: there is no gold in the references
    assert document["candidates"][-1]["above_hull"] is None
    heights = [one["above_hull"] for one in document["candidates"]][:2]
    assert heights == sorted(heights)
    assert document["counts"]["generated"] == 3
    wrong = CliRunner().invoke(app, [*words[:-2], "--out", "other", "--target", "with Pb"])
    assert wrong.exit_code == 2
    assert "knows nothing of Pb" in wrong.stderr


def test_what_cannot_be_is_said_before_anything_runs(tmp_path):
    for more, error, said in (
        ({"explore": {}, "parents": []}, InputError, "nothing proposes candidates"),
        ({"parents": []}, InputError, "'swapped' starts from crystals"),
        ({"short_list": 3}, InputError, "3 labels, and no oracle"),
        ({"explore": {"a": {"explorer": "sources", "paths": ["/no/where"]}}}, InputError, "no such path"),
        ({"explore": {"a": {"explorer": "substitution"}}}, UnknownKeyError, "did you mean 'substitutions'"),
        ({"target": "with Pb"}, InputError, "knows nothing of Pb"),
        ({"target": "band_gap > 1"}, UnknownKeyError, "band_gap"),
        (
            {"target": "at least 3 elements"},
            InputError,
            "none of 4 .*: 4 fewer than 3 elements",
        ),
        ({"target": "with Cu Ni", "explore": {}}, InputError, "none of 1 candidates.*: 1 no Ni"),
    ):
        with pytest.raises(error, match=said):
            screening(tmp_path, **more).check()
