"""What `zonemelt plan` says beforehand, and what it refuses."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest
from plans_for_tests import CLUSTER

if TYPE_CHECKING:
    from pathlib import Path

WIDE = ("campaigns_for_tests:slow", "--set", "arguments.n=1000")
ACCOUNT = ("--set", "account=m1234")


@pytest.fixture
def cluster(home: Path) -> Path:
    path = home / "cluster.yaml"
    path.write_text(CLUSTER)
    return path


def test_a_campaign_on_this_machine(zonemelt, home: Path):
    said = zonemelt("plan", "campaigns_for_tests:good", "--site", "local")
    assert "good on local: 4 jobs, the longest chain has 2" in said
    assert "total" in said
    assert "after add (3 links)" in said
    assert "graphs_for_tests.add: 60 s a job, assumed" in said
    assert "nothing would be submitted" in said
    assert list(home.iterdir()) == []  # nothing was written


def test_thousands_of_jobs_stay_readable(zonemelt):
    said = zonemelt("plan", *WIDE, "--site", "local")
    assert "1,000 \N{MULTIPLICATION SIGN} rest" in said
    assert len(said.splitlines()) < 40


def test_a_batch_site(zonemelt, cluster: Path):
    found = zonemelt.json("plan", *WIDE, "--site", cluster, *ACCOUNT, "--wait", "01:00:00")
    assert found["graph"]["jobs"] == 1000
    assert set(found["scripts"]) == {"cpu"}  # no job is for the other pool
    script = found["scripts"]["cpu"]
    assert "#SBATCH --account=m1234" in script
    assert "#SBATCH --nodes=2" in script
    assert "#SBATCH --time=02:00:00" in script
    # 24 workers, 60 s a job: 42 waves after an hour in the queue
    assert found["makespan_seconds"]["median"] == pytest.approx(3600 + 30 + 42 * 60, rel=0.01)
    assert found["makespan_seconds"]["seeds"] == 1  # nothing is left to chance
    assert found["node_hours"]["cpu"]["median"] == pytest.approx(6 * (30 + 42 * 60) / 3600, rel=0.05)
    assert found["typical"]["states"] == {"done": 1000}
    assert any("wait in the queue: 60 min" in line for line in found["assumptions"])


def test_what_is_left_to_chance_has_a_spread(zonemelt, cluster: Path):
    words = ("plan", *WIDE, "--site", cluster, *ACCOUNT, "--wait", "cpu=3600x2")
    found = zonemelt.json(*words)
    span = found["makespan_seconds"]
    assert span["lowest"] < span["median"] < span["highest"]
    assert zonemelt.json(*words)["makespan_seconds"] == span
    assert zonemelt.json(*words, "--seed", 9)["makespan_seconds"] != span


def test_durations_from_a_file(zonemelt, home: Path):
    (home / "times.yaml").write_text("kinds:\n  rest: 100\n")
    words = ("plan", "campaigns_for_tests:slow", "--site", "inline", "--durations")
    assert zonemelt.json(*words, "times.yaml")["makespan_seconds"]["median"] == pytest.approx(405, abs=1)
    said = zonemelt(*words, "times.yaml")
    assert "graphs_for_tests.rest: 1 min 40 s a job on average, from times.yaml" in said
    (home / "times.yaml").write_text("kinds:\n  rest: soon\n")
    assert "'soon' is not a duration" in zonemelt.refused(*words, "times.yaml")
    (home / "times.yaml").write_text("kind: {rest: 5}\n")
    assert "did you mean 'kinds'?" in zonemelt.refused(*words, "times.yaml")


def test_durations_and_growth_from_a_campaign_that_ran(zonemelt, mixed: Path):
    words = ("plan", "campaigns_for_tests:mixed", "--site", "local")
    before = zonemelt.json(*words)
    assert any("may bring further jobs" in what for what in before["dynamic"].values())
    after = zonemelt.json(*words, "--durations", mixed)
    assert after["graph"]["jobs"] == 17 > before["graph"]["jobs"]
    assert "brings further jobs" in after["dynamic"]["graphs_for_tests.map_reduce"]
    assert any("from the ledger of" in line for line in after["assumptions"])
    assert any("as they did then" in line for line in after["assumptions"])
    other = zonemelt.json("plan", "campaigns_for_tests:good", "--site", "local", "--durations", mixed)
    assert other["graph"]["jobs"] == 4


def test_mermaid_is_all_that_is_printed(zonemelt):
    said = zonemelt("plan", "campaigns_for_tests:good", "--site", "local", "--mermaid").splitlines()
    assert said[0] == "graph LR"
    assert len(said) == 4
    assert said[-1].strip() == "g0 -->|3| g1"


def test_a_drawing(zonemelt, home: Path):
    zonemelt("plan", "campaigns_for_tests:mixed", "--site", "local", "--svg", "plan.svg")
    root = ET.fromstring((home / "plan.svg").read_text())
    assert root.tag.endswith("svg")
    assert len(root.findall(".//{*}rect")) > 5
    said = zonemelt.refused("plan", "campaigns_for_tests:good", "--site", "local", "--svg", "no/where.svg")
    assert "cannot be written" in said


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"nodes": 5, "pool": "wide"}, ("job 'greedy'", "asks for 5 nodes", "nodes_per_block")),
        ({"nodes": 2}, ("job 'greedy'", "asks for 2 nodes", "gives a job 1")),
        ({"walltime": "02:00:00"}, ("job 'greedy'", "walltime", "raise the pool's walltime")),
        ({"pool": "gpu"}, ("job 'greedy'", "no pool 'gpu'", "cpu, wide")),
        ({"poll": "gpu"}, ("did you mean 'pool'?",)),
    ],
)
def test_jobs_that_the_site_can_never_run_are_refused(zonemelt, cluster: Path, wanted, words):
    argument = f"arguments.wanted={json.dumps(wanted)}"
    said = zonemelt.refused("plan", "plans_for_tests:greedy", "--site", cluster, *ACCOUNT, "--set", argument)
    for word in words:
        assert word in said


def test_sites_that_cannot_be_used_are_refused(zonemelt, cluster: Path):
    words = ("plan", "campaigns_for_tests:good", "--site")
    assert "account: who pays" in zonemelt.refused(*words, cluster)
    said = zonemelt.refused(*words, cluster, *ACCOUNT, "--set", "walltime=72:00:00")
    assert "more than this machine allows" in said
    assert "there is no such site" in zonemelt.refused(*words, "locl")
    said = zonemelt.refused(*words, cluster, *ACCOUNT, "--wait", "gpu=60")
    assert "no pool 'gpu'" in said


def test_what_works_badly_is_said(zonemelt, cluster: Path, home: Path):
    (home / "times.yaml").write_text("default: '00:20:00'\n")
    found = zonemelt.json(
        "plan", "campaigns_for_tests:good", "--site", cluster, *ACCOUNT, "--durations", "times.yaml"
    )
    assert any("raise its drain" in line for line in found["warnings"])
    assert any("lower max_blocks" in line for line in found["warnings"])


def test_a_graph_that_waits_for_itself(zonemelt):
    said = zonemelt.refused("plan", "campaigns_for_tests:cycle", "--site", "local")
    assert "contains cycles" in said
