"""Look at the machine this runs on: is it the one that a site describes, and is everything there?"""

from __future__ import annotations

import getpass
import os
import platform
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from zonemelt.sites.asking import Check, absent, ask
from zonemelt.sites.blocks import own_job
from zonemelt.sites.payers import accounts
from zonemelt.sites.queues import pool_queue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.sites.site import Site

COMMANDS: dict[str, tuple[str, ...]] = {
    "local": (),
    "slurm": ("sbatch", "squeue", "sinfo", "scancel", "sacct", "srun"),
    "pbspro": ("qsub", "qstat", "qdel"),
    "pjm": ("pjsub", "pjstat", "pjdel"),
}


def on_machine(site: Site) -> Iterator[Check]:
    """Look at everything that can be seen from here; a first cross explains the later ones."""
    missing = absent(COMMANDS[site.scheduler])
    yield commands(site, missing)
    if COMMANDS[site.scheduler] and len(missing) == len(COMMANDS[site.scheduler]):
        yield python(site, here=False)
        return
    if site.scheduler != "local":
        answering = queue(site)
        yield answering
        if answering.ok:  # a scheduler that is silent would keep the person waiting at every question
            if site.scheduler == "slurm":
                yield accounting(site)
            for name in site.pools:
                yield pool_queue(site, name)
            yield from accounts(site)
    yield interface(site)
    yield scratch(site)
    yield python(site, here=True)


def commands(site: Site, missing: list[str]) -> Check:
    """Whether the scheduler's commands are here."""
    wanted = COMMANDS[site.scheduler]
    if not wanted:
        return Check(what="scheduler", ok=True, found="none: workers are processes of this machine")
    if len(missing) == len(wanted):
        found = f"no {wanted[0]} here: this is not {site.name}, and what is there cannot be looked at"
        return Check(what="scheduler", ok=None, found=found)
    if missing:
        remedy = "load the module that brings them, or ask the machine's support"
        return Check(what="scheduler", ok=False, found=f"not in PATH: {', '.join(missing)}", remedy=remedy)
    return Check(what="scheduler", ok=True, found=f"{', '.join(wanted)} are in PATH")


def queue(site: Site) -> Check:
    """Whether the scheduler answers."""
    user = getpass.getuser()
    words = {"slurm": ("squeue", "-h", "-u", user), "pbspro": ("qstat", "-u", user), "pjm": ("pjstat",)}
    answer = ask(*words[site.scheduler], seconds=site.command_seconds)
    if answer.ok:
        return Check(what="queue", ok=True, found=f"`{' '.join(words[site.scheduler])}` answers")
    remedy = "try the command by hand; a slow one may have more time: --set command_seconds=300"
    return Check(what="queue", ok=False, found=answer.trouble, remedy=remedy)


def accounting(site: Site) -> Check:
    """Whether SLURM's database answers; states of jobs come from squeue where it does not."""
    answer = ask("sacct", "-X", "-n", "-S", "now-1hours", seconds=site.command_seconds)
    found = "`sacct` answers" if answer.ok else f"{answer.trouble} (states are read from squeue)"
    return Check(what="accounting", ok=True if answer.ok else None, found=found)


def interface(site: Site) -> Check:
    """Whether the network interface exists by which workers reach the head."""
    name = site.network.interface
    if site.network.address or name is None:
        found = site.network.address or "none named: the address of this machine's host name"
        return Check(what="interface", ok=None, found=found)
    if site.head == "in_job" and not own_job(site.scheduler):
        return Check(what="interface", ok=None, found=f"{name}: it is looked up inside the allocation")
    import psutil

    here = {
        other: [entry.address for entry in entries if entry.family == socket.AF_INET]
        for other, entries in psutil.net_if_addrs().items()
    }
    if here.get(name):
        return Check(what="interface", ok=True, found=f"{name} is {here[name][0]}")
    usable = ", ".join(sorted(other for other, addresses in here.items() if addresses))
    remedy = f"with an IPv4 address there are: {usable}; --set network.interface=NAME"
    return Check(what="interface", ok=False, found=f"there is no '{name}' here", remedy=remedy)


def scratch(site: Site) -> Check:
    """Whether the place where campaigns belong is there, and may be written to."""
    named = site.storage.scratch
    if named is None:
        return Check(what="scratch", ok=None, found="none named")
    place = os.path.expandvars(named)
    remedy = "--set storage.scratch=DIRECTORY"
    if "$" in place or "{" in place:
        return Check(what="scratch", ok=False, found=f"{place} names what is not set", remedy=remedy)
    if not Path(place).is_dir():
        return Check(what="scratch", ok=False, found=f"there is no directory {place}", remedy=remedy)
    if not os.access(place, os.W_OK | os.X_OK):
        return Check(what="scratch", ok=False, found=f"{place} cannot be written", remedy=remedy)
    return Check(what="scratch", ok=True, found=place)


def python(site: Site, *, here: bool) -> Check:
    """The Python that runs this, and zonemelt in it; workers of another architecture need their own."""
    from zonemelt import __version__

    found = f"{platform.python_version()}, zonemelt {__version__}, {sys.executable}"
    machine = platform.machine()
    if here and site.architecture and machine != site.architecture:
        found += f"; this is {machine}, compute nodes are {site.architecture}"
        remedy = "install zonemelt a second time on a compute node, or run the head there"
        return Check(what="python", ok=None, found=found, remedy=remedy)
    return Check(what="python", ok=True if here else None, found=found)
