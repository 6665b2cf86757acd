"""Campaigns on the SLURM cluster of the tests, and somebody who does harm to them meanwhile."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import graphs_for_tests as g
import yaml
from jobflow import Flow, job
from ledgers_for_tests import events
from waiting import PATIENCE, until

from zonemelt.sites.site import Launch, Network, Pool, Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TESTS = Path(__file__).parents[1]
WORKERS = 2
"""Of a block: each costs seconds of processor time to start, and blocks start often here."""


def slurm_site(scheduler: str = "slurm", **pool: Any) -> Site:
    """Two nodes of the cluster with a worker each; values of its one pool on top."""
    values = {
        "partition": "cpu", "nodes_per_block": 2, "max_blocks": 1, "walltime": "00:20:00",
        "drain": "00:00:30", "workers": 1, "exclusive": False, "launch": Launch(program="srun"),
    }  # fmt: skip
    return Site(
        name="testcluster",
        scheduler=scheduler,
        network=Network(address="127.0.0.1"),
        poll_seconds=1,
        command_seconds=60,
        environment={"PYTHONPATH": str(TESTS)},
        pools={"cpu": Pool(**{**values, **pool})},
    )


def site_file(site: Site, folder: Path) -> str:
    """Write a site as people have it; its path."""
    path = folder / f"{site.name}.yaml"
    path.write_text(yaml.safe_dump(site.model_dump(mode="json", exclude_defaults=True)))
    return str(path)


def busy_work(jobs: int, folder: str | Path, seconds: float) -> Flow:
    """Jobs that each note that they ran, and take so long."""
    Path(folder).mkdir(exist_ok=True)
    return Flow([g.note(str(folder), name=str(i), seconds=seconds) for i in range(jobs)])


@job
def wait_for_gate(folder: str, name: str) -> str:
    """Note that it ran, and end once somebody has opened the gate: so that harm meets jobs that run."""
    g.wrote(folder, name)
    until(lambda: Path(folder).with_name("gate").exists())
    return name


def gated_work(jobs: int, folder: str | Path) -> Flow:
    """Jobs that run until the gate beside their folder is opened."""
    Path(folder).mkdir(exist_ok=True)
    return Flow([wait_for_gate(str(folder), str(i)) for i in range(jobs)])


def open_gate(folder: Path) -> None:
    """Let the jobs of :func:`gated_work` end."""
    folder.with_name("gate").touch()


def retries(directory: Path) -> Counter[str]:
    """Why attempts were granted another."""
    return Counter(event["cause"] for event in events(directory, "retry"))


def begun(folder: Path) -> int:
    """How many jobs have begun."""
    return len(list(folder.glob("*"))) if folder.exists() else 0


@contextmanager
def meanwhile(act: Callable[[], None]) -> Iterator[None]:
    """Do something in the background while the block runs; what goes wrong with it is raised at the end."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 (raised where the test sees it)
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield
    thread.join(PATIENCE)
    assert not thread.is_alive(), "what was to happen meanwhile did not"
    if failures:
        raise failures[0]
