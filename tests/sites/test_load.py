"""Site files: what may stand in them, how they extend one another, and what is said of a wrong one."""

from __future__ import annotations

import pytest

from zonemelt.sites.evidence import described
from zonemelt.sites.load import SiteFileError, check_complete, load_site, missing_values
from zonemelt.sites.site import Confidence


def refused(name, overrides=None) -> str:
    with pytest.raises(SiteFileError) as caught:
        load_site(name, overrides)
    return str(caught.value)


def test_a_file_of_ones_own_extends_the_site_of_its_name(own):
    own("perlmutter", "defaults: {account: m1, walltime: '02:00:00'}\npools: {gpu: {walltime: '04:00:00'}}\n")
    site = load_site("perlmutter")
    assert {pool.account for pool in site.pools.values()} == {"m1"}
    assert site.pools["cpu"].walltime == "02:00:00"
    assert site.pools["gpu"].walltime == "04:00:00"
    assert site.pools["gpu"].accelerators.count == 4


def test_extends_a_site_under_another_name(own):
    own(
        "ours",
        "extends: generic_slurm\ndefaults: {cores: 32}\npools: {cpu: {partition: main}, big: {cores: 64}}\n",
    )
    site = load_site("ours")
    assert site.name == "ours"
    assert site.scheduler == "slurm"
    assert site.pools["cpu"].cores == 32
    assert site.pools["big"].launch.program == "srun"  # what is said for every pool
    assert not missing_values(site)


def test_a_chain_of_files(own):
    own("one", "extends: local\npools: {cpu: {workers: 2}}\n")
    own("two", "extends: one\ntitle: second\npools: {cpu: {max_blocks: 3}}\n")
    site = load_site("two")
    assert (site.pools["cpu"].workers, site.pools["cpu"].max_blocks, site.title) == (2, 3, "second")


def test_a_path_to_extend_is_relative_to_its_file(tmp_path):
    (tmp_path / "base.yaml").write_text("extends: local\ntitle: below\n")
    (tmp_path / "above.yaml").write_text("extends: ./base.yaml\n")
    assert load_site(tmp_path / "above.yaml").title == "below"
    (tmp_path / "base.yaml").write_text(f"extends: ../{tmp_path.name}/above.yaml\n")
    assert "it extends itself (above → base → above)" in refused(tmp_path / "above.yaml")


def test_a_cycle_is_named(own):
    own("one", "extends: two\n")
    own("two", "extends: one\n")
    assert "it extends itself (one → two → one)" in refused("one")


def test_a_value_for_every_pool_by_its_bare_name():
    assert {pool.qos for pool in load_site("perlmutter", {"qos": "debug"}).pools.values()} == {"debug"}


def test_an_override_adds_a_pool():
    site = load_site("local", {"pools.small.workers": 1})
    assert site.pools["small"].capacity == 1


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            {"pools.gpu.launch.programs": "srun"},
            "pools.gpu.launch.programs: there is no such key, did you mean 'program'?",
        ),
        ({"pools.gpu.walltme": "01:00:00"}, "did you mean 'walltime'?"),
        ({"networks": {}}, "networks: there is no such key, did you mean 'network'?"),
        ({"account.name": "m1"}, "account: there is no such key"),
        ({"name.first": "x"}, "'name.first' names no value"),
        ({"pools.gpu.walltime": "1-00:00:00"}, "'1-00:00:00' is not a walltime: write 'HH:MM:SS', in quotes"),
        ({"pools.gpu.walltime": 24}, "24 is not a walltime"),
        (
            {"pools.gpu.walltime": "72:00:00"},
            "walltime 72:00:00 is more than this machine allows: give at most 48:00:00",
        ),
        ({"pools.gpu.workers": 2}, "has 4 groups for 2 workers: give one for each worker"),
        ({"pools.gpu.affinity": "list:0-7:8-3:1:2"}, "'8-3' is neither a processor nor a rising range"),
        ({"pools.gpu.affinity": "list:0-7:8-15:7-9:20"}, "gives processor 7 to more than one worker"),
        ({"pools.gpu.affinity": "list:0-7:8-15:16:500"}, "names processor 500, but cpu_ids are 0-127"),
        ({"pools.gpu.affinity": "0-7"}, "write 'none', 'block', or 'list:0-7:8-15'"),
        ({"pools.gpu.drain": "06:00:00"}, "drain 06:00:00 leaves nothing of a walltime of 06:00:00"),
        ({"pools.gpu.min_blocks": 2}, "min_blocks 2 is more than max_blocks 1"),
        ({"pools.gpu.launch.program": "pjm"}, "pools.gpu.launch.program 'pjm' is not for slurm: use mpiexec"),
        ({"pools.gpu.launch.program": "simple"}, "'simple' starts workers on the first node of a block only"),
        ({"pools.gpu.accelerators.names": ["0", "1"]}, "accelerators.names has 2 names for 4"),
        ({"pools.gpu.accelerators.request": "--gres=gpu:4"}, "write it without dashes, e.g. gres=gpu:4"),
        ({"pools.gpu.directives": ["#PBS -l x=1"]}, "'#PBS -l x=1' is not for slurm: write '#SBATCH …'"),
        ({"pools.gpu.cores": 0}, "pools.gpu.cores: Input should be greater than or equal to 1, found 0"),
        ({"pools.gpu.cpu_ids": "a-b"}, "cpu_ids 'a-b': 'a-b' is neither a processor nor a rising range"),
        ({"pools.gpu.memory_gb": float("inf")}, "pools.gpu.memory_gb: Input should be a finite number"),
        ({"pools": 3}, "pools: Input should be a valid dictionary, found 3"),
        ({"pools.gpu": 3}, "pools.gpu: Input should be a valid dictionary"),
        ({"scheduler": "lsf"}, "scheduler: Input should be 'local', 'slurm', 'pbspro' or 'pjm', found 'lsf'"),
    ],
)
def test_what_is_wrong_is_said(overrides, said):
    message = refused("perlmutter", overrides)
    assert said in message
    assert "perlmutter" in message


