"""A person's own oracle, site and campaign from a folder outside the package, by the program alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PAGES = Path(__file__).parents[3] / "docs" / "how-to"
CALCULATORS = """
import numpy as np
from ase.calculators.calculator import Calculator, all_changes


class Still(Calculator):
    implemented_properties = ["energy", "forces"]

    def __init__(self, level=0.0):
        super().__init__()
        self.level = level

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results = {"energy": self.level, "forces": np.zeros((len(atoms), 3))}


class Blind(Still):
    implemented_properties = ["energy"]


def needs_a_file():
    raise FileNotFoundError("weights.bin")


NUMBER = 1
"""

SPRINGS = """

class Springs(Still):
    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        places = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) @ atoms.cell.array
        away = atoms.positions - places
        self.results = {"energy": 0.05 * float((away**2).sum()), "forces": -0.1 * away}
"""


def files_of(page: str, folder: Path) -> None:
    """Write the files that a how-to page gives."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    for name, content in re.findall(r"```(?:python|yaml)\n# ([\w.-]+)\n(.*?)```", text, re.DOTALL):
        (folder / name).write_text(content)


@pytest.fixture
def outside(home: Path, monkeypatch) -> Path:
    """A folder with modules of somebody else's, of which Python is told nothing."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("my_calculators", "raising", "my_morse", "my_campaign"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    folder = home / "outside"
    folder.mkdir()
    files_of("my-campaign", folder)
    (folder / "my_calculators.py").write_text(CALCULATORS)
    (folder / "raising.py").write_text('\nraise RuntimeError("the licence server is down")\n')
    return folder


def campaign(folder: Path, **oracle: object) -> Path:
    """A campaign of active learning whose oracle is a calculator of one's own."""
    path = folder / "loop.yaml"
    content = {
        "name": "loop", "kind": "active_potential", "oracle": "ase", "oracles": {"ase": oracle},
        "structures": [{"bulk": "Cu", "crystal": "fcc", "a": 3.6, "cubic": True}],
        "explore": {"md": {"explorer": "deform"}},
    }  # fmt: skip
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize(
    ("oracle", "said"),
    [
        ({"calculator": "my_calculators:Stills"}, "my_calculators has no 'Stills'.*did you mean 'Still'"),
        ({"calculator": "no_such_module:Still"}, "there is no module 'no_such_module'.*folder that holds it"),
        (
            {"calculator": "raising:Still"},
            r"raises RuntimeError: the licence server is down \(.*raising.py, line 2\)",
        ),
        ({"calculator": "my_calculators:Blind"}, "gives no forces"),
        ({"calculator": "my_calculators:NUMBER"}, "cannot be called"),
        ({"calculator": "my_calculators:needs_a_file"}, "cannot be made: FileNotFoundError: weights.bin"),
        (
            {"calculator": "my_calculators:Still", "arguments": {"lvel": 1}},
            "does not take these arguments.*lvel",
        ),
        ({"calculator": "pathlib:Path"}, "makes no calculator of ASE but PosixPath"),
    ],
)
def test_check_sees_what_an_oracle_of_ones_own_lacks(zonemelt, outside, monkeypatch, oracle, said):
    monkeypatch.setenv("ZONEMELT_CALCULATORS", oracle["calculator"])
    found = zonemelt.json("check", campaign(outside, **oracle), code=1)
    (oracle,) = [one for one in found["checks"] if one["what"] == "oracle"]
    assert not oracle["ok"]
    assert re.search(said, f"{oracle['found']} → {oracle['remedy']}", re.DOTALL)


def test_check_makes_the_calculator_and_says_what_it_gives(zonemelt, outside, monkeypatch):
    monkeypatch.setenv("ZONEMELT_CALCULATORS", "my_calculators:Still")
    path = campaign(outside, calculator="my_calculators:Still", arguments={"level": 2.0})
    found = zonemelt.json("check", path)
    (oracle,) = [one for one in found["checks"] if one["what"] == "oracle"]
    assert oracle["found"] == "my_calculators:Still: energy, forces, no stress"


def test_modules_beside_a_file_are_found_only_where_something_is_listed(zonemelt, outside):
    before = [*sys.path]
    zonemelt("check", campaign(outside, calculator="my_calculators:Still"), code=1)
    assert sys.path == before
    assert "my_calculators" not in sys.modules


def test_a_campaign_without_a_kind(zonemelt, outside):
    (outside / "bare.yaml").write_text("name: bare\n")
    said = zonemelt.refused("plan", outside / "bare.yaml")
    assert "bare.yaml: kind: it does not say of which kind it is" in said
    assert "graph (of your own: docs/how-to/my-campaign.md)" in said


def test_a_site_of_ones_own_with_two_partitions(zonemelt, outside, monkeypatch):
    monkeypatch.setenv("ZONEMELT_CALCULATORS", "my_morse:Morse")
    monkeypatch.chdir(outside)
    planned = zonemelt("plan", "copper.yaml", "--site", "abisko.yaml")
    assert re.search(r"5 . label_job", planned)
    assert "#SBATCH --partition=thin" in planned
    assert "pool dft" not in zonemelt("sites", "show", "abisko.yaml")
    (outside / "abisko.yaml").write_text((outside / "abisko.yaml").read_text().replace("  dft: null", ""))
    said = zonemelt.refused("plan", "copper.yaml", "--site", "abisko.yaml")
    assert "cores: cores of a compute node" in said
    assert "not given for dft" in said
    assert f"write `pools: {{dft: {{cores: VALUE}}}}` into {outside / 'abisko.yaml'}" in said
    assert "taken away by `pools: {dft: null}`" in said


def run(folder: Path, *words: str, **environment: str) -> str:
    """Run the installed program as a person does, who has set nothing but what is given."""
    plain = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("zonemelt")), *words], cwd=folder, text=True, capture_output=True,
        env=plain | {"OMP_NUM_THREADS": "1"} | environment,
        timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.timeout(600)
def test_own_code_runs_in_worker_processes(outside):
    """Started in another folder than the one that holds the modules, and with no path set."""
    words = ("run", "outside/copper.yaml", "--set", "arguments.points=3", "-d", "copper", "--ensure-success")
    run(outside.parent, *words, ZONEMELT_CALCULATORS="my_morse:Morse")
    shown = json.loads(run(outside.parent, "show", "fit", "copper", "--json"))
    assert shown["output"]["volume"] == pytest.approx(11.9, abs=0.6)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_loop_with_an_oracle_without_stress(outside):
    path = campaign(outside, calculator="my_still:Springs", functional="none")
    (outside / "my_still.py").write_text(CALCULATORS + SPRINGS)
    words = ("--set", "initial=6", "--set", "heldout=4", "--set", "batch=2", "--set", "stop.rounds=1")
    words = ("run", path.name, "-d", "loop", "--set", "start.displacement=0.1", *words, "--ensure-success")
    run(outside, *words, ZONEMELT_CALCULATORS="my_still:Springs")
    assert json.loads(run(outside, "status", "loop", "--json"))["status"] == "finished"
