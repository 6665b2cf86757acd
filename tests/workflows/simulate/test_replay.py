"""A campaign that really ran takes as long as the simulated site says."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def campaign(tmp_path_factory) -> Path:
    """Sleeping jobs in a fan, chains, a join, and some that others bring; with two workers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        from benchmarks.simulate import real_run

        directory = tmp_path_factory.mktemp("replay") / "campaign"
        real_run(directory, jobs=32, longest=0.6)
    return directory


def test_the_makespan_is_predicted(campaign: Path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.simulate import predictions

    found = predictions(campaign)
    # What happened may take longer on a machine that is busy with other things, and never less.
    assert 0.7 * found["measured"] <= found["own"] <= 1.15 * found["measured"]
    # Durations drawn by kind leave the order of long and short jobs to chance.
    kinds = sum(found["kinds"]) / len(found["kinds"])
    assert 0.6 * found["measured"] <= kinds <= 1.25 * found["measured"]


def test_the_graph_that_it_grew_into(campaign: Path):
    from zonemelt.workflows.simulate import Machine, PoolModel, simulate
    from zonemelt.workflows.simulate.past import brought_by_kind, read_past, times_of

    past = read_past(campaign)
    assert past.heads == 1
    assert 0 < past.begun < past.makespan
    bringers, brought = brought_by_kind(campaign)["benchmarks.simulate_graphs.grow"]
    assert bringers == 2
    assert brought >= 6
    times = times_of(campaign)
    assert times.source == "the ledger of campaign"
    assert 0.2 < times.of("benchmarks.simulate_graphs.nap").mean < 0.7
    # On as many workers as there are jobs it takes as long as its longest chain.
    pool = PoolModel(workers=100, min_blocks=1, init_blocks=1, period=1)
    wide = simulate(past.graph, Machine(pools={"cpu": pool}), past.seconds)
    assert wide.states == {"done": len(past.graph)}
    assert wide.makespan < 0.5 * past.makespan


def test_jobs_that_failed_and_what_became_of_the_rest(tmp_path: Path):
    import campaigns_for_tests

    from zonemelt.workflows.engine.run import run_flow
    from zonemelt.workflows.simulate import Machine, PoolModel, simulate
    from zonemelt.workflows.simulate.past import read_past

    run_flow(campaigns_for_tests.mixed(), site="inline", directory=tmp_path / "mixed")
    past = read_past(tmp_path / "mixed")
    here = Machine(pools={"cpu": PoolModel(min_blocks=1, init_blocks=1)})
    found = simulate(past.graph, here, past.seconds)
    assert found.states == {"done": 13, "failed": 1, "skipped": 2, "stopped": 1}