@pytest.mark.parametrize(
    ("nodes", "said"), [(92, "give at most 91"), (0, "greater than or equal to 1, found 0")]
)
def test_more_nodes_than_allowed(nodes, said):
    assert said in refused("frontier", {"nodes_per_block": nodes})


def test_fewer_nodes_than_allowed():
    assert "nodes_per_block 1 is less than this machine allows: give 2 or more" in refused(
        "param_pravega", {"pools.cpu.nodes_per_block": 1}
    )


def test_an_unknown_site_is_answered_with_the_nearest():
    assert "did you mean 'perlmutter'?" in refused("perlmuter")
    assert "there is no such file" in refused("nowhere.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "this does not describe a site"),
        ("a: [", "this is not YAML"),
        ("pools: [1]", "pools: here belong names and values, found [1]"),
        ("extends: local\npools: {cpu: 3}\n", "pools.cpu: here belong names and values, found 3"),
        (
            "extends: local\ndefaults: {cores: 2}\npools: {cpu: [1]}\n",
            "pools.cpu: here belong names and values",
        ),
        ("name: x\nscheduler: local\npools:\n", "pools: Field required"),
        ("name: x\n", "scheduler: Field required"),
    ],
)
def test_files_that_are_no_site(own, text, said):
    path = own("bad", text)
    assert said in refused("bad")
    assert str(path) in refused("bad")


def test_a_heading_with_nothing_below_it_says_nothing(own):
    own("ours", "extends: local\ndefaults:\npools:\n")
    assert load_site("ours").pools == load_site("local").pools


def test_an_unquoted_walltime_is_what_was_written(own):
    own("mine", "extends: local\ndefaults: {walltime: 12:30:00, max_walltime: 100:00:00}\n")
    pool = load_site("mine").pools["cpu"]
    assert (pool.walltime, pool.max_walltime) == ("12:30:00", "100:00:00")


def test_what_only_the_user_knows_is_asked_for():
    with pytest.raises(SiteFileError) as caught:
        check_complete(load_site("perlmutter"))
    assert "account: the project that pays" in str(caught.value)
    assert "→ write `defaults: {account: VALUE}` into" in str(caught.value)
    assert "`zonemelt sites check perlmutter --set account=VALUE`" in str(caught.value)
    check_complete(load_site("perlmutter", {"account": "m1"}))


def test_a_missing_value_with_a_path_is_asked_for_with_yaml_that_fits(own):
    own("ours", "extends: local\nrequires: {pools.cpu.partition: which one, network.interface: its name}\n")
    with pytest.raises(SiteFileError, match=r"write `pools: \{cpu: \{partition: VALUE\}\}` into .*ours.yaml"):
        check_complete(load_site("ours"))
    check_complete(load_site("ours", {"pools.cpu.partition": "main", "network.interface": "ib0"}))


