"""Looking at a machine: schedulers that answer, refuse, hang or are not there, played by small scripts."""

from __future__ import annotations

import time

import pytest

from zonemelt.sites.asking import ask
from zonemelt.sites.load import load_site
from zonemelt.sites.probe import interface, on_machine, python, scratch
from zonemelt.sites.queues import slurm_seconds

SLURM = {
    "sbatch": "exit 0",
    "squeue": "exit 0",
    "scancel": "exit 0",
    "srun": "exit 0",
    "sacct": "exit 0",
    "sinfo": r"printf 'main*|up|2-00:00:00|10|4|(null)\nmain*|up|2-00:00:00|2|8|(null)\n"
    r"gpu|up|1:00:00|3|32+|gpu:a100:4\n'",
    "sacctmgr": "printf 'm1|normal,regular\\nm2|debug\\n'",
}
PBS = {
    "qsub": "exit 0",
    "qdel": "exit 0",
    "qstat": r'[ "$1" = -u ] || printf "Queue: work\n    enabled = True\n    started = True\n'
    r'    resources_max.walltime = 24:00:00\n"',
}
PJM = {"pjsub": "exit 0", "pjstat": "exit 0", "pjdel": "exit 0", "pjacl": "echo small"}


def slurm(**overrides):
    given = {
        "pools.cpu.cores": 4,
        "pools.cpu.partition": "main",
        "pools.cpu.account": "m1",
        "pools.gpu.partition": "gpu",
        "command_seconds": 20,
    }
    return load_site("generic_slurm", {**given, **overrides})


def found(site) -> dict[str, tuple[bool | None, str, str]]:
    return {one.what: (one.ok, one.found, one.remedy) for one in on_machine(site)}


def test_a_slurm_machine_where_everything_is_there(fake):
    fake(**SLURM)
    looks = found(slurm())
    assert not [what for what, (ok, _, _) in looks.items() if ok is False]
    assert looks["pool cpu"][1] == "main: 12 nodes, at most 2-00:00:00"
    assert looks["pool gpu"][1] == "gpu: 3 nodes, at most 1:00:00"
    assert looks["pool dft"][1] == looks["pool cpu"][1]  # names none: the default one
    assert looks["accounting"][0] is True
    assert looks["python"][0] is True


@pytest.mark.parametrize("name", ["perlmutter", "polaris", "fugaku"])
def test_another_machine_gets_dots_and_no_crosses(fake, name):
    fake()
    looks = found(load_site(name))
    assert {ok for ok, _, _ in looks.values()} == {None}
    assert f"this is not {name}" in looks["scheduler"][1]


def test_a_command_that_lacks(fake):
    fake(**{name: script for name, script in SLURM.items() if name not in {"srun", "sacct"}})
    looks = found(slurm())
    assert looks["scheduler"][:2] == (False, "not in PATH: sacct, srun")
    assert looks["accounting"][0] is None  # states are then read from squeue


def test_a_scheduler_that_refuses_is_quoted_and_asked_no_more(fake):
    fake(**{**SLURM, "squeue": "echo 'squeue: error: Unable to contact slurm controller' >&2; exit 1"})
    looks = found(slurm())
    assert looks["queue"][0] is False
    assert "ended with status 1: squeue: error: Unable to contact slurm controller" in looks["queue"][1]
    assert "pool cpu" not in looks


def test_a_scheduler_that_hangs_is_left(fake):
    fake(**{**SLURM, "squeue": "sleep 60 & sleep 60"})
    start = time.monotonic()
    looks = found(slurm(command_seconds=0.5))
    assert time.monotonic() - start < 50
    assert looks["queue"][0] is False
    assert "did not end in 0.5 s" in looks["queue"][1]
    assert "--set command_seconds=300" in looks["queue"][2]


def test_accounting_that_is_switched_off_does_not_matter(fake):
    fake(**{**SLURM, "sacct": "echo 'Slurm accounting storage is disabled' >&2; exit 1"})
    ok, said, _ = found(slurm())["accounting"]
    assert ok is None
    assert "Slurm accounting storage is disabled (states are read from squeue)" in said


@pytest.mark.parametrize(
    ("overrides", "said", "remedy"),
    [
        ({"pools.cpu.partition": "mains"}, "there is no partition 'mains'", "the partitions are: gpu, main"),
        ({"pools.cpu.walltime": "49:00:00"}, "main allows 2-00:00:00, blocks ask for 49:00:00", "walltime="),
        ({"pools.cpu.nodes_per_block": 13}, "main has 12 nodes, blocks ask for 13", "nodes_per_block=N"),
        ({"pools.cpu.cores": 9}, "nodes of main have 8 processors, blocks ask for 9", "cores=N"),
        (
            {"pools.cpu.accelerators.request": "gres=gpu:1"},
            "nodes of main have no GPUs, blocks ask for gres=gpu:1",
            "pools.cpu.partition=NAME",
        ),
    ],
)
def test_partitions_that_will_not_do(fake, overrides, said, remedy):
    fake(**SLURM)
    ok, words, what_to_do = found(slurm(**overrides))["pool cpu"]
    assert ok is False
    assert words == said
    assert remedy in what_to_do


