"""What starts one manager on each node of a block, for every way of starting processes that sites have."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from parsl.launchers import SimpleLauncher
from parsl.launchers.base import Launcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from zonemelt.sites.site import Launch


class NodeLauncher(Launcher):
    """Starts a command once on each node of a block.

    A manager that ends does not end those on other nodes: its exit status is printed, not handed on.

    Args:
        program: ``srun``, ``mpiexec``, ``mpirun``, ``pbsdsh`` or ``pjm``.
        options: further options of the program; they win over ours.
    """

    def __init__(self, program: str, options: str = "") -> None:
        super().__init__(debug=False)
        self.program = program
        self.options = options

    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int, script_dir: str = "") -> str:
        """The shell text that starts a command on every node."""
        if tasks_per_node != 1:
            raise ValueError(f"one manager a node, not {tasks_per_node}")
        return _TEXTS[self.program](command, nodes_per_block, self.options, script_dir)


class OneManager(Launcher):
    """Starts a command on the first node of a block, however many it has."""

    def __init__(self) -> None:
        super().__init__(debug=False)

    def __call__(self, command: str, tasks_per_node: int, nodes_per_block: int, script_dir: str = "") -> str:  # noqa: ARG002
        """The command itself."""
        return command


def make_launcher(launch: Launch, scheduler: str) -> Launcher:
    """The launcher that a pool's ``launch`` describes.

    Raises:
        ValueError: its program does not belong to the scheduler.
    """
    if launch.program == "simple":
        return SimpleLauncher()
    home = {"srun": "slurm", "pbsdsh": "pbspro", "pjm": "pjm"}.get(launch.program, scheduler)
    if home != scheduler:
        raise ValueError(
            f"launch.program: {launch.program} belongs to {home}, and this machine's scheduler is {scheduler}"
            "\n  → mpiexec and mpirun work with several schedulers"
        )
    return NodeLauncher(launch.program, launch.options)


def _kept(command: str) -> str:
    """A command as one word of a shell, which ends well whatever becomes of the command."""
    told = 'echo "the manager on $HOSTNAME ended with exit status $?" >&2'
    return f"bash -c {shlex.quote(f'( {command} ) || {told}')}"


def _line(*words: str) -> str:
    return " ".join(word for word in words if word)


def _default(options: str, ours: str) -> str:
    """An option of ours, unless the site's own options have it."""
    name = re.split("[= ]", ours)[0].lstrip("-")
    given = {re.split("=", word)[0].lstrip("-") for word in options.split()}
    return "" if name in given else ours


def _srun(command: str, nodes: int, options: str, _: str) -> str:
    # Since 22.05 srun does not take over --cpus-per-task: a manager would be confined to one core.
    cores = 'export SRUN_CPUS_PER_TASK="${SRUN_CPUS_PER_TASK:-${SLURM_CPUS_PER_TASK:-$SLURM_CPUS_ON_NODE}}"\n'
    return cores + _line(
        "srun", f"--nodes={nodes}", f"--ntasks={nodes}", _default(options, "--ntasks-per-node=1"),
        # a block goes on without the nodes it loses
        "--no-kill", "--kill-on-bad-exit=0", "--wait=0", "--label",
        # workers start MPI programs of their own, which must not take themselves for ranks of this step
        _default(options, "--mpi=none"), options, _kept(command),
    )  # fmt: skip


def _mpiexec(command: str, nodes: int, options: str, script_dir: str) -> str:
    """MPICH, Intel MPI and PALS."""
    hosts = (
        'hosts=()\n[ -z "${PBS_NODEFILE:-}" ] || { sort -u "$PBS_NODEFILE" > '
        f'{shlex.quote(script_dir or ".")}/"hosts.$PBS_JOBID" && '
        f'hosts=(--hostfile {shlex.quote(script_dir or ".")}/"hosts.$PBS_JOBID"); }}\n'
    )
    return hosts + _line(
        "mpiexec", f"-n {nodes}", _default(options, "--ppn 1"), '"${hosts[@]}"', options, _kept(command)
    )


def _mpirun(command: str, nodes: int, options: str, _: str) -> str:
    """Open MPI."""
    return _line(
        "mpirun", f"-np {nodes}", _default(options, "--map-by ppr:1:node"),
        _default(options, "--bind-to none"), options, _kept(command),
    )  # fmt: skip


def _pbsdsh(command: str, _nodes: int, options: str, script_dir: str) -> str:
    """One process a chunk, with an empty environment: ours is read from a file."""
    saved = f'{shlex.quote(script_dir or ".")}/"environment.$PBS_JOBID"'
    load = f'. "$0" && cd {shlex.quote(script_dir or ".")} && {_kept(command)}'
    return f"( umask 077; export -p > {saved} )\n" + _line(
        "pbsdsh", options, "-- /bin/bash -c", shlex.quote(load), saved
    )


def _pjm(command: str, nodes: int, options: str, script_dir: str) -> str:
    """Fujitsu's mpiexec: how many ranks a node has is settled when the job is submitted."""
    place = f'{shlex.quote(script_dir or ".")}/"manager.$PJM_JOBID"'
    files = "" if "-proc" in options else f"-stdout-proc {place}.out -stderr-proc {place}.err"
    return _line("mpiexec", f"-n {nodes}", files, options, _kept(command))


_TEXTS: dict[str, Callable[[str, int, str, str], str]] = {
    "srun": _srun,
    "mpiexec": _mpiexec,
    "mpirun": _mpirun,
    "pbsdsh": _pbsdsh,
    "pjm": _pjm,
}