def test_an_inherited_pool_is_taken_away_by_null(own):
    own("ours", "extends: generic_slurm\npools: {cpu: {cores: 4}, gpu: {}, dft: null}\n")
    assert list(load_site("ours").pools) == ["cpu", "gpu"]
    own("theirs", "extends: ours\npools: {dft: {cores: 8}}\n")
    assert load_site("theirs").pools["dft"].cores == 8
    assert not load_site("theirs").pools["dft"].whole_block  # nothing of the one that was taken away


def test_a_value_of_several_parts_may_be_asked_for(own):
    asked = "requires: {environment: its proxies, distributed: what torch needs}"
    own("ours", f"extends: local\n{asked}\n")
    assert missing_values(load_site("ours"))["environment"] == "its proxies"
    own("theirs", "extends: ours\ndefaults: {environment: {http_proxy: 'x:1'}}\n")
    assert not missing_values(load_site("theirs"))


def test_a_value_that_some_pools_lack_names_them(own):
    own("ours", "extends: generic_slurm\ndefaults: {walltime: 1:00:00}\npools: {cpu: {cores: 4}}\n")
    assert missing_values(load_site("ours"))["cores"].endswith("not given for gpu, dft")
    with pytest.raises(SiteFileError, match=r"write `pools: \{gpu: \{cores: VALUE\}\}` into here.yaml"):
        check_complete(load_site("ours"), file="here.yaml")


def test_a_wrong_default_is_told_once(own):
    own("ours", "extends: generic_slurm\ndefaults: {walltim: 1:00:00}\n")
    with pytest.raises(SiteFileError, match=r"defaults\.walltim: there is no such key") as caught:
        load_site("ours")
    assert str(caught.value).count("walltim:") == 1


def test_the_project_is_put_where_directives_name_it():
    site = load_site("gadi", {"project": "ab12"})
    assert "#PBS -l storage=gdata/ab12+scratch/ab12" in site.pools["gpu"].directives
    assert site.storage.scratch == "/scratch/ab12/$USER"
    assert site.pools["gpu"].account is None
    assert load_site("polaris", {"account": "Ours"}).storage.scratch == "/lus/eagle/projects/Ours"


def test_what_a_user_says_is_not_taken_for_what_the_catalog_knows(own):
    path = own("perlmutter", "defaults: {account: m1}\nnetwork: {interface: hsn1}\n")
    _, values = described("perlmutter", {"pools.gpu.walltime": "02:00:00"})
    found = {value.path: value for value in values}
    assert found["scheduler"].confidence is Confidence.DOCUMENTED
    assert (found["network.interface"].confidence, found["network.interface"].source) == (None, str(path))
    assert (found["pools.gpu.walltime"].confidence, found["pools.gpu.walltime"].source) == (None, "--set")
    assert found["pools.cpu.walltime"].confidence is Confidence.CHOICE


def test_evidence_of_ones_own_is_kept_beside_that_of_the_catalog(own):
    said = "evidence: [{confidence: documented, source: the admin, covers: [network]}]"
    own("perlmutter", f"network: {{interface: hsn1}}\n{said}\n")
    site, values = described("perlmutter")
    found = {value.path: value for value in values}
    assert found["network.interface"].source == "the admin"
    assert found["scheduler"].confidence is Confidence.DOCUMENTED
    assert len(site.evidence) > 1


def test_evidence_of_ones_own_may_be_written_without_a_list(own):
    said = "evidence: {confidence: documented, source: the admin, covers: [network]}"
    own("perlmutter", f"network: {{interface: hsn1}}\n{said}\n")
    site, values = described("perlmutter")
    assert {value.path: value for value in values}["network.interface"].source == "the admin"
    assert site.evidence[0].source == "the admin"


@pytest.mark.parametrize("name", ["../up", "a b", "my/site", "-x", ""])
def test_a_site_is_called_by_a_plain_name(tmp_path, name):
    path = tmp_path / "s.yaml"
    path.write_text(f"name: '{name}'\nscheduler: local\npools: {{cpu: {{workers: 1}}}}\n")
    assert "name: " in refused(path)
    path.write_text("name: MyCluster-2\nscheduler: local\npools: {cpu: {workers: 1}}\n")
    assert load_site(path).name == "MyCluster-2"


def test_a_directory_is_no_site(tmp_path):
    (tmp_path / "s.yaml").mkdir()
    assert "cannot be read" in refused(tmp_path / "s.yaml")
