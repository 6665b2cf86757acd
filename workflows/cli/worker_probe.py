"""A look from inside a worker: what Python, which accelerators, which node; one short job in each pool."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import Flow, job

from zonemelt.sites.asking import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.sites.site import Pool, Site


@job
def look_around(*, torch: bool, oracle: str = "") -> dict[str, Any]:
    """Say where this worker runs and what it has.

    Args:
        torch: import it too, which takes a while, and count its accelerators.
        oracle: look for its program and files, too.
    """
    import os
    import platform
    import socket
    import sys

    from zonemelt import __version__

    found: dict[str, Any] = {
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "zonemelt": __version__,
        "cores": len(os.sched_getaffinity(0)),
    }
    if torch:
        import torch as library

        found["torch"] = library.__version__
        accelerator = library.accelerator
        found["accelerators"] = accelerator.device_count() if accelerator.is_available() else 0
    if oracle:
        found["oracle"] = oracle_here(oracle).__dict__
    return found


def oracle_here(name: str) -> Check:
    """Whether an oracle with its own settings answers on the machine that this runs on."""
    from zonemelt.tasks.errors import ZonemeltError
    from zonemelt.tasks.label.prepared import found
    from zonemelt.tasks.label.registry import oracle_named

    try:
        oracle = oracle_named(name)
        said = found(oracle.settings())
    except ZonemeltError as error:
        return Check(what=f"oracle {name}", ok=False, found=error.what, remedy=error.remedy)
    return Check(what=f"oracle {name}", ok=True, found=said or oracle.title)


def probe_workers(site: Site, *, seconds: float = 0.0, oracle: str = "") -> Iterator[Check]:
    """Submit a job to each pool and say what it saw.

    Args:
        site: the machine; its blocks are asked for, and paid for.
        seconds: walltime of the job itself; 0 for none.
        oracle: whose program and files workers look for, too.
    """
    from zonemelt.tasks.errors import ZonemeltError
    from zonemelt.workflows.engine.retry import RetryPolicy
    from zonemelt.workflows.engine.run import run_flow

    for name, pool in site.pools.items():
        probe = look_around(torch=True, oracle=oracle)
        probe.update_config({"manager_config": {"pool": name, "walltime": seconds}})
        once = RetryPolicy(infrastructure=1, walltime=0, memory=0, application=0)
        alone = site.model_copy(update={"pools": {name: pool}})
        with tempfile.TemporaryDirectory(prefix="zonemelt-probe-", dir=Path.cwd()) as folder:
            try:
                responses = run_flow(Flow([probe]), site=alone, directory=Path(folder, "probe"), retry=once)
            except ZonemeltError as error:
                yield Check(what=f"worker {name}", ok=False, found=str(error), remedy="see above")
                continue
            if probe.uuid in responses:
                seen = responses[probe.uuid][1].output
                yield _seen(name, pool, seen)
                if "oracle" in seen:
                    looked = seen["oracle"]
                    yield Check(**looked | {"what": f"{looked['what']} in {name}"})
            else:
                yield Check(what=f"worker {name}", ok=False, found=_failure(Path(folder, "probe")))


def _seen(name: str, pool: Pool, found: dict[str, Any]) -> Check:
    wanted = 1 if pool.accelerators.count and not pool.whole_block else pool.accelerators.count
    said = (
        f"{found['host']}: Python {found['python']}, zonemelt {found['zonemelt']}, torch {found['torch']}, "
        f"{found['accelerators']} accelerators, {found['cores']} cores"
    )
    if found["accelerators"] < wanted:
        return Check(
            what=f"worker {name}",
            ok=False,
            found=f"{said}; {wanted} accelerators were expected",
            remedy="install the torch that fits them, and check accelerators.request",
        )
    return Check(what=f"worker {name}", ok=True, found=said)


def _failure(place: Path) -> str:
    from zonemelt.workflows.engine.inspect import summarise

    failures = summarise(place, failures=1).failures
    return failures[0].reason if failures else "the job did not come back"
