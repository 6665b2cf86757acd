"""Where something comes from, and what comes from it."""

from __future__ import annotations

import json
import shutil

import pytest
from graphs_for_tests import add, map_reduce, same, total
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jobflow import Flow

from zonemelt import run_flow
from zonemelt.tasks.errors import CampaignError, InputError
from zonemelt.tasks.sqlite import connect
from zonemelt.workflows.provenance.asking import uses, why
from zonemelt.workflows.provenance.drawing import as_dot, as_mermaid, as_tree
from zonemelt.workflows.provenance.view import view


def names(answer) -> set[str]:
    return {node.name for node in answer.lineage.nodes.values()}


def test_a_job_comes_from_those_it_refers_to(oxides):
    answer = why(oxides, "collect")
    assert names(answer) == {"collect", "label Fe2O3-0017", "label MgO-0001"}
    assert names(uses(oxides, "label Fe2O3-0017")) == {"label Fe2O3-0017", "collect"}


def test_what_a_dynamic_job_brought_comes_from_it(oxides):
    answer = why(oxides, "after many")
    assert {"many", "store_inputs"} <= names(answer)
    assert sum(node.name == "add" for node in answer.lineage.nodes.values()) == 4
    assert names(uses(oxides, "many")) >= {"add", "store_inputs", "after many"}


def test_a_record_is_found_by_its_identifier(oxides):
    answer = why(oxides, "Fe2O3-0017")
    assert answer.meant.kind == "made"
    assert names(answer) == {"label Fe2O3-0017"}
    holders = {node.name for node in uses(oxides, "Fe2O3-0017").lineage.nodes.values()}
    assert holders == {"label Fe2O3-0017", "collect"}


def test_a_file_is_found_by_the_beginning_of_its_hash(oxides):
    (digest,) = {p.name[:64] for p in (oxides / "blobs").glob("*/*-model.txt")}
    answer = why(oxides, digest[:9])
    assert [answer.lineage.nodes[job].name for job in answer.lineage.roots] == ["write"]


def test_what_was_given_from_outside_is_used_by_all_that_were_given_it(tmp_path):
    version = "4a1b0c9d8e7f6a5b4c3d2e1f00112233"
    first, second = same([version, 1]), add(1)
    hidden = same(len(version))
    run_flow(Flow([first, second, hidden]), site="inline", directory=tmp_path / "c")
    answer = uses(tmp_path / "c", version[:10])
    assert set(answer.lineage.nodes) == {1}


def test_the_record_of_a_job(oxides):
    (record,) = why(oxides, "broken").records
    assert record["state"] == "failed"
    assert [tried["cause"] for tried in record["attempts_made"]] == ["application", "application"]
    (record,) = why(oxides, "label Fe2O3-0017").records
    assert record["seeds"] == {"given.args.0.seed": 3, "made.seed": 3}
    assert record["run_s"] > 0
    assert record["waited_s"] >= 0
    assert record["software"]["packages"]["jobflow"]
    assert record["machine"]["cores"] >= 1
    assert record["user"]
    assert record["site"] == "inline"
    (record,) = why(oxides, "array").records
    assert list(record["files"]) == ["made.values"]


def test_of_a_set_of_pseudopotentials_only_those_of_the_elements_are_named(tmp_path):
    files = {
        symbol: {"file": f"{symbol}.upf", "sha256": f"{n:064x}"}
        for n, symbol in enumerate(("Al", "Au", "Cu"))
    }
    more = {f"part {n}": {"sha256": f"{n:064x}"} for n in range(60)}
    given = {
        "geometry": {"symbols": ["Au", "Au"]},
        "protocol": {"pseudopotentials": files},
        "more": more,
        "seed": 7,
    }
    run_flow(same(given), site="inline", directory=tmp_path / "c")
    (record,) = why(tmp_path / "c", "1").records
    assert record["sets"]["given.args.0.protocol.pseudopotentials"] == 3
    named = [path for path in record["files"] if "pseudopotentials" in path and path.startswith("given")]
    assert named == ["given.args.0.protocol.pseudopotentials.Au"]
    assert record["seeds"]["made.seed"] == 7  # however many files stand before it


def test_costs_add_up(oxides):
    answer = why(oxides, "after many")
    totals = answer.lineage.totals()
    assert totals["jobs"] == len(answer.lineage.nodes)
    assert totals["run_s"] == pytest.approx(sum(node.run_s for node in answer.lineage.nodes.values()))
    assert 0 < totals["node_hours"] <= totals["run_s"] / 3600 * (1 + 1e-9)
    assert why(oxides, "broken").lineage.totals()["retries"] == 2


