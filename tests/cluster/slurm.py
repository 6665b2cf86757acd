"""A real SLURM cluster on one host, without systemd and on the loopback interface only.

Two nodes in partition ``cpu`` (cn1, cn2) and two with four make-believe GPUs each in ``gpu`` (gn1, gn2).
Every node is a namespace of its own (host name, mounts, processes), so that it can lose its power: everything
on it dies at once. ``python tests/cluster/slurm.py`` gives a shell in such a cluster.
"""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

if __name__ == "__main__":  # started as a script: tests find each other through pytest's settings
    sys.path.insert(0, str(Path(__file__).parents[1]))

from cluster.accounting import PROGRAMS as ACCOUNTING_PROGRAMS
from cluster.accounting import start_accounting, stop_accounting
from cluster.daemons import Daemons, missing_programs, path_with_sbin
from cluster.slurm_files import NODES, write_files
from waiting import until

_PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "sbatch", "unshare", "mount", "hostname")
_NAMESPACE = ("unshare", "--uts", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child=KILL")
_LONGEST_SOCKET = 100  # the kernel takes 107 characters


@functools.cache
def why_not(*, accounting: bool = False) -> str | None:
    """Why the cluster cannot run here; None: it can."""
    if os.geteuid() != 0:
        return "a SLURM cluster needs root: slurmd starts jobs as the user who submitted them"
    if missing := missing_programs(*_PROGRAMS, *(ACCOUNTING_PROGRAMS if accounting else ())):
        return f"no {', '.join(missing)} here: `make cluster` installs what the SLURM cluster needs"
    tried = subprocess.run([*_NAMESPACE, "true"], capture_output=True, text=True, check=False, timeout=30)
    if tried.returncode:
        return f"namespaces are not allowed here: {tried.stderr.strip()}"
    if not _resolves():
        return "only 127.0.0.1 is up: slurmctld would hang; `ip addr add 127.0.0.2/8 dev lo` cures it"
    return None


def _resolves() -> bool:
    """Whether an address besides 127.0.0.1 is up: the C library counts that one as no network."""
    ip = shutil.which("ip", path=path_with_sbin())
    if ip is None:
        return True
    shown = subprocess.run([ip, "-4", "-o", "addr"], capture_output=True, text=True, check=False, timeout=30)
    return any(" 127.0.0.1/" not in line for line in shown.stdout.splitlines())


class CommandError(subprocess.SubprocessError):
    """A command of the cluster fails; says what it says."""


class Cluster:
    """A SLURM cluster under a directory.

    Whatever happens to the process that started it, the cluster ends with it.

    Args:
        directory: for configuration, state and logs; its path must be short.
        accounting: with a database, so that ``sacct`` answers.
        min_job_age: seconds until the controller forgets a job that has ended.
    """

    def __init__(self, directory: Path, *, accounting: bool = False, min_job_age: int = 300) -> None:
        self.directory = directory.resolve()
        self.accounting = accounting
        self.min_job_age = min_job_age
        if len(str(self.directory / "run" / "db.socket")) > _LONGEST_SOCKET:
            raise ValueError(f"{directory} is too long a path for sockets: use one directly below /tmp")
        self.daemons = Daemons(self.directory)

    @property
    def environment(self) -> dict[str, str]:
        """What programs need in their environment to talk to this cluster."""
        return {"PATH": path_with_sbin(), "SLURM_CONF": str(self.directory / "etc" / "slurm.conf")}

    def start(self) -> None:
        """Start what is not running; return when every node is idle.

        Raises:
            TimeoutError: something does not come up; with the end of its log.
        """
        if reason := why_not(accounting=self.accounting):
            raise OSError(reason)
        self.directory.chmod(0o755)
        write_files(self.directory, accounting=self.accounting, min_job_age=self.min_job_age)
        self._start_munge()
        if self.accounting:
            start_accounting(self.directory, self.daemons, self._whole_environment())
        self.start_controller()
        for node in NODES:
            self._start_node(node)
        for node in NODES:
            self._wait_for(node)

    def stop(self, *, wipe: bool = True) -> None:
        """End every process of the cluster, jobs included; with ``wipe`` the directory goes too."""
        for node in NODES:
            self.daemons.stop(node, signal.SIGKILL)
        self.daemons.stop("slurmctld")
        if self.accounting:
            stop_accounting(self.daemons)
        self.daemons.close()
        if wipe:
            shutil.rmtree(self.directory)

    def run(self, *command: str, check: bool = True, seconds: float = 60) -> str:
        """What a command prints that talks to the cluster, e.g. ``run("squeue", "--noheader")``.

        Raises:
            CommandError: it fails; with what it says.
        """
        done = subprocess.run(
            command, env=self._whole_environment(), capture_output=True, text=True, timeout=seconds,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        if check and done.returncode:
            raise CommandError(f"{' '.join(command)} → {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def states(self) -> dict[str, str]:
        """Every node's state as ``sinfo`` names it: idle, alloc, mix, down*, drain, …"""
        lines = self.run("sinfo", "--noheader", "--Node", "--format=%N %t").splitlines()
        return {name: state for name, _, state in (line.partition(" ") for line in lines)}

    def job(self, job_id: str | int) -> dict[str, str]:
        """What the controller knows of a job; empty when it has forgotten it."""
        shown = self.run("scontrol", "--oneliner", "show", "job", str(job_id), check=False)
        return dict(word.split("=", 1) for word in shown.split() if "=" in word)

    def lose_power(self, node: str) -> None:
        """Cut a node's power: all its processes are gone at once; SLURM notices later."""
        self.daemons.stop(node, signal.SIGKILL)

    def boot(self, node: str) -> None:
        """Bring a node back; return when SLURM gives it jobs again."""
        self._start_node(node)
        self._wait_for(node)

    def set_state(self, node: str, state: str) -> None:
        """What an administrator does to a node: ``down``, ``drain``, ``resume``."""
        self.run("scontrol", "update", f"nodename={node}", f"state={state}", "reason=test")

    def lose_controller(self) -> None:
        """Stop slurmctld: jobs go on, but no command is answered."""
        self.daemons.stop("slurmctld")

    def start_controller(self) -> None:
        """Start slurmctld, which knows what it knew before; return when the nodes that are up have called."""
        conf = self.environment["SLURM_CONF"]
        self.daemons.start("slurmctld", "slurmctld", "-D", "-f", conf, environment=self._whole_environment())
        self._until(lambda: "is UP" in self.run("scontrol", "ping", seconds=10), "slurmctld")
        for node in filter(self.daemons.running, NODES):
            self._wait_for(node)

    def _start_munge(self) -> None:
        place = self.directory / "munge"
        self.daemons.start(
            "munged", "munged", "--foreground", f"--socket={place}/socket", f"--key-file={place}/key",
            f"--pid-file={place}/own", f"--log-file={place}/log", f"--seed-file={place}/seed",
            "--num-threads=2", environment=self._whole_environment(),
        )  # fmt: skip
        self._until(lambda: self.run("munge", "-n", "-S", f"{place}/socket", check=False), "munged")

    def _start_node(self, node: str) -> None:
        script = self.directory / "etc" / "node"
        environment = self._whole_environment()
        self.daemons.start(node, *_NAMESPACE, "bash", script, node, self.directory, environment=environment)

    def _wait_for(self, node: str) -> None:
        def ready() -> bool:
            state = self.states().get(node, "unknown")
            if state.startswith(("down", "drain", "drng", "fail")) and not state.endswith("*"):
                self.run("scontrol", "update", f"nodename={node}", "state=resume", check=False)
            return state in ("idle", "alloc", "mix")  # a star behind it means: does not answer

        self._until(ready, node)

    def _until(self, condition: Callable[[], object], name: str) -> None:
        until(condition, f"{name} answers", said=lambda: self.daemons.last_words(name))

    def _whole_environment(self) -> dict[str, str]:
        return {**os.environ, **self.environment}


def main() -> int:
    """Run a command, by default a shell, in a cluster that ends with it."""
    words = argparse.ArgumentParser(
        description="A SLURM cluster on this host, for as long as a command runs."
    )
    words.add_argument("--accounting", action="store_true", help="with a database, so that sacct answers")
    words.add_argument("command", nargs=argparse.REMAINDER, help="default: a shell")
    asked = words.parse_args()
    if reason := why_not(accounting=asked.accounting):
        print(reason)
        return 1
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="slurm-")), accounting=asked.accounting)
    try:
        cluster.start()
        command = asked.command or [os.environ.get("SHELL", "bash")]
        return subprocess.run(command, env={**os.environ, **cluster.environment}, check=False).returncode
    finally:
        cluster.stop()


if __name__ == "__main__":
    raise SystemExit(main())
