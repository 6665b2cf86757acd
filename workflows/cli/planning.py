"""Everything that `zonemelt plan` knows before it prints: nothing is written, nothing is submitted."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zonemelt.sites.site import Pool, Site
from zonemelt.tasks.errors import InputError
from zonemelt.workflows.cli.assumed import about_machine, about_times, learned, read_waits
from zonemelt.workflows.cli.plans import campaign_settings, complete_site, read_plan
from zonemelt.workflows.engine.dispatch import Limits
from zonemelt.workflows.simulate.collapse import as_mermaid, collapse
from zonemelt.workflows.simulate.feasible import check_graph, warnings
from zonemelt.workflows.simulate.forecast import forecast
from zonemelt.workflows.simulate.graph import graph_of
from zonemelt.workflows.simulate.machine import machine_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonemelt.workflows.cli.plans import Plan
    from zonemelt.workflows.simulate.collapse import Picture
    from zonemelt.workflows.simulate.forecast import Forecast
    from zonemelt.workflows.simulate.graph import Graph

_SEEDS = 5
_FEW = 200_000  # jobs above which one simulation must do


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A campaign as it would run.

    Attributes:
        name: of the campaign.
        site: where it would run.
        graph: its jobs, as far as they are known.
        picture: the same, to be looked at.
        forecast: what it would take.
        dynamic: kinds whose jobs may bring others that nobody knows yet → what is known of them.
        assumptions: everything the numbers rest on, in sentences.
        warnings: what would work, but badly.
        scripts: pool → the batch script of its blocks, where it will have any.
    """

    name: str
    site: Site
    graph: Graph
    picture: Picture
    forecast: Forecast
    dynamic: dict[str, str]
    assumptions: list[str]
    warnings: list[str]
    scripts: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        typical = self.forecast.typical
        return {
            "campaign": self.name,
            "site": self.site.name,
            "graph": {
                "jobs": len(self.graph),
                "longest_chain": self.picture.longest,
                "groups": [asdict(group) for group in self.picture.groups],
                "links": [[*pair, count] for pair, count in sorted(self.picture.links.items())],
            },
            "dynamic": self.dynamic,
            "makespan_seconds": {**asdict(self.forecast.makespan), "seeds": len(self.forecast.outcomes)},
            "node_hours": {pool: asdict(hours) for pool, hours in self.forecast.node_hours.items()},
            "typical": typical.as_dict(),
            "assumptions": self.assumptions,
            "warnings": self.warnings,
            "mermaid": as_mermaid(self.picture),
            "scripts": self.scripts,
        }


def planned(
    campaign: str,
    *,
    site: str,
    oracle: str,
    settings: Sequence[str],
    durations: str,
    waits: Sequence[str],
    seed: int,
) -> Planned:
    """Plan a campaign.

    Args:
        campaign: as for `run`.
        site: a site's name or file; empty for the campaign's own.
        oracle: what labels structures; empty for the campaign's own.
        settings: ``KEY=VALUE``, of the site or of the campaign.
        durations: a file, the directory of a campaign that ran, or empty.
        waits: ``TIME`` or ``POOL=TIME`` in the batch queue.
        seed: the first of the seeds.

    Raises:
        InputError: it cannot be used, or the site cannot run it.
    """
    from zonemelt.sites.scripts import batch_scripts

    options = {"site": site, "oracle": oracle}
    given = {**campaign_settings(settings), **{key: value for key, value in options.items() if value}}
    plan = read_plan(campaign, given)
    where = _site(plan)
    graph = _graph(plan)
    check_graph(graph, where)
    known = learned(durations, graph, local=where.scheduler == "local")
    times, graph = known.times, known.graph
    check_graph(graph, where)
    queue = read_waits(waits, where)
    machine = machine_of(where, waits=queue, start=known.start)
    certain = all(times.of(kind).certain for kind in graph.kinds) and all(a.certain for a in queue.values())
    seeds = 1 if certain or len(graph) > _FEW else _SEEDS
    limits = Limits(
        in_flight=plan.options.get("max_jobs_in_flight"), node_hours=plan.options.get("budget_node_hours")
    )
    found = forecast(
        graph, machine, times, seeds=range(seed, seed + seeds), retry=plan.options.get("retry"), limits=limits
    )
    used = [name for name in where.pools if any(one.pools[name].blocks for one in found.outcomes)]
    return Planned(
        name=plan.name,
        site=where,
        graph=graph,
        picture=collapse(graph, next(iter(where.pools))),
        forecast=found,
        dynamic=known.dynamic,
        assumptions=[
            *about_times(times, graph),
            *about_machine(where, queue, used, known.start),
            *(
                ["results of earlier campaigns are not counted on: every job runs"]
                if plan.options.get("reuse")
                else []
            ),
        ],
        warnings=list(warnings(graph, where, times)),
        scripts={pool: script for pool, script in batch_scripts(where).items() if pool in used},
    )


def _site(plan: Plan) -> Site:
    if plan.site == "inline":
        return Site(name="inline", scheduler="local", pools={"cpu": Pool(workers=1)})
    return complete_site(plan.site, plan.site_options)


def _graph(plan: Plan) -> Graph:
    """The graph, checked as `run` checks it, without leaving anything behind."""
    from zonemelt.workflows.engine.campaign import checked_rows

    flow = plan.build()
    with tempfile.TemporaryDirectory() as place:
        try:
            return graph_of(checked_rows(flow, Path(place), external=False))
        except ValueError as error:  # jobflow's own words
            raise InputError(str(error), where=plan.name, remedy="see what the graph refers to") from None
