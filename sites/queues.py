"""What a machine's scheduler says about the partition, queue or resource group of a pool."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zonemelt.sites.asking import Finding, ask
from zonemelt.sites.rules import seconds

if TYPE_CHECKING:
    from zonemelt.sites.site import Site

_TIME = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)")


def slurm_seconds(text: str) -> int | None:
    """The seconds of SLURM's ``2-00:00:00``, ``12:00:00`` or ``30:00``; None where there is no limit."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    days, hours, minutes, rest = (int(part or 0) for part in match.groups())
    return 86400 * days + 3600 * hours + 60 * minutes + rest


def pool_queue(site: Site, name: str) -> Finding:
    """Whether the queue of a pool is there and takes its blocks."""
    pool = site.pools[name]
    if pool.partition is None:
        return Finding(what=f"pool {name}", ok=None, found="no partition named: the default one")
    look = {"slurm": _slurm, "pbspro": _pbspro, "pjm": _pjm}[site.scheduler]
    return look(site, name, pool.partition)


def _cross(name: str, found: str, remedy: str) -> Finding:
    return Finding(what=f"pool {name}", ok=False, found=found, remedy=remedy)


def _slurm(site: Site, name: str, partition: str) -> Finding:
    pool = site.pools[name]
    answer = ask("sinfo", "-h", "-p", partition, "-o", "%a|%l|%D", seconds=site.command_seconds)
    if not answer.ok:
        return _cross(name, answer.trouble, "try the command by hand")
    rows = [line.split("|") for line in answer.out.split() if line.count("|") == 2]  # noqa: PLR2004
    if not rows:
        known = ask("sinfo", "-h", "-o", "%R", seconds=site.command_seconds).out.split()
        listed = ", ".join(sorted(set(known))) or "none that you may see"
        return _cross(
            name,
            f"there is no partition '{partition}'",
            f"the partitions are: {listed}; --set pools.{name}.partition=NAME",
        )
    nodes = sum(int(row[2]) for row in rows)
    longest = slurm_seconds(rows[0][1])
    if rows[0][0] != "up":
        return _cross(name, f"{partition} is {rows[0][0]}", f"wait, or --set pools.{name}.partition=NAME")
    if longest is not None and seconds(pool.walltime) > longest:
        return _cross(
            name,
            f"{partition} allows {rows[0][1]}, blocks ask for {pool.walltime}",
            f"--set pools.{name}.walltime=HH:MM:SS",
        )
    if pool.nodes_per_block > nodes:
        return _cross(
            name,
            f"{partition} has {nodes} nodes, blocks ask for {pool.nodes_per_block}",
            f"--set pools.{name}.nodes_per_block=N",
        )
    return Finding(what=f"pool {name}", ok=True, found=f"{partition}: {nodes} nodes, at most {rows[0][1]}")


def _pbspro(site: Site, name: str, queue: str) -> Finding:
    pool = site.pools[name]
    answer = ask("qstat", "-Qf", queue, seconds=site.command_seconds)
    if not answer.ok:
        return _cross(name, answer.trouble, f"`qstat -Q` lists the queues; --set pools.{name}.partition=NAME")
    facts = dict(re.findall(r"^\s*([\w.]+) = (.*)$", answer.out, re.MULTILINE))
    for key in ("enabled", "started"):
        if facts.get(key, "True") != "True":
            return _cross(name, f"{queue} is not {key}", f"wait, or --set pools.{name}.partition=NAME")
    longest = slurm_seconds(facts.get("resources_max.walltime", ""))
    if longest is not None and seconds(pool.walltime) > longest:
        most = facts["resources_max.walltime"]
        return _cross(
            name,
            f"{queue} allows {most}, blocks ask for {pool.walltime}",
            f"--set pools.{name}.walltime=HH:MM:SS",
        )
    return Finding(what=f"pool {name}", ok=True, found=f"{queue} takes jobs")


def _pjm(site: Site, name: str, group: str) -> Finding:
    answer = ask("pjacl", "--rg", group, seconds=site.command_seconds)
    if not answer.ok:
        return _cross(
            name, answer.trouble, f"`pjacl` lists the resource groups; --set pools.{name}.partition=NAME"
        )
    return Finding(what=f"pool {name}", ok=True, found=f"{group} is open to you")
