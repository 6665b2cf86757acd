"""The catalog: every machine loads, and says where each value comes from."""

from __future__ import annotations

import socket
from pathlib import Path

import psutil
import pytest

from zonemelt.sites import site as model
from zonemelt.sites.evidence import described, evidence_for, given_values
from zonemelt.sites.layers import layers, merged_layers
from zonemelt.sites.load import check_complete, load_site, missing_values
from zonemelt.sites.rules import affinity_groups
from zonemelt.sites.scripts import batch_scripts
from zonemelt.sites.site import Confidence

CATALOG = sorted(path.stem for path in (Path(model.__file__).parent / "catalog").glob("*.yaml"))
MACHINES = [name for name in CATALOG if name not in {"local", "generic_slurm", "generic_pbs"}]
GIVEN = {"cores": 32}


def complete(name: str):
    wanted = load_site(name).requires
    return load_site(name, {key: GIVEN.get(key, "ab12") for key in wanted})


def test_the_machines_are_all_there():
    assert set(CATALOG) == {
        "local", "generic_slurm", "generic_pbs", "fugaku", "jureca_dc", "juwels_booster", "archer2",
        "param_pravega", "param_utkarsh", "param_siddhi_ai", "perlmutter", "frontier", "polaris", "aurora",
        "lumi_g", "leonardo", "marenostrum5_acc", "delta", "stampede3", "bridges2", "gadi", "miyabi_g",
        "abci3",
    }  # fmt: skip


@pytest.mark.parametrize("name", CATALOG)
def test_it_is_complete_when_given_what_it_requires(name):
    site = complete(name)
    assert site.name == name
    assert site.title
    check_complete(site)
    written = [line for pool in site.pools.values() for line in pool.directives]
    assert not [line for line in written if "{" in line]


@pytest.mark.parametrize("name", CATALOG)
def test_what_it_requires_is_not_given_and_says_where_to_find_it(name):
    site = load_site(name)
    assert set(missing_values(site)) == set(site.requires)
    assert all(len(what) > 20 for what in site.requires.values())


@pytest.mark.parametrize("name", CATALOG)
def test_every_value_has_evidence(name):
    _, values = described(name)
    assert not [value.path for value in values if value.confidence is None]


@pytest.mark.parametrize("name", CATALOG)
def test_all_evidence_is_for_a_value(name):
    site = load_site(name)
    paths = given_values(merged_layers(layers(name)))
    for one in site.evidence:
        for covered in one.covers:
            alone = one.model_copy(update={"covers": (covered,)})
            assert any(evidence_for(path, [alone]) for path in paths), covered


@pytest.mark.parametrize("name", CATALOG)
def test_no_two_sources_claim_the_same_path(name):
    covered = [path for one in load_site(name).evidence for path in one.covers]
    assert len(covered) == len(set(covered))


@pytest.mark.parametrize("name", MACHINES)
def test_only_what_is_checked_counts_as_such(name):
    _, values = described(name)
    for value in values:
        if value.confidence in {Confidence.DOCUMENTED, Confidence.THIRD_PARTY}:
            assert value.source != "general knowledge"
            assert "zonemelt" not in value.source
    assert any(value.confidence is not Confidence.CHOICE for value in values)


def test_nothing_is_looked_up_while_a_site_is_read(monkeypatch):
    def never(*_args, **_kwargs):
        raise AssertionError

    for owner, looked_up in ((psutil, "net_if_addrs"), (socket, "gethostbyname"), (socket, "getaddrinfo")):
        monkeypatch.setattr(owner, looked_up, never)
    for name in CATALOG:
        described(name)


@pytest.mark.parametrize("name", MACHINES)
def test_workers_are_bound_to_processors_that_are_there(name):
    for pool in load_site(name).pools.values():
        groups = affinity_groups(pool.affinity)
        if groups is not None:
            assert pool.cpu_ids
            assert len(groups) == pool.workers_per_node
            assert len({len(group) for group in groups}) == 1  # no worker is favoured


@pytest.mark.parametrize("name", MACHINES)
def test_a_manager_owns_the_processors_it_gives_away(name):
    """Srun gives a task one core unless told otherwise, and PALS binds: binding workers would fail."""
    for pool in load_site(name).pools.values():
        if pool.affinity != "none" and pool.launch.program == "srun":
            assert "-c " in pool.launch.options
        if pool.affinity != "none" and pool.launch.program == "mpiexec":
            assert "--depth=" in pool.launch.options


@pytest.mark.parametrize("name", MACHINES)
def test_accelerators_say_whose_they_are(name):
    """AMD's must be told apart: its workers see nothing if NVIDIA's variable is set too."""
    site = load_site(name)
    for pool in site.pools.values():
        if pool.accelerators.count:
            assert pool.accelerators.vendor != "none"
            backend = {"nvidia": "nccl", "amd": "rccl", "intel": "xccl"}[pool.accelerators.vendor]
            assert site.distributed.backend == backend


def test_where_the_head_may_run():
    inside = {name for name in CATALOG if load_site(name).head == "in_job"}
    assert inside == {"fugaku", "param_utkarsh", "leonardo", "marenostrum5_acc", "gadi"}


def test_nothing_is_claimed_of_a_machine_without_documentation():
    _, values = described("param_siddhi_ai")
    assert {value.confidence for value in values} == {Confidence.UNVERIFIED, Confidence.CHOICE}
    assert "partition" in missing_values(load_site("param_siddhi_ai"))


def test_a_machine_that_is_gone_says_so():
    assert "21 November 2026" in (load_site("archer2").retired or "")
    assert [name for name in CATALOG if load_site(name).retired] == ["archer2"]


def test_archer2_rejects_processors_a_task_beside_gpus():
    assert load_site("archer2").pools["gpu"].cores is None


@pytest.mark.parametrize("name", MACHINES)
def test_its_batch_scripts_can_be_written(name):
    site = complete(name)
    scripts = batch_scripts(site)
    assert set(scripts) == set(site.pools)
    for pool, script in scripts.items():
        for line in site.pools[pool].directives:
            assert line in script.splitlines()
        assert "ab12" in script or not {"account", "project"} & set(site.requires)