def test_the_answer_is_json(oxides):
    said = json.loads(json.dumps(why(oxides, "collect").as_dict()))
    assert len(said["jobs"]) == 3
    assert len(said["links"]) == 2


def test_an_id_that_does_not_exist(oxides):
    with pytest.raises(InputError, match="did you mean 'Fe2O3-0017'"):
        why(oxides, "Fe2O3-0018")
    with pytest.raises(InputError, match="'collect'"):
        uses(oxides, "colect")
    with pytest.raises(InputError, match="no ID"):
        why(oxides, " ")


def test_several_jobs_of_a_name(tmp_path):
    run_flow(Flow([add(1), add(2)]), site="inline", directory=tmp_path / "c")
    with pytest.raises(InputError, match="2 jobs are named 'add'"):
        why(tmp_path / "c", "add")


def test_a_damaged_ledger(oxides, tmp_path):
    place = shutil.copytree(oxides, tmp_path / "c")
    path = place / "ledger.db"
    connection = connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    with pytest.raises(CampaignError, match="damaged") as caught:
        why(place, "collect")
    assert str(path) in str(caught.value)


def test_a_ledger_without_circumstances(oxides, tmp_path):
    place = shutil.copytree(oxides, tmp_path / "c")
    connection = connect(place / "ledger.db")
    connection.execute("DROP TABLE circumstances")
    connection.close()
    (record,) = why(place, "collect").records
    assert record["software"] is None


def test_no_campaign_and_one_that_is_empty(tmp_path):
    with pytest.raises(CampaignError, match="not a campaign directory"):
        why(tmp_path, "x")
    run_flow(iter([]), site="inline", directory=tmp_path / "c")
    with pytest.raises(InputError, match="nothing in this campaign is called"):
        why(tmp_path / "c", "1")


def test_a_tree_shows_every_job_once_and_counts_many(tmp_path):
    parts = [add(number) for number in range(30)]
    last = total([part.output for part in parts])
    again = same([last.output, parts[0].output])
    again.name = "again"
    run_flow(Flow([*parts, last, again]), site="inline", directory=tmp_path / "c")
    answer = why(tmp_path / "c", "again")
    text = as_tree(view(answer.lineage), "why")
    assert "26 more done jobs of add" in text
    assert text.splitlines()[0].startswith("32 again")
    whole = view(answer.lineage, whole=True)
    assert [entry.id for entry in whole if entry.node] == [
        str(job) for job in dict.fromkeys(int(e.id) for e in whole)
    ]
    assert len(whole) == 32
    assert as_dot(whole, "why").count("->") == 32
    assert as_mermaid(whole, "why").count("-->") == 32
    assert len(view(answer.lineage, whole=False, lines=3)) == 4


def test_names_cannot_break_a_drawing(tmp_path):
    job = same(1)
    job.name = 'x"]; click n1 "javascript:alert(1)" <b>&\n end'
    run_flow(Flow([job]), site="inline", directory=tmp_path / "c")
    entries = view(why(tmp_path / "c", "1").lineage)
    mermaid = as_mermaid(entries, "why").splitlines()
    assert len(mermaid) == 3
    assert '"' not in mermaid[1].removeprefix('  n1["').removesuffix('"]')
    assert "<b>" not in mermaid[1]
    assert mermaid[2].startswith("  style n1 fill:#")
    assert json.loads(as_dot(entries, "why").split("label=")[1].split(", fillcolor")[0])


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.lists(st.integers(0, 7), max_size=3), min_size=1, max_size=8))
def test_why_and_uses_are_each_other_reversed(tmp_path_factory, plan):
    jobs = []
    for number, parents in enumerate(plan):
        inputs = [jobs[parent].output for parent in parents if parent < number]
        jobs.append(same(inputs))
    place = tmp_path_factory.mktemp("random") / "c"
    run_flow(Flow([*jobs, map_reduce(2)]), site="inline", directory=place)
    connection = connect(place / "ledger.db", read_only=True)
    ids = [row[0] for row in connection.execute("SELECT id FROM jobs")]
    connection.close()
    above = {job: set(why(place, str(job)).lineage.nodes) for job in ids}
    below = {job: set(uses(place, str(job)).lineage.nodes) for job in ids}
    assert {(a, b) for b in ids for a in above[b]} == {(a, b) for a in ids for b in below[a]}
