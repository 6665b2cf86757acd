"""From what a person names to what the engine runs: a campaign, resolved and written into its directory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from zonemelt.plain_yaml import parse_yaml
from zonemelt.tasks.errors import CampaignError, InputError
from zonemelt.tasks.own_code import look_in
from zonemelt.tasks.whole_files import write_whole
from zonemelt.workflows.cli.places import is_campaign
from zonemelt.workflows.dotted import flat
from zonemelt.workflows.engine.inspect import fact, open_ledger
from zonemelt.workflows.engine.place import make_place
from zonemelt.workflows.engine.schema import FILE_NAME, SPEC_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zonemelt.sites.site import Site
    from zonemelt.workflows.campaigns.base import CampaignSpec


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A campaign, ready to run.

    Attributes:
        name: what it is called.
        spec: its specification.
        document: the same, resolved, as ``campaign.yaml`` holds it.
        site: where it runs.
        site_options: values of that site for this campaign.
        store: where outputs go besides the campaign's own.
        build: makes its graph.
        folder: where modules of a person's own are imported from.
        options: what else ``run_flow`` and ``resume`` are told.
    """

    name: str
    spec: Any
    document: dict[str, Any]
    site: str
    store: Any
    build: Callable[[], Any]
    folder: str = ""
    site_options: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


def read_plan(campaign: str, overrides: dict[str, Any]) -> Plan:
    """Resolve a campaign.

    Args:
        campaign: a file, a name of the catalog, or ``module:function`` that makes a graph.
        overrides: dotted keys → values that win over the file.

    Raises:
        InputError: it cannot be used.
    """
    from zonemelt.workflows.campaigns.spec import build_flow, load_campaign
    from zonemelt.workflows.engine.retry import RetryPolicy

    base = Path(campaign).parent if Path(campaign).is_file() else Path()
    spec = _resolved(load_campaign(campaign, overrides), base)
    if spec.kind != "graph":  # whose folder comes before all others
        look_in(spec.import_from)
    return Plan(
        name=spec.name,
        spec=spec,
        document=spec.model_dump(mode="json"),
        site=spec.site,
        site_options=spec.site_options,
        store=spec.store,
        build=lambda: build_flow(spec),
        folder=spec.import_from,
        options={
            "retry": RetryPolicy(**spec.retry.model_dump()),
            "max_jobs_in_flight": spec.max_jobs_in_flight,
            "budget_node_hours": spec.budget_node_hours,
            "reuse": spec.reuse,
        },
    )


def _resolved(spec: CampaignSpec, base: Path) -> CampaignSpec:
    """The campaign with what the settings say where it says nothing, and with paths that hold everywhere.

    Args:
        spec: as written.
        base: where its file is.
    """
    from zonemelt.workflows.settings import load_settings

    settings = load_settings()
    update: dict[str, Any] = {
        "site": resolved_site(spec.site if "site" in spec.model_fields_set else settings.site),
        "store": spec.store if "store" in spec.model_fields_set else settings.store,
    }
    return spec.model_copy(update=update).with_paths_from(base)


def parse_settings(pairs: Sequence[str]) -> dict[str, Any]:
    """Read ``--set key=value`` options; values are YAML.

    Raises:
        InputError: one has no ``=``, or its value is not YAML.
    """
    found = {}
    for pair in pairs:
        key, sign, text = pair.partition("=")
        try:
            value = parse_yaml(text)
        except yaml.YAMLError:
            sign = ""
        if not sign or not key:
            raise InputError(f"'{pair}' is not KEY=VALUE", where="--set", remedy="e.g. --set rounds=3")
        found[key.strip()] = value
    return found


def campaign_settings(pairs: Sequence[str]) -> dict[str, Any]:
    """Read ``--set key=value`` options of a campaign; the keys of its site go to ``site_options``.

    Raises:
        InputError: see :func:`parse_settings`.
    """
    from zonemelt.sites.site import Pool, Site

    of_site = {*Site.model_fields, *Pool.model_fields} - {"name"}
    return {
        f"site_options.{key}" if key.partition(".")[0] in of_site else key: value
        for key, value in parse_settings(pairs).items()
    }


