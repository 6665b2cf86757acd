"""What is looked at before a site is used: what its description says, then the machine itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from zonemelt.sites.asking import Check
from zonemelt.sites.evidence import Value
from zonemelt.sites.load import missing_values
from zonemelt.sites.probe import on_machine
from zonemelt.sites.site import Confidence, Site

# Looks at one side of a site, given its values with their sources.
Producer = Callable[[Site, list[Value]], Iterator[Check]]

_FEW = 4  # names of values said before 'and so many more'


def on_paper(site: Site, values: list[Value]) -> Iterator[Check]:
    """What can be said without the machine: it is in service, complete, and how much of it is certain."""
    if site.retired:
        remedy = "choose another machine: `zonemelt sites` lists them"
        yield Check(what="retired", ok=False, found=site.retired, remedy=remedy)
    missing = missing_values(site)
    for key, what in missing.items():
        yield Check(
            what="complete", ok=False, found=f"{key} is not given", remedy=f"--set {key}=VALUE: {what}"
        )
    if not missing:
        yield Check(what="complete", ok=True, found="everything is given that only you know")
    yield Check(what="consistent", ok=True, found=f"its values fit each other: {workers_of(site)}")
    unsure = [value.path for value in values if value.confidence is Confidence.UNVERIFIED]
    if unsure:
        more = f" and {len(unsure) - _FEW} more" if len(unsure) > _FEW else ""
        found = f"unverified defaults, {len(unsure)} of them: {', '.join(unsure[:_FEW])}{more}"
        yield Check(what="certain", ok=None, found=f"{found} (`zonemelt sites show {site.name}`)")


def workers_of(site: Site) -> str:
    """How many workers each pool has, in words."""
    return ", ".join(
        f"{name} with {pool.capacity} worker{'s' if pool.capacity > 1 else ''}"
        for name, pool in site.pools.items()
    )


def from_here(site: Site, values: list[Value]) -> Iterator[Check]:  # noqa: ARG001 (a producer is called so)
    """What can be seen of the machine from the node this runs on."""
    yield from on_machine(site)


# In an order in which a first cross explains the later ones.
PRODUCERS: tuple[Producer, ...] = (on_paper, from_here)


def site_checks(site: Site, values: list[Value], *, probe: bool, oracle: str = "") -> Iterator[Check]:
    """Everything, one after the other; with ``probe`` from inside workers, too, unless it is hopeless."""
    hopeless = False
    for produce in PRODUCERS:
        for check in produce(site, values):
            hopeless = hopeless or check.ok is False
            yield check
    if oracle and not probe:
        yield _oracle_of(site, oracle)
    if not probe:
        return
    if hopeless:
        yield Check(what="workers", ok=None, found="not asked: mend the crosses above first")
        return
    from zonemelt.workflows.cli.worker_probe import probe_workers

    yield from probe_workers(site, oracle=oracle)


def _oracle_of(site: Site, oracle: str) -> Check:
    """An oracle where it can be looked for from here: jobs of a local site see what this process sees."""
    from zonemelt.workflows.cli.worker_probe import oracle_here

    here = oracle_here(oracle)
    if site.scheduler == "local" or here.ok:
        return here
    found = f"not here: {here.found}; what workers find is not known"
    remedy = "add --probe: a short job looks for it where workers run"
    return Check(what=here.what, ok=None, found=f"{found} ({remedy})")
