"""Calculators and generators of a person's own: named in a file, allowed in the environment."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
from ase.build import bulk

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore.explorers import explore, explorer_of
from zonemelt.tasks.own_code import imported, listed, lists, look_in, take_lists
from zonemelt.tasks.potentials.load import load_potential
from zonemelt.tasks.records import Geometry

MODULE = """
from ase.build import bulk
from ase.calculators.emt import EMT

NUMBER = 1


class Mine(EMT):
    elements = ["Cu", "Au"]


def propose(structures, *, seed, count=3):
    for number in range(count):
        one = bulk("Cu", a=3.5 + 0.1 * number + 0.001 * seed)
        yield one
    yield bulk("Cu", a=0.5)
    yield "no structure"
    yield from structures


def broken(structures, *, seed):
    raise ValueError("no idea")
"""


@pytest.fixture(autouse=True)
def own_module(tmp_path, monkeypatch):
    (tmp_path / "own_code_of_a_test.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("ZONEMELT_CALCULATORS", "own_code_of_a_test:Mine, own_code_of_a_test:NUMBER")
    monkeypatch.delenv("ZONEMELT_MODELS", raising=False)
    monkeypatch.setenv("ZONEMELT_EXPLORERS", "own_code_of_a_test:propose,own_code_of_a_test:broken,nowhere:f")
    return tmp_path


def test_a_calculator_of_ones_own_is_a_potential_for_its_elements():
    potential = load_potential("own:own_code_of_a_test:Mine")
    found = potential.evaluate(Crystals.of_atoms([bulk("Cu"), bulk("Au")]), stress=True)
    assert np.isfinite(found.energies_G).all()
    assert not potential.theory.is_dft
    with pytest.raises(InputError, match="Ag"):
        potential.evaluate(Crystals.of_atoms([bulk("Ag")]))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own:os:getcwd", r"os:getcwd is not allowed.*\n.*ZONEMELT_CALCULATORS=os:getcwd"),
        ("own:own_code_of_a_test:NUMBER", "cannot be called"),
    ],
)
def test_what_cannot_be_a_calculator(name, message):
    with pytest.raises(InputError, match=message):
        load_potential(name)


def test_what_is_not_listed_is_not_imported(own_module):
    (own_module / "unlisted_code_of_a_test.py").write_text(MODULE)
    with pytest.raises(InputError, match="unlisted_code_of_a_test:Mine is not allowed"):
        load_potential("own:unlisted_code_of_a_test:Mine")
    asked = explorer_of({"explorer": "own", "function": "unlisted_code_of_a_test:propose"})
    with pytest.raises(InputError, match="unlisted_code_of_a_test:propose is not allowed"):
        explore(asked, [], seed=0)
    assert "unlisted_code_of_a_test" not in sys.modules


def test_a_calculator_that_does_not_say_for_what_it_is(monkeypatch):
    monkeypatch.setenv("ZONEMELT_CALCULATORS", "ase.calculators.emt:EMT")
    with pytest.raises(InputError, match="for which elements"):
        load_potential("own:ase.calculators.emt:EMT")


def test_a_function_of_ones_own_proposes_candidates():
    asked = explorer_of(
        {"explorer": "own", "function": "own_code_of_a_test:propose", "arguments": {"count": 5}}
    )
    start = [{"identifier": "gold", "geometry": Geometry.of(bulk("Au")).model_dump(mode="json")}]
    found = explore(asked, start, seed=1)
    assert found["counts"] == {
        "proposed": 8, "kept": 6, "refused: atoms too close": 1, "refused: no structure": 1,
    }  # fmt: skip
    assert found == explore(asked, start, seed=1)
    assert found["candidates"] != explore(asked, start, seed=2)["candidates"]
    assert explore(asked, [], seed=1)["counts"]["kept"] == 5
    assert {one["origin"]["explorer"] for one in found["candidates"]} == {"own"}


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("own_code_of_a_test:broken", "it fails: ValueError: no idea"),
        ("nowhere:f", "cannot be imported"),
        ("own_code_of_a_test:Mine", r"not allowed here.*\n.*ZONEMELT_EXPLORERS"),
    ],
)
def test_functions_that_cannot_be_asked(function, message):
    with pytest.raises(InputError, match=message):
        explore(explorer_of({"explorer": "own", "function": function}), [], seed=0)


def test_workers_take_over_the_lists_that_they_lack(monkeypatch):
    given = lists()
    assert set(given) == {"ZONEMELT_CALCULATORS", "ZONEMELT_EXPLORERS"}
    for variable in ("ZONEMELT_EXPLORERS", "ZONEMELT_MODELS"):
        monkeypatch.setenv(variable, "")  # else what is taken over here would outlive the test
        monkeypatch.delenv(variable)
    monkeypatch.setenv("ZONEMELT_CALCULATORS", "mine:make")
    take_lists({**given, "ZONEMELT_MODELS": "m:N", "PATH": "/nowhere"})
    assert listed("ZONEMELT_CALCULATORS") == ("mine:make",)  # its own machine's
    assert listed("ZONEMELT_EXPLORERS")[0] == "own_code_of_a_test:propose"
    assert listed("ZONEMELT_MODELS") == ("m:N",)
    assert os.environ["PATH"] != "/nowhere"


def test_a_folder_is_looked_in_last_and_only_where_something_is_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    look_in(tmp_path / "more")
    assert sys.path[-1] == str(tmp_path / "more")
    for variable in lists():
        monkeypatch.delenv(variable)
    look_in(tmp_path / "other")
    assert sys.path[-1] == str(tmp_path / "more")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("import no_such_thing_at_all", "cannot be imported: it raises ModuleNotFoundError.*no_such_thing"),
        ("def f(:", "it raises SyntaxError"),
        ("raise SystemExit(3)", "it raises SystemExit: 3"),
    ],
)
def test_a_module_whose_import_fails(tmp_path, monkeypatch, content, said):
    (tmp_path / "failing_code_of_a_test.py").write_text(content)
    monkeypatch.delitem(sys.modules, "failing_code_of_a_test", raising=False)
    with pytest.raises(InputError, match=said):
        imported("failing_code_of_a_test:f", where="here")
