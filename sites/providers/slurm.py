"""Blocks on SLURM: states from the controller while it remembers a job, then from the database."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Unpack

from parsl.jobs.states import TERMINAL_STATES, JobState

from zonemelt.sites.commands import OutageError, ask
from zonemelt.sites.providers.base import BatchProvider
from zonemelt.sites.providers.jobs import Common, Seen
from zonemelt.sites.providers.slurm_states import seen_as

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonemelt.sites.commands import Said


class SlurmProvider(BatchProvider):
    """A Parsl provider for SLURM.

    Pilots are not requeued (Parsl would start a second one beside the first), and when a node is lost they
    shrink instead of dying. Nothing is asked when it is made: a site can be read on any machine.

    Args:
        partition: the partition.
        account: who pays.
        qos: quality of service.
        constraint: features that nodes must have.
        clusters: of a federation.
        cores_per_node: ``--cpus-per-task``, for the one manager of a node.
        mem_per_node: in GB; fractions are allowed.
        gpus_per_node: ``--gpus-per-node``.
        gres: ``--gres``.
        exclusive: nodes are not shared with other jobs.
        **common: see :class:`Common`.
    """

    def __init__(
        self,
        *,
        partition: str | None = None,
        account: str | None = None,
        qos: str | None = None,
        constraint: str | None = None,
        clusters: str | None = None,
        cores_per_node: int | None = None,
        mem_per_node: float | None = None,
        gpus_per_node: int | None = None,
        gres: str | None = None,
        exclusive: bool = True,
        **common: Unpack[Common],
    ) -> None:
        super().__init__("slurm", **common)
        self.partition = partition
        self.account = account
        self.qos = qos
        self.constraint = constraint
        self.clusters = clusters
        self.cores_per_node = cores_per_node
        self.mem_per_node = mem_per_node
        self.gpus_per_node = gpus_per_node
        self.gres = gres
        self.exclusive = exclusive

    def _directives(self, job_name: str, output: str, errors: str) -> list[str]:
        # No --ntasks-per-node: one task a node is the default, and some sites refuse the option.
        wanted = {
            "job-name": job_name, "output": output, "error": errors, "nodes": self.nodes_per_block,
            "time": self.walltime, "partition": self.partition, "account": self.account, "qos": self.qos,
            "constraint": self.constraint, "clusters": self.clusters, "gpus-per-node": self.gpus_per_node,
            "gres": self.gres, "cpus-per-task": self.cores_per_node,
            "mem": None if self.mem_per_node is None else f"{round(self.mem_per_node * 1024)}M",
        }  # fmt: skip
        lines = [f"#SBATCH --{name}={value}" for name, value in wanted.items() if value is not None]
        lines += ["#SBATCH --no-requeue", "#SBATCH --no-kill"]
        lines += ["#SBATCH --exclusive"] if self.exclusive else []
        return lines + self._options()  # last: the site has the last word

    def _submit(self, script: str) -> tuple[str | None, Said]:
        said = ask("sbatch", script, seconds=self.cmd_timeout, environment=_outside_a_job())
        found = re.search(r"Submitted batch job (\d+)", said.out)
        return (found[1] if found and not said.code else None), said

    def _look(self, job_ids: Sequence[str]) -> dict[str, Seen]:
        # All jobs of the user: asked for its ids, squeue refuses to answer when it has forgotten one of them.
        found = {}
        for line in self._squeue("--all", "--states=all", "--format=%i|%T|%D|%B|%N|%r"):
            job_id, *words = line.split("|", 5)
            if job_id in job_ids and len(words) == 5:  # noqa: PLR2004
                state, nodes, first, left, reason = words
                shrunk = state == "RUNNING" and nodes.isdigit() and int(nodes) < self.nodes_per_block
                empty = shrunk and self._is_empty(job_id, first, left)
                found[job_id] = self._ended_empty(job_id) if empty else seen_as(state, reason)
        return found

    def _is_empty(self, job_id: str, first: str, left: str) -> bool:
        """Whether a block has lost its first node and nothing runs on the others any more.

        SLURM lets managers on other nodes finish their work then; but nobody is left to end the job, which
        would stand there as running until its walltime.
        """
        if first in self._ask("scontrol", "show", "hostnames", left).or_outage().out.split():
            return False
        steps = self._squeue("--steps", f"--jobs={job_id}", "--format=%i")
        return all(step.strip().endswith((".batch", ".extern")) for step in steps)

    def _ended_empty(self, job_id: str) -> Seen:
        self._cancel(job_id)
        message = "SLURM: the block lost its first node, and its managers on the others have ended"
        return Seen(state=JobState.FAILED, message=message)

    def _look_again(self, job_id: str) -> Seen | None:
        if (known := self._from_database(job_id)) is not None:
            return known
        said = self._ask("scontrol", *self._cluster(), "--oneliner", "show", "job", job_id)
        if said.code:
            if "Invalid job id" in said.words:
                return None
            said.or_outage()
        values = dict(word.split("=", 1) for word in said.out.split() if "=" in word)
        return seen_as(values.get("JobState", ""), values.get("Reason", ""))

    def _from_database(self, job_id: str) -> Seen | None:
        """How a job ended, where there is a database that knows it.

        A job that it believes to be running is not believed: the controller has forgotten it, and the
        database was not told of its end.
        """
        try:
            said = self._ask(
                "sacct", *self._cluster(), "--allocations", "--noheader", "--parsable2", "--duplicates",
                "--format=jobid,state,exitcode", f"--jobs={job_id}",
            )  # fmt: skip
        except OutageError:
            return None
        rows = [line.split("|") for line in said.out.splitlines() if line.startswith(f"{job_id}|")]
        if said.code or not rows:
            return None
        _, state, code = rows[-1][:3]
        seen = seen_as(state, "", code)
        return seen if seen.state in TERMINAL_STATES else None

    def _find(self, job_name: str) -> str | None:
        found = self._squeue("--all", f"--name={job_name}", "--format=%i")
        return next((word for word in found if word.isdigit()), None)

    def _cancel(self, job_id: str) -> bool:
        said = self._ask("scancel", *self._cluster(), job_id)
        return not said.code or "Invalid job id" in said.words

    def _squeue(self, *options: str) -> list[str]:
        user = f"--user={os.geteuid()}"
        return (
            self._ask("squeue", *self._cluster(), "--noheader", user, *options).or_outage().out.splitlines()
        )

    def _cluster(self) -> list[str]:
        return [f"--clusters={self.clusters}"] if self.clusters else []


def _outside_a_job() -> dict[str, str]:
    """The environment without what SLURM says of the job that this process is in, if it is in one.

    A head in a batch job would pass its own job's cores and memory on to the blocks it asks for.
    """
    kept = {"SLURM_CONF", "SLURM_CLUSTERS", "SLURM_JWT"}
    return {
        name: value for name, value in os.environ.items()
        if name in kept or not name.startswith(("SLURM_", "SLURMD_", "SRUN_CPUS_PER_TASK"))
    }  # fmt: skip
