"""What a campaign needs, looked at one thing after the other: is it there, and if not, what to do."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zonemelt.sites.asking import Check
from zonemelt.tasks.errors import ZonemeltError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zonemelt.workflows.cli.plans import Plan

_LEAST_FREE = 1e9  # bytes


def run_checks(read: Callable[[], Plan] | None, directory: Path, *, site: str = "") -> Iterator[Check]:
    """Look at everything, in an order in which the first cross explains the later ones.

    Args:
        read: resolves the campaign, or raises what is wrong with it; None for no campaign.
        directory: where campaign directories are made.
        site: where it shall run; by default what the campaign or the settings say.
    """
    yield python()
    yield packages()
    plan = None
    if read is not None:
        try:
            plan = read()
        except ZonemeltError as error:
            yield _refused("campaign", error)
        else:
            yield Check(what="campaign", ok=True, found=plan.name)
            yield _tried("graph", lambda: f"{_jobs(plan.build())} jobs to begin with")
    yield _tried("site", lambda: pools(site, plan))
    yield writable(directory)
    yield file_system(directory)
    yield _tried("store", lambda: store(plan, directory))
    from zonemelt.tasks.label.registry import ORACLES

    oracle = getattr(plan.spec, "oracle", None) if plan is not None else None
    if plan is not None and oracle in ORACLES:  # a search may look labels up in its pool
        yield oracle_check(plan)
    yield launcher()


def python() -> Check:
    """The interpreter."""
    found = f"{platform.python_version()}, {sys.executable}"
    return Check(
        what="python", ok=sys.version_info >= (3, 11), found=found, remedy="use Python 3.11 or newer"
    )


def packages() -> Check:
    """Everything that zonemelt requires, in a version that it accepts."""
    from packaging.requirements import Requirement

    wrong = []
    requirements = [Requirement(text) for text in importlib.metadata.requires("zonemelt") or ()]
    needed = [r for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})]
    for requirement in needed:
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} {version} is not {requirement.specifier}")
    found = "; ".join(wrong) or f"{len(needed)}, all in versions that fit"
    return Check(
        what="packages", ok=not wrong, found=found, remedy="`make install`, or install zonemelt anew"
    )


def pools(site: str, plan: Plan | None) -> str:
    """The pools of a site, and what the campaign sends to which; of the settings' one if it is not named.

    Raises:
        ZonemeltError: it cannot be read, lacks what only its user knows, or what the campaign asks for.
    """
    from zonemelt.workflows.cli.plans import complete_site, pools_of_steps, resolved_site
    from zonemelt.workflows.cli.site_checks import workers_of
    from zonemelt.workflows.settings import load_settings

    name = resolved_site(site or (plan.site if plan is not None else load_settings().site))
    if name == "inline":
        return "inline: jobs run in the head, one after the other"
    found = complete_site(name, plan.site_options if plan is not None else {})
    steps = pools_of_steps(plan.spec, found) if plan is not None else {}
    said = "".join(f"; {step} jobs in {pool}" for step, pool in sorted(steps.items()))
    return f"{name}: {workers_of(found)}{said}"


def writable(directory: Path) -> Check:
    """Whether a campaign directory can be made, and has room."""
    place = _existing(directory)
    free = shutil.disk_usage(place).free
    ok = os.access(place, os.W_OK | os.X_OK) and free > _LEAST_FREE
    return Check(
        what="directory",
        ok=ok,
        found=f"{directory}, {free / 1e9:.0f} GB free" if ok else f"{place} cannot be written, or is full",
        remedy="set runs_directory in ~/.zonemelt.yaml, or give --directory",
    )


def file_system(directory: Path) -> Check:
    """The kind of file system, which decides how the ledger is journalled."""
    from zonemelt.tasks.sqlite import file_system as kind_of
    from zonemelt.tasks.sqlite import journal_mode

    place = _existing(directory)
    mode = journal_mode(place)
    said = (
        "readers and the head do not wait for each other"
        if mode == "wal"
        else "shared: safe, a little slower"
    )
    return Check(what="file system", ok=True, found=f"{kind_of(place)}, journal mode {mode} ({said})")


def store(plan: Plan | None, directory: Path) -> str:
    """The store, answering.

    Raises:
        ZonemeltError: it does not.
    """
    from zonemelt.tasks.stores import check_store, open_store
    from zonemelt.workflows.settings import load_settings

    spec = plan.store if plan is not None else load_settings().store
    if spec is None:
        return "in the campaign directory"
    opened = open_store(spec, directory=_existing(directory))
    try:
        check_store(opened)
    finally:
        with contextlib.suppress(Exception):  # some cannot be closed before they were connected
            opened.close()  # type: ignore[no-untyped-call]
    return f"{opened.docs_store.name} answers"


def oracle_check(plan: Plan) -> Check:
    """The oracle; where jobs run on other machines, what is missing here need not be missing there."""
    from zonemelt.tasks.errors import OracleAbsentError

    here = plan.site in {"local", "inline"}
    try:
        return Check(what="oracle", ok=True, found=answer(plan))
    except OracleAbsentError as error:
        if here:
            return _refused("oracle", error)
        ask = f"`zonemelt sites check {plan.site} --oracle {plan.spec.oracle} --probe` asks where workers run"
        return Check(what="oracle", ok=None, found=f"not on this machine: {error.what}; {ask}")
    except ZonemeltError as error:
        return _refused("oracle", error)


def answer(plan: Any) -> str:
    """The oracle, present and answering.

    Raises:
        ZonemeltError: it does not.
    """
    from zonemelt.tasks.label.prepared import found
    from zonemelt.tasks.label.registry import oracle_named

    oracle = oracle_named(plan.spec.oracle)
    oracle.load()
    given = getattr(getattr(plan.spec, "oracles", None), oracle.name, None)
    settings = given if given is not None else oracle.settings()
    said = found(settings, getattr(plan.spec, "elements", None))
    return said or oracle.title


def launcher() -> Check:
    """An MPI launcher; only jobs of several ranks need one."""
    beside = Path(sys.executable).parent
    found = shutil.which("mpiexec", path=f"{beside}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
    if found:
        return Check(what="mpiexec", ok=None, found=found)
    return Check(what="mpiexec", ok=None, found="none; only jobs of several ranks need one")


def _existing(directory: Path) -> Path:
    place = directory.absolute()
    while not place.exists():
        place = place.parent
    return place


def _jobs(graph: Any) -> int:
    from jobflow import Flow, Job

    if isinstance(graph, Job):
        return 1
    members = graph.jobs if isinstance(graph, Flow) else graph
    return sum(_jobs(member) for member in members)


def _tried(what: str, look: Callable[[], str]) -> Check:
    try:
        return Check(what=what, ok=True, found=look())
    except ZonemeltError as error:
        return _refused(what, error)
    except Exception as error:  # noqa: BLE001 (a check reports whatever is wrong)
        return Check(what=what, ok=False, found=f"{type(error).__name__}: {error}")


def _refused(what: str, error: ZonemeltError) -> Check:
    found = f"{error.where}: {error.what}" if error.where else error.what
    return Check(what=what, ok=False, found=found, remedy=error.remedy)
