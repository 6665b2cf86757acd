"""Trainings over the nodes of a real SLURM: two nodes, a rank on each."""

from __future__ import annotations

import pytest
from cluster.campaigns_on_slurm import TESTS, meanwhile, retries, slurm_site
from cluster.modes import needs_slurm
from stored_collections_for_tests import SPLIT, maker, stored_metals
from trainings_for_tests import course
from waiting import until

from zonemelt import RetryPolicy, run_flow
from zonemelt.sites.site import Launch
from zonemelt.tasks.train.metrics_log import read_metrics
from zonemelt.workflows.engine.worker import END_VARIABLE

pytestmark = needs_slurm


def site(**more):
    """A block of two nodes, which a job has to itself."""
    found = slurm_site(
        whole_block=True, workers=None, cores=4, launch=Launch(program="srun"),
        environment={"PYTHONPATH": str(TESTS)}, **more,
    )  # fmt: skip
    distributed = found.distributed.model_copy(update={"interface": "lo"})
    return found.model_copy(update={"distributed": distributed})


def trained(of, metals, campaign, where, **more):
    """The model that a campaign of one training gives, and how many jobs that took."""
    flow = of.make(metals, SPLIT)
    found = run_flow(flow, site=where, directory=campaign, ensure_success=True, **more)[flow.jobs[0].uuid]
    return found[max(found)].output


def test_two_nodes_train_as_one_process_does(slurm, tmp_path):
    metals = stored_metals(tmp_path)
    trained(maker(tmp_path / "one"), metals, tmp_path / "a", "inline")
    model = trained(maker(tmp_path / "two", nodes=2), metals, tmp_path / "b", site())
    assert (model["world_size"], model["jobs"], model["samples"]) == (2, 1, 48)
    for one, two in zip(course(tmp_path / "one"), course(tmp_path / "two"), strict=True):
        assert two == pytest.approx(one, rel=1e-6)


@pytest.mark.slow
def test_a_node_that_loses_power_costs_a_retry_and_not_a_bit(slurm, tmp_path):
    metals = stored_metals(tmp_path)
    settings = {"epochs": 60, "checkpoint_seconds": 1e-6}
    whole = trained(maker(tmp_path / "whole", nodes=2, settings=settings), metals, tmp_path / "a", site())

    def lose_power():
        until(lambda: len(read_metrics(tmp_path / "lost")) >= 3)
        slurm.lose_power("cn2")
        slurm.boot("cn2")

    with meanwhile(lose_power):
        lost = trained(
            maker(tmp_path / "lost", nodes=2, settings=settings), metals, tmp_path / "b", site(),
            retry=RetryPolicy(infrastructure=20, backoff_s=0.1, backoff_limit_s=1.0),
        )  # fmt: skip
    assert set(retries(tmp_path / "b")) == {"infrastructure"}
    assert lost["weights"] == whole["weights"]
    assert course(tmp_path / "lost") == course(tmp_path / "whole")


@pytest.mark.slow
def test_a_training_outlives_blocks_that_end(slurm, tmp_path):
    metals = stored_metals(tmp_path)
    settings = {"epochs": 1}
    trained(maker(tmp_path / "whole", settings=settings), metals, tmp_path / "a", "inline")
    ended = site()  # its block has always ended: each job has time for one step
    ended = ended.model_copy(update={"environment": {**ended.environment, END_VARIABLE: "1"}})
    pieces = trained(maker(tmp_path / "pieces", nodes=2, settings=settings), metals, tmp_path / "b", ended)
    assert (pieces["jobs"], pieces["steps"], pieces["world_size"]) == (3, 2, 2)  # the last one only judges
    for whole, part in zip(course(tmp_path / "whole"), course(tmp_path / "pieces"), strict=True):
        assert part == pytest.approx(whole, rel=1e-6)
    assert not retries(tmp_path / "b")
