"""A machine as data: its scheduler, its pools of workers, and how sure we are of each value."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from zonemelt.sites.clock import clock_seconds
from zonemelt.sites.rules import pool_problems, site_problems


def _checked_clock(text: str) -> str:
    clock_seconds(text)
    return text


def _clock_as_text(value: Any) -> Any:
    """YAML reads an unquoted 12:00:00 as a number of base 60; give it back as what was written."""
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 60:  # noqa: PLR2004 (no such number has two places of base 60: hours? seconds?)
            raise ValueError(f"{value} is not a walltime: write 'HH:MM:SS', in quotes, e.g. '06:00:00'")
        return f"{value // 3600:02d}:{value // 60 % 60:02d}:{value % 60:02d}"
    return value


Clock = Annotated[str, BeforeValidator(_clock_as_text), AfterValidator(_checked_clock)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Launch(_Part):
    """How processes are started on the nodes of a block."""

    program: Literal["simple", "srun", "mpiexec", "mpirun", "pbsdsh", "pjm"] = Field(
        "simple", description="srun (SLURM), mpiexec (MPICH, PALS), mpirun (Open MPI), pbsdsh, pjm (Fujitsu)"
    )
    options: str = Field("", description="its further options, e.g. '-c 128 --cpu-bind=none'")
    ranks: str = Field("", description="further options where it starts the ranks of a multi-rank job")
    mpi: Literal["", "mpiexec", "mpirun"] = Field(
        "", description="what starts MPI ranks instead, where the MPI library and srun do not know each other"
    )


class Accelerators(_Part):
    """The accelerators of a node."""

    count: int = Field(0, ge=0, description="how many a node has")
    vendor: Literal["nvidia", "amd", "intel", "none"] = "none"
    names: tuple[str, ...] = Field((), description="as workers must name them; default 0, 1, …")
    request: str = Field("", description="how the scheduler is asked for them, e.g. 'gres=gpu:4', 'ngpus=4'")


class Pool(_Part):
    """One kind of resource of a site: one Parsl executor."""

    # what the scheduler is asked for
    partition: str | None = Field(None, description="partition, queue or resource group")
    account: str | None = Field(None, description="who pays: account, project or group")
    project: str | None = Field(
        None, description="who pays, where directives say it: {project} stands for it there"
    )
    qos: str | None = None
    constraint: str | None = None
    exclusive: bool = Field(True, description="blocks do not share nodes")
    walltime: Clock = Field("01:00:00", description="of a block")
    nodes_per_block: int = Field(1, ge=1)
    min_blocks: int = Field(0, ge=0)
    max_blocks: int = Field(1, ge=1)
    directives: tuple[str, ...] = Field((), description="lines of the batch script, e.g. '#SBATCH -C nvme'")
    select: bool = Field(
        True, description="PBS: ask by `-l select`; False where directives name what the whole job gets"
    )
    # what a node has
    cores: int | None = Field(
        None, ge=1, description="of a node that a block may use, as its scheduler counts them"
    )
    cpu_ids: str = Field("", description="processors that affinity may name, e.g. 12-59; default: any")
    memory_gb: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="memory to ask for on each node; default: none"
    )
    accelerators: Accelerators = Accelerators()
    # how workers run on it
    workers: int | None = Field(
        None, ge=1, description="worker processes a node; default: one an accelerator, else one a core"
    )
    affinity: str = Field("none", description="'none', 'block', or 'list:0-7:8-15' with a group a worker")
    launch: Launch = Launch()
    whole_block: bool = Field(
        False, description="one worker a block: for jobs that span its nodes, which it starts itself"
    )
    contained: bool | None = Field(
        None, description="its workers run in the site's container; default: unless whole_block"
    )
    setup: tuple[str, ...] = Field((), description="shell lines before the workers: modules, environments")
    environment: dict[str, str] = Field(default_factory=dict, description="variables set for its workers")
    drain: Clock = Field("00:02:00", description="no job starts when less than this is left of a block")
    # what the scheduler allows; None where it is not known
    max_walltime: Clock | None = None
    min_nodes: int | None = Field(None, ge=1)
    max_nodes: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _checked(self) -> Self:
        if problems := pool_problems(self):
            raise ValueError("; ".join(problems))
        return self

    @property
    def workers_per_node(self) -> int:
        """Worker processes of one manager: on each node, or for the whole block."""
        if self.whole_block:
            return 1
        return self.workers or self.accelerators.count or self.cores or len(os.sched_getaffinity(0))

    @property
    def capacity(self) -> int:
        """How many workers it has when all its blocks are up."""
        managers = 1 if self.whole_block else self.nodes_per_block
        return self.workers_per_node * managers * self.max_blocks


class Network(_Part):
    """How workers reach the head."""

    interface: str | None = Field(None, description="of the head, e.g. ib0; looked up on the machine only")
    address: str | None = Field(None, description="of the head, where no interface will do")
    internet_on_compute: bool | None = Field(None, description="None: unknown")
    proxy: str | None = None


class Distributed(_Part):
    """What torch.distributed needs."""

    backend: Literal["nccl", "rccl", "xccl", "gloo", "mpi"] = "gloo"
    interface: str | None = Field(None, description="for NCCL_SOCKET_IFNAME and GLOO_SOCKET_IFNAME")
    master_suffix: str = Field("", description="appended to the first host's name, e.g. 'i' for InfiniBand")
    environment: dict[str, str] = Field(default_factory=dict)


class Container(_Part):
    """How workers run in a container; no image: they do not."""

    runtime: Literal["apptainer", "singularity", "shifter", "podman-hpc", "podman", "none"] = "none"
    image: str | None = Field(None, description="a file (.sif), or a name in a registry, best with @sha256:…")
    options: str = Field("", description="further options of the runtime")
    binds: tuple[str, ...] = Field(
        (), description="directories that are let in besides the campaign's, scratch and the current one"
    )
    digest: str = Field(
        "", pattern=r"^(sha256:[0-9a-f]{64})?$", description="of the image; another one is refused"
    )


class Storage(_Part):
    """Where campaigns belong, and what the machine's rules say about it."""

    scratch: str | None = Field(None, description="e.g. $SCRATCH")
    rules: tuple[str, ...] = ()