def new_place(directory: str, plan: Plan) -> Path:
    """The directory of a new campaign, made, its ``campaign.yaml`` written.

    A directory that holds the same campaign, which never came to run, is used again.

    Raises:
        CampaignError: it holds another campaign.
    """
    if directory:
        place = Path(directory)
    else:
        from zonemelt.workflows.settings import load_settings

        stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
        runs = load_settings().runs_directory
        place = runs / f"{plan.name}-{stamp}"
        for number in range(2, 1000):
            if not place.exists():
                break
            place = runs / f"{plan.name}-{stamp}-{number}"
    if is_campaign(place) and not never_submitted(place):
        raise CampaignError(
            "this directory holds a campaign already",
            where=str(place),
            remedy=f"go on with it: `zonemelt resume {place}`; or give another --directory",
        )
    make_place(place)
    write_spec(place, plan)
    return place.resolve()


def write_spec(place: Path, plan: Plan) -> None:
    """Write the resolved campaign into its directory."""
    write_document(place, plan.document)


def write_document(place: Path, document: dict[str, Any]) -> None:
    """Write a resolved campaign into its directory."""
    content = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    text = f"# The campaign as it was resolved when it started.\n{content}"
    write_whole(place / SPEC_FILE, text.encode(), private=True)  # a store may name a password


def never_submitted(place: Path) -> bool:
    """Whether a campaign ended before its jobs were in the ledger: it can only start anew."""
    if not (place / FILE_NAME).exists():
        return True
    with open_ledger(place) as connection:
        return fact(connection, "name") is None


def forget_ledger(place: Path) -> None:
    """Remove a ledger that no job came into."""
    for name in (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm", f"{FILE_NAME}-journal"):
        (place / name).unlink(missing_ok=True)


def stored_plan(place: Path, overrides: dict[str, Any]) -> Plan | None:
    """The plan of a campaign directory; None where a program started it, without a ``campaign.yaml``."""
    if not (place / SPEC_FILE).exists():
        return None
    return read_plan(str(place / SPEC_FILE), overrides)


def site_of(plan: Plan) -> Any:
    """Where a campaign runs, as ``run_flow`` takes it.

    Raises:
        InputError: a value of the site is wrong, or missing and known to its user only; or the campaign asks
            for what it has not.
    """
    if plan.site == "inline":
        return plan.site
    site = complete_site(plan.site, plan.site_options)
    pools_of_steps(plan.spec, site)
    return site


def pools_of_steps(spec: Any, site: Site) -> dict[str, str]:
    """The pool of each step whose ``resources`` a campaign names.

    Raises:
        InputError: the site has no such pool, or no block of it can run what is asked for.
    """
    from zonemelt.workflows.engine.pools import offer_of
    from zonemelt.workflows.engine.resources import pool_for, read_resources

    offers = {name: offer_of(site, pool) for name, pool in site.pools.items()}
    return {
        step: pool_for(read_resources(wanted), offers, where=f"resources.{step}")
        for step, wanted in getattr(spec, "resources", {}).items()
    }


def complete_site(name: str, options: dict[str, Any]) -> Site:
    """A site with values of a campaign on top.

    Raises:
        InputError: a value is wrong, or missing and known to its user only.
    """
    from zonemelt.sites.load import SiteFileError, check_complete, load_site

    try:
        site = load_site(name, flat(options))
        check_complete(site, file=name if name.endswith((".yaml", ".yml")) else "")
    except SiteFileError as error:
        raise of_site_file(error, where="site_options" if options else "") from None
    return site


def resolved_site(site: str) -> str:
    """A site that exists; the path of a file whole, so that it is found from everywhere.

    Raises:
        InputError: it does not.
    """
    from zonemelt.sites.load import SiteFileError, load_site

    if site == "inline":
        return site
    try:
        load_site(site)
    except SiteFileError as error:
        raise of_site_file(error) from None
    return str(Path(site).resolve()) if site.endswith((".yaml", ".yml")) else site


def of_site_file(error: Exception, *, where: str = "") -> InputError:
    """The error of a site's file, which knows none of ours, as one of ours."""
    what, _, remedy = str(error).partition("\n  → ")
    return InputError(what, where=where, remedy=remedy or "see docs/sites.md")
