"""Killed at any instant, a campaign goes on: nothing is lost, nothing is recorded twice."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import graphs_for_tests as g
import jobs_for_mishaps as mishaps
import pytest
from comparing_runs import Run, assert_same, of_campaign, ours, reference
from crashing_runs import Campaign, Chaos, campaign_graph, undisturbed
from graphs_for_tests import executions
from jobflow import Flow
from ledgers_for_tests import events
from processes_for_tests import two_workers

from zonemelt.tasks.errors import CampaignError
from zonemelt.workflows.engine.pools import InlineWorkers, make_workers
from zonemelt.workflows.engine.responses import Responses
from zonemelt.workflows.engine.retry import RetryPolicy
from zonemelt.workflows.engine.run import resume, run_flow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zonemelt.workflows.engine.parsl_workers import ParslWorkers

pytestmark = [
    pytest.mark.filterwarnings("ignore:Some jobs are not connected:UserWarning"),
    pytest.mark.timeout(900),
]


def assert_as_undisturbed(campaign: Campaign) -> None:
    campaign.check()
    assert_same(of_campaign(campaign.directory, Responses(campaign.directory)), undisturbed(campaign.groups))


def test_a_head_that_works_alone_is_killed(tmp_path) -> None:
    """Jobs run in the head: each kill takes a job and a head in the middle of anything."""
    campaign = Campaign(tmp_path, 20, seed=1)
    for _ in range(6):
        campaign.start("inline")
        campaign.wait_for_progress(campaign.random.randint(1, 50))
        campaign.kill_head(workers=1)
    campaign.finish("inline")
    assert campaign.kills >= 5
    assert_as_undisturbed(campaign)


def test_a_head_with_workers_is_killed(tmp_path) -> None:
    """Workers live on for a moment, and what they finish is taken in."""
    campaign = Campaign(tmp_path, 20, seconds=0.01, seed=3)
    campaign.start("local")
    campaign.wait_for_progress(campaign.random.randint(50, 150))
    campaign.kill_head(workers=2)
    campaign.finish("local")
    assert campaign.kills == 1
    assert_as_undisturbed(campaign)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("groups", "kills", "most"), [(60, 20, 40), (667, 100, 100)])
def test_everything_is_killed(tmp_path, groups, kills, most) -> None:
    """Heads, interchanges, managers and workers, over 900 and over 10,000 jobs."""
    chaos = Chaos(tmp_path, groups, seconds=0.01, seed=kills)
    killed = chaos.run(kills, most=most)
    counts = executions(chaos.folder)
    print(dict(killed), "jobs:", len(counts), "executions:", sum(counts.values()), "at risk:", chaos.at_risk)
    assert sum(killed.values()) >= 0.7 * kills
    chaos.check()
    assert_same(
        of_campaign(chaos.directory, Responses(chaos.directory)), undisturbed_here(groups, tmp_path / "alone")
    )


def undisturbed_here(groups: int, place: Path) -> Run:
    """``run_locally`` would take hours for 10,000 jobs; that it gives the same is shown above."""
    return ours(campaign_graph(groups, None), place, "inline")


# ── what workers had finished ───────────────────────────────────────────────────────────────────────────


class Vanishing(InlineWorkers):
    """Runs a chunk, and takes its head along before the result is told."""

    def __init__(self, chunks: int) -> None:
        self.chunks = chunks

    def submit(self, pool: str, chunk: Any, arrived: Any) -> None:
        super().submit(pool, chunk, arrived)
        self.chunks -= 1
        if self.chunks < 0:
            raise KeyboardInterrupt


class TestSpool:
    def crashed(self, tmp_path: Path) -> tuple[Path, Path, list[Path]]:
        """A campaign whose head went after 40 short jobs had run in one chunk, of which it knows nothing."""
        folder, directory = tmp_path / "marks", tmp_path / "campaign"
        folder.mkdir()
        jobs = [g.note(str(folder), name=f"j{i}") for i in range(40)]
        total = g.same([job.output for job in jobs])
        with pytest.raises(KeyboardInterrupt):
            run_flow(
                Flow([g.note(str(folder), name="first"), *jobs, total]),
                site=Vanishing(2),
                directory=directory,
            )
        spools = sorted((directory / "spool").iterdir())
        assert len(spools) >= 1
        return directory, folder, spools

    def test_is_harvested(self, tmp_path) -> None:
        directory, folder, _ = self.crashed(tmp_path)
        before = executions(folder)
        assert len(before) > 5
        responses = resume(directory, site="inline", ensure_success=True)
        assert set(executions(folder).values()) == {1}
        assert len(responses) == 42
        assert list((directory / "spool").iterdir()) == []

    @pytest.mark.parametrize("torn", [2, 7, 60])
    def test_a_torn_tail_costs_one_execution(self, tmp_path, torn) -> None:
        directory, folder, spools = self.crashed(tmp_path)
        os.truncate(spools[-1], spools[-1].stat().st_size - torn)
        resume(directory, site="inline", ensure_success=True)
        assert sorted(executions(folder).values()) == [1] * 40 + [2]

    def test_nonsense_at_the_end_is_passed_over(self, tmp_path) -> None:
        directory, folder, spools = self.crashed(tmp_path)
        with spools[-1].open("ab") as file:
            file.write(b"12 34 {}\n\x00\x00\x00")
        (directory / "spool" / "9-9.spool").write_bytes(b"\xff" * 100)
        (directory / "spool" / "9-8.spool").touch()
        resume(directory, site="inline", ensure_success=True)
        assert set(executions(folder).values()) == {1}

    def test_brought_jobs_are_harvested_too(self, tmp_path) -> None:
        plan = {
            "value": 1,
            "replace": {"jobs": [{"value": 2}, {"value": 3, "after": [0]}]},
            "detour": {"jobs": [{"value": 4}]},
        }

        def graph() -> Flow:
            return g.grow({"jobs": [plan, {"value": 5, "after": [0]}]}, "harvested")

        with pytest.raises(KeyboardInterrupt):
            run_flow(graph(), site=Vanishing(0), directory=tmp_path / "campaign")
        responses = resume(tmp_path / "campaign", site="inline")
        assert_same(of_campaign(tmp_path / "campaign", responses), reference(graph()))

    def test_what_is_known_already_changes_nothing(self, tmp_path) -> None:
        """A head may die between the ledger's commit and the removal of the file."""
        directory, folder, spools = self.crashed(tmp_path)
        kept = {path: path.read_bytes() for path in spools}
        resume(directory, site="inline")
        for path, content in kept.items():
            path.write_bytes(content)
        responses = resume(directory, site="inline", ensure_success=True)
        assert set(executions(folder).values()) == {1}
        assert len(responses) == 42


