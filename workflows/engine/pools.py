"""Where chunks run: Parsl executors, or the head itself."""

from __future__ import annotations

import copy
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from zonemelt.tasks.errors import InputError
from zonemelt.workflows.engine.resources import Offer
from zonemelt.workflows.engine.worker import run_jobs

if TYPE_CHECKING:
    import queue
    from collections.abc import Mapping

    from parsl import Config

    from zonemelt.sites.site import Pool, Site
    from zonemelt.workflows.engine.results import Chunk, Result

    Arrived = queue.SimpleQueue[tuple[Chunk, list[Result] | BaseException]]


class Workers(Protocol):
    """What the head asks of the machine it runs on."""

    pools: Mapping[str, Offer | None]  # what a block of each gives a job, if known; the default first
    token: str

    def capacity(self, pool: str) -> int:
        """How many jobs the pool runs at once when it is whole."""

    def submit(self, pool: str, chunk: Chunk, arrived: Arrived) -> None:
        """Send a chunk out; what becomes of it is put into ``arrived``."""

    def ailing(self) -> str | None:
        """What is wrong with the machinery, in words; None while it works."""

    def restart(self) -> None:
        """Make the machinery anew; whatever was on its way is lost."""

    def nodes_in_use(self) -> int:
        """How many nodes are allocated now."""

    def blocks(self) -> dict[str, list[str]]:
        """What batch jobs there are for each pool, running or waiting."""

    def give_back(self, blocks: dict[str, list[str]]) -> None:
        """End batch jobs that an earlier head left behind."""


class InlineWorkers:
    """Runs jobs in the head process, one after the other: for tests and for debugging a job."""

    pools: Mapping[str, Offer | None] = MappingProxyType({"cpu": None})
    token = ""  # nosec B105 (the mark of processes that belong together; there are none)

    def capacity(self, pool: str) -> int:  # noqa: ARG002
        """One: the head."""
        return 1

    def submit(self, pool: str, chunk: Chunk, arrived: Arrived) -> None:  # noqa: ARG002
        """Run the chunk here and now."""
        try:
            arrived.put((chunk, run_jobs(chunk)))
        except OSError as error:  # a full disk, say
            arrived.put((chunk, error))

    def ailing(self) -> str | None:
        """Nothing can be."""
        return None

    def restart(self) -> None:
        """Nothing to restart."""

    def nodes_in_use(self) -> int:
        """This one."""
        return 1

    def blocks(self) -> dict[str, list[str]]:
        """None."""
        return {}

    def give_back(self, blocks: dict[str, list[str]]) -> None:
        """There are none."""


def offer_of(site: Site, pool: Pool) -> Offer:
    """What a block gives a job: several nodes only where its one worker has them to itself."""
    from zonemelt.sites.parsl import drain_seconds

    seconds = drain_seconds(pool) if site.scheduler != "local" else float("inf")
    nodes = pool.nodes_per_block if pool.whole_block else 1
    return Offer(nodes=nodes, seconds=seconds, whole_block=pool.whole_block)


def make_workers(site: Any, directory: Path) -> tuple[Any, bool]:
    """The workers of a site, and whether they are ours to start and stop.

    Raises:
        InputError: there is no such site.
    """
    from parsl import Config

    from zonemelt.sites.blocks import own_job
    from zonemelt.sites.load import SiteFileError, load_site
    from zonemelt.sites.parsl import parsl_config
    from zonemelt.sites.site import Site
    from zonemelt.workflows.engine.parsl_workers import ParslWorkers

    if site == "inline":
        return InlineWorkers(), False
    if isinstance(site, (str, Path)):
        try:
            site = load_site(site)
        except SiteFileError as error:
            raise InputError(str(error)) from None
    if isinstance(site, Site):
        known = site
        in_job = known.scheduler != "local" and known.head == "in_job"
        if in_job and not own_job(known.scheduler):
            raise InputError(
                f"site '{known.name}' drives campaigns inside their allocation, and this is not in one",
                where="site",
                remedy="`zonemelt submit --as-job`, or --set site_options.head=login where that may be done",
            )

        def configured() -> Config:
            try:
                return parsl_config(known, run_directory=directory / "parsl", in_job=in_job)
            except SiteFileError as error:
                raise InputError(str(error)) from None

        return ParslWorkers(
            configured,
            capacities={name: pool.capacity for name, pool in known.pools.items()},
            pools={name: offer_of(known, pool) for name, pool in known.pools.items()},
        ), True
    if isinstance(site, Config):
        given = site
        pools = dict.fromkeys(executor.label for executor in given.executors)
        return ParslWorkers(lambda: copy.deepcopy(given), pools=pools), True
    return site, False
