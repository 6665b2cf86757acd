"""Structures of datasets and campaigns, asked by the client of optimade and by plain HTTP."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
import warnings
from pathlib import Path

import pytest
from ase.build import bulk
from jobflow import Flow
from serving_for_tests import serving
from typer.testing import CliRunner

from zonemelt import run_flow
from zonemelt.tasks.datasets import commit, write_part
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.label.by_ase import emt
from zonemelt.tasks.label.jobs import label_job
from zonemelt.tasks.label.settings import EmtSettings
from zonemelt.tasks.records import Geometry
from zonemelt.workflows.cli import app
from zonemelt.workflows.serve.published import published

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")
pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
METALS = ("Al", "Cu", "Ag", "Au", "Ni", "Pd", "Pt")


def labelled(name: str, atoms):
    return emt(Geometry.of(atoms), EmtSettings(), identifier=name, workdir=Path())


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("published") / "labels"
    records = [labelled(metal, bulk(metal)) for metal in METALS]
    alloy = bulk("Cu", cubic=True)
    alloy.symbols[0] = "Au"
    records.append(labelled("Cu3Au", alloy))
    commit(str(place), [write_part(str(place), records)], message="metals")
    return place


@pytest.fixture(scope="module")
def address(dataset):
    with serving(dataset) as found:
        yield found


def get(address: str, path: str, **headers: str):
    with urllib.request.urlopen(
        urllib.request.Request(f"{address}{path}", headers=headers), timeout=60
    ) as answer:
        return json.loads(answer.read()), answer.headers


def ask(address: str, text: str, more: str = "") -> list[dict]:
    return get(address, f"/v1/structures?filter={urllib.parse.quote(text)}{more}")[0]["data"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('elements HAS "Au"', {"Au", "Cu3Au"}),
        ("nelements=2", {"Cu3Au"}),
        ('elements HAS ALL "Cu","Au"', {"Cu3Au"}),
        ('chemical_formula_reduced="AuCu3"', {"Cu3Au"}),
        ('id="Pt"', {"Pt"}),
        ("nsites>1 AND NOT nelements=1", {"Cu3Au"}),
        ('elements HAS "Fe"', set()),
        ("_zonemelt_max_force<0.001", {*METALS, "Cu3Au"}),
        ("_zonemelt_energy_per_atom>1000", set()),
    ],
)
def test_filters(address, text, expected):
    assert {one["id"] for one in ask(address, text)} == expected


def test_numbers_come_back_as_they_were(address):
    (found,) = ask(address, 'id="Cu3Au"')
    said = found["attributes"]
    record = labelled("Cu3Au", Geometry.of(bulk("Cu", cubic=True)).atoms())
    assert said["lattice_vectors"] == [list(row) for row in record.geometry.cell]
    assert said["dimension_types"] == [1, 1, 1]
    assert sorted(said["species_at_sites"]) == ["Au", "Cu", "Cu", "Cu"]
    alloy = bulk("Cu", cubic=True)
    alloy.symbols[0] = "Au"
    assert said["_zonemelt_energy_per_atom"] == pytest.approx(labelled("x", alloy).energy_free / 4)
    assert "ase-emt" in said["_zonemelt_theory"]


def test_pages(address):
    seen, path = [], "/v1/structures?page_limit=3"
    while path:
        page, _ = get(address, path)
        assert len(page["data"]) <= 3
        seen += [one["id"] for one in page["data"]]
        link = page["links"]["next"]
        path = urllib.parse.urlsplit(link)._replace(scheme="", netloc="").geturl() if link else ""
    assert sorted(seen) == sorted([*METALS, "Cu3Au"])


def test_the_fields_of_our_own_are_described(address):
    about, _ = get(address, "/v1/info/structures")
    assert about["data"]["properties"]["_zonemelt_energy_per_atom"]["unit"] == "eV"
    found, _ = get(address, "/v1/info")
    assert found["meta"]["provider"]["prefix"] == "zonemelt"


def test_the_client_of_optimade_finds_them(address):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client_module = pytest.importorskip(
            "optimade.client", reason="optimade[http-client] is not installed"
        )
        client = client_module.OptimadeClient(base_urls=[address], use_async=False, silent=True)
        found = client.get('elements HAS "Au"')
    ((_, answers),) = found["structures"].items()
    (answer,) = answers.values()
    assert {one["id"] for one in answer["data"]} == {"Au", "Cu3Au"}


def test_what_is_published_can_be_taken_in_again(address):
    """By our own reader of OPTIMADE: the way to another group's campaign."""
    from zonemelt.tasks.ingest.tables.optimade import read_optimade

    found = {one.identifier: one for one in read_optimade(address, query="nelements=2")}
    (record,) = found.values()
    assert sorted(record.geometry.symbols) == ["Au", "Cu", "Cu", "Cu"]


