"""The configuration files of a SLURM cluster whose nodes all live on this host."""

from __future__ import annotations

import os
import secrets
import socket
import stat
from pathlib import Path

CPU_NODES, GPU_NODES = ("cn1", "cn2"), ("gn1", "gn2")
NODES = CPU_NODES + GPU_NODES
CPUS, MEMORY_MB, GPUS = 4, 4096, 4

# What production sites leave at minutes would make tests wait for minutes.
_SLURM = """\
ClusterName=testbed
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={directory}/munge/socket,cred_expire=5
# Listen where a name points to, which is the loopback interface, not on every interface.
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SrunPortRange={srun_first}-{srun_last}
SlurmctldPidFile={directory}/run/slurmctld.own
SlurmdPidFile={directory}/spool/%n/slurmd.own
SlurmctldLogFile={directory}/log/slurmctld.log
SlurmdLogFile={directory}/log/slurmd.%n.log
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool/%n
PlugStackConfig={directory}/etc/plugstack.conf
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=256
GresTypes=gpu
# Nodes may claim cores and memory that this host does not have.
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,sched_min_interval=0,batch_sched_delay=0,bf_interval=2,bf_resolution=1
ReturnToService=1
JobRequeue=1
SlurmdTimeout=10
SlurmctldTimeout=10
KillWait=3
MinJobAge={min_job_age}
CompleteWait=0
{accounting}
{nodes}
PartitionName=cpu Nodes={cpu_nodes} Default=YES DefaultTime=00:02:00 MaxTime=01:00:00 State=UP
PartitionName=gpu Nodes={gpu_nodes} DefaultTime=00:02:00 MaxTime=01:00:00 State=UP
"""

_ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port}
AccountingStoragePass={directory}/munge/socket
AccountingStorageTRES=gres/gpu"""

_SLURMDBD = """\
AuthType=auth/munge
AuthInfo=socket={directory}/munge/socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser=root
PidFile={directory}/run/slurmdbd.own
LogFile={directory}/log/slurmdbd.log
CommunicationParameters=NoInAddrAny
StorageType=accounting_storage/mysql
StorageUser=root
StorageLoc=slurm_acct
"""

# The first process of a node: it has a host name of its own, which every node can look up.
_NODE = """\
#!/bin/bash
hostname "$1" && mount --bind "$2/etc/hosts" /etc/hosts || exit 1
slurmd -D -N "$1" -f "$2/etc/slurm.conf" </dev/null &
child=$!
trap 'kill -TERM $child' TERM
while kill -0 $child 2>/dev/null; do wait $child; done
"""


def write_files(directory: Path, *, accounting: bool, min_job_age: int) -> None:
    """Write everything that the daemons read, once: a cluster that starts again keeps its ports."""
    for name in ("etc", "munge", "state", "spool", "dev", *(f"spool/{node}" for node in NODES)):
        (directory / name).mkdir(parents=True, exist_ok=True)
    etc = directory / "etc"
    if (etc / "slurm.conf").exists():
        return
    port, host = _free_ports(), socket.gethostname().split(".")[0]
    storage = "AccountingStorageType=accounting_storage/none"
    if accounting:
        storage = _ACCOUNTING.format(port=port + 1, directory=directory)
        _private(etc / "slurmdbd.conf", _SLURMDBD.format(port=port + 1, directory=directory).encode())
    _private(directory / "munge" / "key", secrets.token_bytes(1024))
    for number in range(GPUS):
        _device(directory / "dev" / f"nvidia{number}")
    files = f"{directory}/dev/nvidia[0-{GPUS - 1}]"
    (etc / "gres.conf").write_text(f"NodeName={','.join(GPU_NODES)} Name=gpu Type=fake File={files}\n")
    (etc / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\nConstrainCores=no\n")
    (etc / "plugstack.conf").touch()
    known = Path("/etc/hosts").read_text()
    (etc / "hosts").write_text(known + "".join(f"127.0.0.1 {node}\n" for node in NODES))
    (etc / "node").write_text(_NODE)
    (etc / "slurm.conf").write_text(
        _SLURM.format(
            host=host, port=port, directory=directory, srun_first=port + 100, srun_last=port + 299,
            min_job_age=min_job_age, accounting=storage, cpu_nodes=",".join(CPU_NODES),
            gpu_nodes=",".join(GPU_NODES),
            nodes="\n".join(_node_line(node, port + 10 + k) for k, node in enumerate(NODES)),
        )
    )  # fmt: skip


def _node_line(node: str, port: int) -> str:
    gres = f"Gres=gpu:fake:{GPUS} " if node in GPU_NODES else ""
    # One address for all: a step manager answers to the address a request came from, which is 127.0.0.1.
    return (
        f"NodeName={node} NodeHostname={node} NodeAddr=127.0.0.1 Port={port} CPUs={CPUS}"
        f" RealMemory={MEMORY_MB} {gres}State=UNKNOWN"
    )


def _private(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)


def _device(path: Path) -> None:
    """A file that can stand for a GPU: SLURM derives CUDA_VISIBLE_DEVICES from such files only."""
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except OSError:
        path.touch()


def _free_ports() -> int:
    """The first of 300 ports that nobody listens on, below those that the kernel gives away itself."""
    start = 16800 + 300 * (os.getpid() % 40)
    for shift in range(40):
        first = 16800 + (start - 16800 + 300 * shift) % 12000
        if all(_is_free(first + k) for k in (0, 1, *range(10, 10 + len(NODES)), 100)):
            return first
    raise OSError("no 300 free ports between 16800 and 28800: is something left of earlier clusters?")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
