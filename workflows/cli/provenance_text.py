"""What ``why`` and ``uses`` print for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from zonemelt.workflows.paper import duration, moment, shorten
from zonemelt.workflows.provenance.drawing import as_tree
from zonemelt.workflows.provenance.view import view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.workflows.provenance.asking import Answer

_PACKAGES = ("zonemelt", "jobflow", "parsl", "numpy", "torch", "ase", "pymatgen", "gpaw", "chgnet", "sevenn")
_LISTED = 8  # other jobs that hold a name


def print_answer(answer: Answer, *, whole: bool) -> None:
    """Print the jobs that were asked for, the tree, and what all of it took."""
    meant = answer.meant
    if meant.kind != "job":
        verb = "made by" if meant.kind == "made" else "given from outside, first to"
        typer.echo(f"{meant.text}: {verb} {_jobs(answer, meant.makers)}")
        if others := [job for job in meant.holders if job not in meant.makers]:
            more = f" and {len(others) - _LISTED:,} more" if len(others) > _LISTED else ""
            typer.echo(f"  also in jobs {', '.join(map(str, others[:_LISTED]))}{more}")
        typer.echo()
    for record in answer.records[:1]:
        for label, text in _said(record):
            typer.echo(f"{label:>11}  {text}")
        typer.echo()
    typer.echo(as_tree(view(answer.lineage, whole=whole), answer.direction))
    totals = answer.lineage.totals()
    energy = f", {totals['kwh']:.3g} kWh" if totals["kwh"] is not None else ""
    failed = f", {totals['retries']} failed attempts" if totals["retries"] else ""
    typer.echo(
        f"\n{totals['jobs']:,} jobs, {duration(totals['run_s'])} of running,"
        f" {totals['node_hours']:.4g} node-hours{energy}{failed}"
    )


def _jobs(answer: Answer, jobs: list[int]) -> str:
    return ", ".join(f"job {job} '{answer.lineage.nodes[job].name}'" for job in jobs[:_LISTED])


def _said(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "job", f"{record['id']} '{record['name']}'  {record['uuid']}_{record['index']}  {record['state']}"
    source = f", source {record['source'][:12]}" if record["source"] else ""
    yield "function", f"{record['kind']}{source}"
    if record["reused"]:
        yield "reused", f"the result of {record['reused']}"
    if record["started"]:
        waited = f" after waiting {duration(record['waited_s'])}" if record["waited_s"] is not None else ""
        yield (
            "ran",
            f"{moment(record['started'])} for {duration(record['run_s'])} on {record['host']}{waited}",
        )
    for tried in record["attempts_made"][:-1]:
        yield "failed", f"attempt {tried.get('attempt')}: {tried.get('cause')}, {tried.get('error', '')}"
    yield from _surroundings(record)
    for asked in record["steered"]:
        what = asked.get("verb") or shorten(asked.get("values", {}))
        yield "steered", f"{moment(asked['time'])} {what} by {asked.get('user') or asked.get('who', '?')}"
    for label in ("seeds", "datasets", "models"):
        if found := record[label]:
            yield label, shorten(", ".join(f"{path} = {value}" for path, value in found.items()))
    files = [f"{count} in {path}" for path, count in record["sets"].items()]
    files += [f"{path} = {digest[:12]}" for path, digest in record["files"].items()]
    if files:
        yield "files", shorten(", ".join(files))
    yield "content", f"input {record['given'] or '-'}, output {record['made'] or '-'}"


def _surroundings(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if machine := record["machine"]:
        size = f"{machine['cores']} cores, {machine['memory'] / 2**30:.0f} GB"
        accelerators = f", {', '.join(machine['accelerators'])}" if machine.get("accelerators") else ""
        yield "machine", f"{machine['processor']}, {size}{accelerators}"
    if software := record["software"]:
        packages = software["packages"]
        known = [f"{name} {packages[name]}" for name in _PACKAGES if name in packages]
        yield "software", f"Python {software['python']}, {', '.join(known)}, {len(packages)} packages in all"
        if container := software.get("container"):
            yield "container", ", ".join(container.values())
    for repository in record["repositories"] or ():
        dirty = {True: ", with changes that are not committed", None: ", changes unknown"}.get(
            repository["dirty"], ""
        )
        yield "code", f"{repository['root']} at {repository['commit'][:12]}{dirty}"
    if record["user"]:
        yield "started by", f"{record['user']} on site {record['site']}"
