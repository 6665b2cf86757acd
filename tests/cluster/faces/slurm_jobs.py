"""What the faces ask of SLURM: submit a script, look at a job, cancel one."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL
    )


def sbatch(options: list[str], script: str, preamble: str) -> tuple[str | None, str]:
    """Submit a script behind some lines of our own: the job's id, or None and what SLURM says."""
    text = f"#!/bin/bash\n{preamble}\nexec bash {shlex.quote(str(Path(script).resolve()))}\n"
    done = subprocess.run(
        ["sbatch", "--parsable", "--no-requeue", *options], input=text, capture_output=True,
        text=True, check=False, timeout=60,
    )  # fmt: skip
    return (done.stdout.strip().split(";")[0], "") if done.returncode == 0 else (None, done.stderr.strip())


def job(number: str) -> dict[str, str]:
    """What the controller knows of a job; empty: nothing."""
    done = run("scontrol", "--oneliner", "show", "job", number) if number.isdigit() else None
    if done is None or done.returncode:
        return {}
    return dict(word.split("=", 1) for word in done.stdout.split() if "=" in word)


def numbers(*states: str) -> list[str]:
    """The user's jobs in some states."""
    shown = run(
        "squeue", "--noheader", f"--user={os.geteuid()}", f"--states={','.join(states)}", "--format=%A"
    )
    return shown.stdout.split()


def scancel(number: str) -> bool:
    return bool(job(number)) and run("scancel", number).returncode == 0


def srun(per_node: int, nodes: int, command: list[str], *options: str) -> int:
    """Start processes on the nodes of the job that this is in, in our place."""
    words = [
        "srun", f"--nodes={nodes}", f"--ntasks={nodes * per_node}", f"--ntasks-per-node={per_node}",
        "--mpi=none", "--no-kill", "--kill-on-bad-exit=0", "--wait=0", *options, *command,
    ]  # fmt: skip
    sys.stdout.flush()
    os.execvp(words[0], words)
