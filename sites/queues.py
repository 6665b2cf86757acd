"""What a machine's scheduler says about the partition, queue or resource group of a pool."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zonemelt.sites.asking import Check, ask
from zonemelt.sites.clock import clock_seconds

if TYPE_CHECKING:
    from zonemelt.sites.site import Pool, Site

_TIME = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)")


def slurm_seconds(text: str) -> int | None:
    """The seconds of SLURM's ``2-00:00:00``, ``12:00:00`` or ``30:00``; None where there is no limit."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    days, hours, minutes, rest = (int(part or 0) for part in match.groups())
    return 86400 * days + 3600 * hours + 60 * minutes + rest


def pool_queue(site: Site, name: str) -> Check:
    """Whether the queue of a pool is there and takes its blocks."""
    queue = site.pools[name].partition
    if site.scheduler == "slurm":
        return _slurm(site, name, queue)
    if queue is None:
        return Check(what=f"pool {name}", ok=None, found="no queue named: the default one")
    return {"pbspro": _pbspro, "pjm": _pjm}[site.scheduler](site, name, queue)


def _cross(name: str, found: str, remedy: str) -> Check:
    return Check(what=f"pool {name}", ok=False, found=found, remedy=remedy)


def _slurm(site: Site, name: str, wanted: str | None) -> Check:
    answer = ask("sinfo", "-h", "-o", "%P|%a|%l|%D|%c|%G", seconds=site.command_seconds)
    if not answer.ok:
        return _cross(name, answer.trouble, "try the command by hand")
    rows = [line.split("|") for line in answer.out.splitlines() if line.count("|") == 5]  # noqa: PLR2004
    mine = [row for row in rows if (row[0].endswith("*") if wanted is None else row[0].strip("*") == wanted)]
    if mine:
        return _partition(name, site.pools[name], mine)
    listed = ", ".join(sorted({row[0].strip("*") for row in rows})) or "none that you may see"
    found = "there is no default partition" if wanted is None else f"there is no partition '{wanted}'"
    return _cross(name, found, f"the partitions are: {listed}; --set pools.{name}.partition=NAME")


def _partition(name: str, pool: Pool, rows: list[list[str]]) -> Check:
    """What is wrong with a partition for a pool.

    Args:
        name: of the pool.
        pool: the pool.
        rows: sinfo's, one for each kind of node: name, availability, limit, nodes, processors, GRES.
    """
    partition, available, limit = rows[0][0].strip("*"), rows[0][1], rows[0][2]
    nodes = sum(int(row[3]) for row in rows)
    most = max(int(row[4].strip("+")) for row in rows)
    longest = slurm_seconds(limit)
    field = f"--set pools.{name}"
    if available != "up":
        return _cross(name, f"{partition} is {available}", f"wait, or {field}.partition=NAME")
    if longest is not None and clock_seconds(pool.walltime) > longest:
        found = f"{partition} allows {limit}, blocks ask for {pool.walltime}"
        return _cross(name, found, f"{field}.walltime=HH:MM:SS")
    if pool.nodes_per_block > nodes:
        found = f"{partition} has {nodes} nodes, blocks ask for {pool.nodes_per_block}"
        return _cross(name, found, f"{field}.nodes_per_block=N")
    if pool.cores is not None and pool.cores > most and not any("+" in row[4] for row in rows):
        found = f"nodes of {partition} have {most} processors, blocks ask for {pool.cores}"
        return _cross(name, found, f"{field}.cores=N")
    if pool.accelerators.request.startswith(("gres=", "gpus")) and all("gpu" not in row[5] for row in rows):
        found = f"nodes of {partition} have no GPUs, blocks ask for {pool.accelerators.request}"
        return _cross(name, found, f"{field}.partition=NAME")
    return Check(what=f"pool {name}", ok=True, found=f"{partition}: {nodes} nodes, at most {limit}")


def _pbspro(site: Site, name: str, queue: str) -> Check:
    pool = site.pools[name]
    answer = ask("qstat", "-Qf", queue, seconds=site.command_seconds)
    if not answer.ok:
        return _cross(name, answer.trouble, f"`qstat -Q` lists the queues; --set pools.{name}.partition=NAME")
    facts = dict(re.findall(r"^\s*([\w.]+) = (.*)$", answer.out, re.MULTILINE))
    for key in ("enabled", "started"):
        if facts.get(key, "True") != "True":
            return _cross(name, f"{queue} is not {key}", f"wait, or --set pools.{name}.partition=NAME")
    longest = slurm_seconds(facts.get("resources_max.walltime", ""))
    if longest is not None and clock_seconds(pool.walltime) > longest:
        most = facts["resources_max.walltime"]
        return _cross(
            name,
            f"{queue} allows {most}, blocks ask for {pool.walltime}",
            f"--set pools.{name}.walltime=HH:MM:SS",
        )
    return Check(what=f"pool {name}", ok=True, found=f"{queue} takes jobs")


def _pjm(site: Site, name: str, group: str) -> Check:
    answer = ask("pjacl", "--rg", group, seconds=site.command_seconds)
    if not answer.ok:
        return _cross(
            name, answer.trouble, f"`pjacl` lists the resource groups; --set pools.{name}.partition=NAME"
        )
    return Check(what=f"pool {name}", ok=True, found=f"{group} is open to you")