def test_who_may_read(dataset, address):
    with pytest.raises(urllib.error.HTTPError, match="421"):  # a page under a name that leads to this machine
        get(address, "/v1/structures", Host="evil.example.org")
    _, headers = get(address, "/v1/structures", Origin="https://evil.example.org")
    assert not [name for name in headers if name.lower().startswith("access-control")]
    with serving(dataset, token="secret") as guarded:
        for shown in ({}, {"Authorization": "Bearer wrong"}):
            with pytest.raises(urllib.error.HTTPError, match="401"):
                get(guarded, "/v1/structures", **shown)
        assert get(guarded, "/v1/structures", Authorization="Bearer secret")[0]["data"]


def test_a_wrong_question_is_answered_with_what_is_wrong(address):
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(address, "elements HAS")
    assert caught.value.code == 400
    (error,) = json.load(caught.value)["errors"]
    assert "elements HAS" in error["detail"]


def test_a_campaign_publishes_its_labels(tmp_path):
    jobs = [
        label_job(
            identifier=metal,
            geometry=Geometry.of(bulk(metal)).model_dump(mode="json"),
            oracle="emt",
            settings={},
        )
        for metal in ("Al", "Cu")
    ]
    run_flow(Flow(jobs), site="inline", directory=tmp_path / "c")
    found = {one.identifier: one for one in published(tmp_path / "c")}
    assert found.keys() == {"Al", "Cu"}
    assert found["Al"].said["job"] == "1"
    assert found["Al"].modified.year > 2000


def test_a_campaign_publishes_its_verdicts_before_its_labels(tmp_path):
    from graphs_for_tests import same

    def verdict(name: str, above: float, **more):
        return {
            "identifier": name, "formula": "Cu", "geometry": Geometry.of(bulk("Cu")).model_dump(mode="json"),
            "above_hull": above, "group": name, "verdict": "stable", "converged": True, **more,
        }  # fmt: skip

    first = [
        verdict("a", 0.0),
        verdict("b", 0.2),
        verdict("copy", 0.0, group="a"),
        verdict("bad", 0.0, valid=False),
    ]
    later = {"verdicts": [verdict("b", 0.1)]}
    label = label_job(
        identifier="Al", geometry=Geometry.of(bulk("Al")).model_dump(mode="json"), oracle="emt", settings={}
    )
    run_flow(Flow([label, same(first), same(later)]), site="inline", directory=tmp_path / "c")
    found = {one.identifier: one.said for one in published(tmp_path / "c")}
    assert {name: said["above_hull"] for name, said in found.items()} == {"a": 0.0, "b": 0.1}


def test_a_campaign_of_anybody_publishes_structures_that_jobs_returned(tmp_path):
    from graphs_for_tests import same

    structure = Geometry.of(bulk("Cu")).structure()
    run_flow(Flow([same({"structure": structure}), same(3)]), site="inline", directory=tmp_path / "c")
    (found,) = published(tmp_path / "c")
    assert found.geometry.symbols == ("Cu",)


def test_nothing_to_publish(tmp_path):
    from graphs_for_tests import same

    run_flow(same(3), site="inline", directory=tmp_path / "c")
    with pytest.raises(InputError, match="no structure in it"):
        published(tmp_path / "c")
    done = CliRunner().invoke(app, ["serve", str(tmp_path / "c")])
    assert done.exit_code == 2


def test_the_command_prints_an_address_and_asks_for_a_token_elsewhere(dataset, monkeypatch):
    from zonemelt.workflows.serve import optimade

    class Server:
        def __init__(self, config):
            self.config = config

        def run(self, sockets):
            for one in sockets:
                one.close()

    monkeypatch.setattr("uvicorn.Server", Server)
    done = CliRunner().invoke(app, ["serve", str(dataset)])
    assert done.exit_code == 0, done.output
    assert "http://127.0.0.1:" in done.output
    assert "Bearer" not in done.output
    assert "8 structures" in done.output
    lines: list[str] = []
    optimade.serve_optimade(
        published(dataset), name="x", host="0.0.0.0", port=0, protected=False, say=lines.append
    )
    assert any("Authorization: Bearer" in line for line in lines)
    assert any("not encrypted" in line for line in lines)