def test_interrupted_before_it_began(tmp_path, monkeypatch) -> None:
    """A ledger without jobs is no campaign yet: it can be started again in the same place."""
    job = g.add(1)
    monkeypatch.setattr("zonemelt.workflows.engine.campaign.Head", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run_flow(job, site="inline", directory=tmp_path)
    monkeypatch.undo()
    with pytest.raises(CampaignError, match="before its jobs had come in"):
        resume(tmp_path, site="inline")
    responses = run_flow(g.add(1), site="inline", directory=tmp_path)
    assert len(responses) == 1
    with pytest.raises(CampaignError, match="holds a campaign already"):
        run_flow(g.add(1), site="inline", directory=tmp_path)


# ── parts of the machinery die ──────────────────────────────────────────────────────────────────────────


@pytest.fixture
def own_workers(tmp_path) -> Iterator[ParslWorkers]:
    workers, _ = make_workers(two_workers(), tmp_path)
    with workers:
        yield workers


@pytest.mark.parametrize(
    "victims",
    [("worker", "interchange"), pytest.param(("manager", "interchange", "worker"), marks=pytest.mark.slow)],
)
def test_parts_of_the_machinery_die(own_workers, tmp_path, victims) -> None:
    """A job kills its worker, another the interchange or the manager: nobody is blamed, all of it is done."""
    directory, folder = tmp_path / "campaign", tmp_path / "marks"
    folder.mkdir()
    killers = [mishaps.kill_once(str(folder), victims[0])]
    for victim in victims[1:]:
        killers.append(mishaps.kill_once(str(folder), victim, killers[-1].output))
    others = [g.note(str(folder), name=f"other {i}", seconds=0.01) for i in range(50)]
    after = g.same([job.output for job in (*killers, *others)])
    responses = run_flow(
        Flow([*killers, *others, after]),
        site=own_workers,
        directory=directory,
        ensure_success=True,
        retry=RetryPolicy(backoff_s=0.1),
    )
    assert [responses[job.uuid][1].output for job in killers] == ["survived"] * len(victims)
    lost = events(directory, "retry")
    assert {event["cause"] for event in lost} == {"infrastructure"}
    assert len(events(directory, "breakdown")) >= 1
    counts = executions(folder)
    assert sum(count - 1 for count in counts.values()) <= 2 * len(victims)  # there are two workers


def test_a_job_that_always_kills_its_worker_ends(workers, tmp_path) -> None:
    folder = tmp_path / "marks"
    folder.mkdir()
    bad = g.fail_times(str(folder), 99, "exit")
    responses = run_flow(
        Flow([bad, child := g.add(bad.output), good := g.add(1)]),
        site=workers,
        directory=tmp_path / "c",
        retry=RetryPolicy(infrastructure=2, backoff_s=0.1),
    )
    assert set(responses) == {good.uuid}
    assert child.uuid not in responses
    assert len(events(tmp_path / "c", "retry")) == 2
    (failed,) = events(tmp_path / "c", "failed")
    assert failed["cause"] == "infrastructure"
    assert executions(folder)[f"{bad.uuid}_1"] == 3
