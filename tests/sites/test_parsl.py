"""A site becomes a Parsl configuration that avoids the known traps."""

from __future__ import annotations

import psutil
import pytest

from zonemelt.sites.load import SiteFileError, load_site
from zonemelt.sites.parsl import address, drain_seconds, parsl_config, port_range
from zonemelt.sites.site import Accelerators, Launch, Network, Pool, Site


def slurm_site(**pool):
    values = {"account": "a", "partition": "p", "walltime": "01:00:00", "launch": Launch(program="srun")}
    return Site(
        name="here", scheduler="slurm", pools={"cpu": Pool(**{**values, **pool})},
        network=Network(address="127.0.0.1"),
    )  # fmt: skip


def executor_of(site, path, **more):
    (executor,) = parsl_config(site, run_directory=path, **more).executors
    return executor


@pytest.mark.parametrize("scheduler", ["local", "slurm"])
def test_traffic_is_encrypted_and_nobody_is_asked_for_our_address(tmp_path, scheduler):
    site = load_site("local") if scheduler == "local" else slurm_site()
    executor = executor_of(site, tmp_path)
    assert executor.encrypted
    assert executor.all_addresses in ("127.0.0.1", {"127.0.0.1"})
    assert parsl_config(site, run_directory=tmp_path).usage_tracking == 0


def test_nothing_starts_on_a_block_that_is_about_to_end(tmp_path):
    executor = executor_of(slurm_site(walltime="02:00:00", drain="00:30:00"), tmp_path)
    assert executor.drain_period == drain_seconds(
        slurm_site(walltime="02:00:00", drain="00:30:00").pools["cpu"]
    )
    assert executor.drain_period == 5400


def test_accelerators_are_named_as_the_site_says(tmp_path):
    tiles = Accelerators(count=2, vendor="intel", names=("0.0", "0.1"))
    assert executor_of(slurm_site(accelerators=tiles), tmp_path).available_accelerators == ["0.0", "0.1"]
    four = Accelerators(count=4, vendor="nvidia")
    executor = executor_of(slurm_site(accelerators=four), tmp_path)
    assert executor.available_accelerators == ["0", "1", "2", "3"]
    assert executor.max_workers_per_node == 4


def test_a_pool_for_multi_node_jobs_has_one_worker_a_block(tmp_path):
    executor = executor_of(slurm_site(nodes_per_block=4, whole_block=True, cores=48), tmp_path)
    assert executor.max_workers_per_node == 1
    assert type(executor.provider.launcher).__name__ == "OneManager"


def test_ports_are_the_campaigns_own(tmp_path):
    first, again = (port_range(tmp_path / "a", "cpu", 54000) for _ in range(2))
    assert first == again
    assert 54000 <= first[0] < first[1] <= 55000
    ranges = {port_range(tmp_path / str(i), "cpu", 54000) for i in range(30)}
    assert len(ranges) > 10


def test_an_interface_is_looked_up_on_the_machine():
    assert address(Network(interface="lo")) == "127.0.0.1"
    with pytest.raises(SiteFileError, match="no interface 'ib77'") as caught:
        address(Network(interface="ib77"))
    assert next(iter(psutil.net_if_addrs())) in str(caught.value)


def test_what_only_the_user_knows_is_asked_for(tmp_path):
    site = slurm_site(account=None).model_copy(update={"requires": {"account": "your project"}})
    with pytest.raises(SiteFileError, match="account: your project"):
        parsl_config(site, run_directory=tmp_path)
