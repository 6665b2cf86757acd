"""What a machine can never run, said before anything is spent; and what it will run badly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonemelt.sites.clock import clock_seconds
from zonemelt.workflows.engine.pools import offer_of
from zonemelt.workflows.engine.resources import pool_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.sites.site import Site
    from zonemelt.workflows.simulate.graph import Graph
    from zonemelt.workflows.simulate.times import Times


def check_graph(graph: Graph, site: Site) -> None:
    """Refuse jobs that no block of the site can run.

    Raises:
        InputError: the job, what it asks for, what there is.
    """
    offers = {name: offer_of(site, pool) for name, pool in site.pools.items()}
    for number, (resources, beside_head) in enumerate(graph.requests):
        if beside_head:
            continue
        job = graph.request.index(number)
        where = f"job '{graph.names[job]}'" if graph.names else f"job {job}"
        pool_for(resources, offers, where=f"{where} manager_config")


def warnings(graph: Graph, site: Site, times: Times) -> Iterator[str]:
    """What will work, but badly."""
    if site.retired:
        yield f"{site.name} is retired: {site.retired}"
    if site.scheduler == "local":
        return
    most = sum(pool.max_blocks for pool in site.pools.values())
    allowed = site.limits.jobs_in_queue
    if allowed is not None and most > allowed:
        yield f"{most} blocks may be asked for, {site.name} lets {allowed} into its queue: lower max_blocks"
    default = next(iter(site.pools))
    longest: dict[str, tuple[float, str]] = {}
    for kind, request in set(zip(graph.kind, graph.request, strict=True)):
        resources, beside_head = graph.requests[request]
        if beside_head:
            continue
        pool = resources.pool or default
        seconds = max(times.of(graph.kinds[kind]).values)
        longest[pool] = max(longest.get(pool, (0.0, "")), (seconds, graph.kinds[kind]))
    for pool, (most_seconds, name) in sorted(longest.items()):
        drain, walltime = clock_seconds(site.pools[pool].drain), clock_seconds(site.pools[pool].walltime)
        begins = f"jobs of {name} take up to {most_seconds:,.0f} s"
        if most_seconds > walltime - drain:
            yield f"{begins}, longer than a block of '{pool}' has for them: raise its walltime"
        elif most_seconds > drain:
            yield f"{begins}: late in a block of '{pool}' they are cut off and go again: raise its drain"
