"""Whether those who shall pay for blocks exist, where a machine can be asked."""

from __future__ import annotations

import getpass
import grp
import os
from typing import TYPE_CHECKING

from zonemelt.sites.asking import Check, ask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.sites.site import Pool, Site


def accounts(site: Site) -> Iterator[Check]:
    """Whether those who shall pay exist, where it can be asked."""
    payers = {(pool.account, pool.qos): (name, pool) for name, pool in site.pools.items()}
    for (account, qos), (name, pool) in payers.items():
        payer = account or pool.project
        if payer is None and qos is None:
            found = (
                "; ".join(f"{k} is not given" for k in ("account", "project") if k in site.requires)
                or "none named: your default one"
            )
            yield Check(what="account", ok=None, found=found)
        elif site.scheduler == "slurm":
            yield _slurm_account(site, name, pool)
        elif site.scheduler == "pjm":
            yield _group(str(payer))
        else:
            yield Check(what="account", ok=None, found=f"{payer}: PBS says only at submission if it will do")


def _slurm_account(site: Site, name: str, pool: Pool) -> Check:
    user = getpass.getuser()
    words = ("sacctmgr", "-n", "-P", "show", "associations", f"user={user}", "format=Account,QOS")
    answer = ask(*words, seconds=site.command_seconds)
    rows = [line.split("|") for line in answer.out.splitlines() if line.count("|") == 1]
    if not answer.ok or not rows:
        found = answer.trouble or f"the database knows no account of {user}"
        return Check(what="account", ok=None, found=f"{pool.account or 'default'}: cannot be asked: {found}")
    known = sorted({row[0] for row in rows})
    mine = [row for row in rows if pool.account is None or row[0].casefold() == pool.account.casefold()]
    if not mine:
        remedy = f"yours are: {', '.join(known)}; --set account=NAME"
        return Check(what="account", ok=False, found=f"'{pool.account}' is none of {user}", remedy=remedy)
    allowed = {qos for row in mine for qos in row[1].split(",") if qos}
    if pool.qos and allowed and pool.qos not in allowed:
        remedy = f"yours are: {', '.join(sorted(allowed))}; --set pools.{name}.qos=NAME"
        found = f"'{pool.qos}' is no quality of service of {pool.account or user}"
        return Check(what="account", ok=False, found=found, remedy=remedy)
    return Check(what="account", ok=True, found=f"{pool.account or 'default'} is one of {user}")


def _group(payer: str) -> Check:
    groups = sorted({_group_name(number) for number in (*os.getgroups(), os.getgid())})
    if payer in groups:
        return Check(what="account", ok=True, found=f"{payer} is one of your groups")
    remedy = f"yours are: {', '.join(groups)}; --set account=GROUP"
    return Check(what="account", ok=False, found=f"'{payer}' is none of your groups", remedy=remedy)


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