def test_a_partition_that_is_down(fake):
    fake(**{**SLURM, "sinfo": "echo 'main|drain|1:00:00|2|4|(null)'"})
    looks = found(slurm())
    assert looks["pool cpu"][1] == "main is drain"
    assert looks["pool dft"][1] == "there is no default partition"
    assert "the partitions are: main" in looks["pool gpu"][2]


def test_accounts_are_asked_for(fake):
    fake(**SLURM)
    assert found(slurm(account="M1"))["account"][0] is True  # SLURM writes them small
    ok, said, remedy = found(slurm(account="m9"))["account"]
    assert ok is False
    assert "'m9' is none of" in said
    assert "yours are: m1, m2" in remedy
    assert found(slurm(account="m2", qos="debug"))["account"][0] is True
    assert (
        "'regular' is no quality of service of m2" in found(slurm(account="m2", qos="regular"))["account"][1]
    )


@pytest.mark.parametrize("script", ["echo 'sacctmgr: error: no database' >&2; exit 1", "exit 0"])
def test_accounts_that_nobody_can_tell_are_a_dot(fake, script):
    fake(**{**SLURM, "sacctmgr": script})
    ok, said, _ = found(slurm(account="m1"))["account"]
    assert ok is None
    assert "cannot be asked" in said


def test_a_pbs_machine(fake):
    fake(**PBS)
    site = load_site("generic_pbs", {"pools.cpu.cores": 4, "pools.cpu.partition": "work", "account": "p"})
    looks = found(site)
    assert looks["pool cpu"][:2] == (True, "work takes jobs")
    assert looks["account"][0] is None
    site = load_site("generic_pbs", {"pools.cpu.partition": "work", "walltime": "25:00:00"})
    assert "work allows 24:00:00, blocks ask for 25:00:00" in found(site)["pool cpu"][1]


def test_a_pbs_queue_that_is_not_there_or_closed(fake):
    site = load_site("generic_pbs", {"pools.cpu.partition": "work"})
    fake(**{**PBS, "qstat": '[ "$1" = -u ] || { echo "qstat: Unknown queue work" >&2; exit 170; }'})
    assert "ended with status 170: qstat: Unknown queue work" in found(site)["pool cpu"][1]
    fake(qstat=r'[ "$1" = -u ] || printf "Queue: work\n    enabled = False\n    started = True\n"')
    assert found(site)["pool cpu"][1] == "work is not enabled"


def test_a_pjm_machine(fake, monkeypatch):
    from zonemelt.sites import payers

    monkeypatch.setattr(payers, "_group_name", lambda _: "hp123")
    fake(**PJM)
    looks = found(load_site("fugaku", {"account": "hp123"}))
    assert looks["pool cpu"][:2] == (True, "small is open to you")
    assert looks["account"][0] is True
    looks = found(load_site("fugaku", {"account": "hp999"}))
    assert looks["account"][0] is False
    assert "yours are: hp123" in looks["account"][2]


def test_an_interface_is_looked_for_where_the_head_runs(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.delenv("PJM_JOBID", raising=False)
    assert interface(slurm(**{"network.interface": "lo"})).found == "lo is 127.0.0.1"
    wrong = interface(slurm(**{"network.interface": "ib9"}))
    assert wrong.ok is False
    assert "lo" in wrong.remedy
    assert interface(load_site("fugaku")).ok is None
    monkeypatch.setenv("PJM_JOBID", "1")
    assert interface(load_site("fugaku")).ok is False


def test_scratch_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRATCH", str(tmp_path))
    assert scratch(slurm(**{"storage.scratch": "$SCRATCH"})).ok is True
    assert scratch(slurm(**{"storage.scratch": "$SCRATCH/none"})).ok is False
    assert "names what is not set" in scratch(slurm(**{"storage.scratch": "$NOBODY_SET_THIS"})).found
    assert scratch(slurm()).ok is None


def test_a_second_architecture_is_mentioned():
    said = python(slurm(architecture="s390x"), here=True)
    assert said.ok is None
    assert "compute nodes are s390x" in said.found


def test_a_command_that_cannot_be_started():
    assert "`no-such-command` cannot be started" in ask("no-such-command", seconds=1).trouble


def test_a_command_that_says_nothing(fake):
    fake(quiet="exit 3")
    assert ask("quiet", seconds=5).trouble == "`quiet` ended with status 3: it said nothing"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2-00:00:00", 172800), ("12:00:00", 43200), ("30:00", 1800), ("infinite", None), ("", None)],
)
def test_slurm_writes_times_in_its_own_way(text, seconds):
    assert slurm_seconds(text) == seconds