class Limits(_Part):
    """What one user may have in the queue; None where it is not known."""

    jobs_in_queue: int | None = Field(None, ge=1)


class Confidence(StrEnum):
    """How sure we are of a value."""

    DOCUMENTED = "documented"  # the machine's own documentation says so
    THIRD_PARTY = "third-party"  # a configuration or job script of somebody who uses it does
    UNVERIFIED = "unverified"  # a default that nobody has checked
    CHOICE = "choice"  # no fact about the machine: chosen within what it allows, to be changed at will


class Evidence(_Part):
    """Where values come from."""

    confidence: Confidence
    source: str = Field(min_length=3, description="document and date")
    covers: tuple[str, ...] = Field(
        min_length=1, description="paths as pools.gpu.partition, or beginnings of them; * for any one part"
    )


class Site(_Part):
    """A machine that campaigns run on."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    title: str = ""
    scheduler: Literal["local", "slurm", "pbspro", "pjm"]
    head: Literal["login", "in_job"] = Field(
        "login", description="where campaigns are driven from: a login node, or inside their allocation"
    )
    retired: str | None = Field(None, description="when and what replaced it")
    architecture: str = Field("", description="of compute nodes, e.g. x86_64, aarch64")
    pools: dict[str, Pool] = Field(min_length=1)
    network: Network = Network()
    distributed: Distributed = Distributed()
    container: Container = Container()
    storage: Storage = Storage()
    limits: Limits = Limits()
    setup: tuple[str, ...] = Field((), description="shell lines before the workers of every pool")
    environment: dict[str, str] = Field(default_factory=dict, description="set for the workers of every pool")
    poll_seconds: float = Field(
        60, gt=0, allow_inf_nan=False, description="between looks at the scheduler's queue"
    )
    command_seconds: float = Field(
        120, gt=0, allow_inf_nan=False, description="that a command of the scheduler may take"
    )
    requires: dict[str, str] = Field(
        default_factory=dict, description="values only its user knows → what they are and where to find them"
    )
    evidence: tuple[Evidence, ...] = ()

    @model_validator(mode="after")
    def _checked(self) -> Self:
        if problems := site_problems(self):
            raise ValueError("; ".join(problems))
        return self
