"""Jobs on paper: a table of many, or everything about one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zonemelt.workflows.engine.walking import is_reference
from zonemelt.workflows.paper import COLOURS, duration, moment, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console
    from rich.table import Table

_KIN = 10  # parents and children listed


def jobs_table(jobs: list[dict[str, Any]]) -> Table:
    """A line for each job."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("id", justify="right")
    table.add_column("state")
    table.add_column("name", max_width=48, no_wrap=True)
    table.add_column("uuid", style="dim")
    table.add_column("attempts", justify="right")
    table.add_column("took", justify="right")
    reasons = any("reason" in job for job in jobs)
    if reasons:
        table.add_column("reason", overflow="ellipsis", no_wrap=True, ratio=1)
    for job in jobs:
        cells: list[str | Text] = [
            str(job["id"]), Text(job["state"], COLOURS[job["state"]]), job["name"],
            f"{job['uuid'][:8]}_{job['index']}", str(job["attempts"]), duration(job["seconds"]),
        ]  # fmt: skip
        if reasons:
            cells.append(job.get("reason", ""))
        table.add_row(*cells)
    return table


def print_job(out: Console, job: dict[str, Any], *, full: bool) -> None:
    """Everything about a job.

    Args:
        out: where to.
        job: of ``whole_job``.
        full: leave nothing out.
    """
    from rich.text import Text

    def say(label: str, value: Any, style: str = "") -> None:
        if value or value == 0:
            out.print(Text.assemble((f"{label:<12}", "bold"), (str(value), style)))

    most = 10**12 if full else 400
    say("job", f"{job['id']} '{job['name']}'")
    say("state", f"{job['state']}: {job['why']}", COLOURS[job["state"]])
    say("uuid", f"{job['uuid']}, run {job['index']}")
    say("function", job["kind"])
    say("pool", job["pool"])
    say("resources", ", ".join(f"{key} {value}" for key, value in job["resources"].items()))
    say("priority", job["priority"] or "")
    if job["running"]:
        say("runs on", f"{job['running'].get('host', '?')}, process {job['running'].get('pid', '?')}")
    if job["origin"]:
        say("brought by", _named(job["origin"]))
    say("brought", ", ".join(f"{count} jobs as {way}" for way, count in job["brought"].items()))
    _kin(say, "waits for", job["parents"], full=full)
    _kin(say, "settles with", job["settles_after"], full=full)
    _kin(say, "children", job["children"], full=full)
    names = {other["uuid"]: other for other in job["refers_to"]}
    arguments = told(job["arguments"], names)
    say("arguments", shorten(arguments["args"], most=most) if arguments["args"] else "")
    for key, value in arguments["kwargs"].items():
        say("", f"{key} = {shorten(value, most=most)}")
    for attempt in job["tried"]:
        _attempt(out, say, attempt)
    if job["state"] == "done":
        say("output", shorten(told(job["output"], names), most=most))


def told(value: Any, names: Mapping[str, Mapping[str, Any]]) -> Any:
    """A JSON-like value with references to outputs in words: ``output of 17 'relax'.energy``.

    Args:
        value: arguments or an output.
        names: uuid → ``id`` and ``name`` of the jobs that it refers to.
    """
    if isinstance(value, list):
        return [told(each, names) for each in value]
    if not isinstance(value, dict):
        return value
    if not is_reference(value):
        return {key: told(each, names) for key, each in value.items()}
    job = names.get(value["uuid"])
    whose = f"{job['id']} '{job['name']}'" if job is not None and job["id"] else value["uuid"]
    path = "".join(f"[{step!r}]" if kind == "i" else f".{step}" for kind, step in value.get("attributes", ()))
    return f"output of {whose}{path}"


def _kin(say: Any, label: str, kin: list[dict[str, Any]], *, full: bool) -> None:
    shown = kin if full else kin[:_KIN]
    for i, other in enumerate(shown):
        say("" if i else label, _named(other))
    if len(kin) > len(shown):
        say("", f"and {len(kin) - len(shown):,} more (--full)")


def _named(job: dict[str, Any]) -> str:
    return f"{job['id']} '{job['name']}', {job['state']}" if job["id"] else f"{job['uuid']} {job['name']}"


def _attempt(out: Console, say: Any, attempt: dict[str, Any]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    how = {"done": "succeeded", "retry": "failed, and was granted another", "failed": "failed"}[
        attempt["how"]
    ]
    took = duration(attempt["end"] - attempt["start"]) if "end" in attempt and "start" in attempt else "?"
    where = f" on {attempt['host']}" if attempt.get("host") else ""
    say(f"attempt {attempt.get('attempt', '')}", f"{how} after {took}{where}, {moment(attempt['recorded'])}")
    say("  reused", attempt.get("reused", ""))
    say("  directory", attempt.get("directory", ""))
    if attempt["how"] == "done":
        return
    say("  cause", attempt.get("cause", ""))
    traceback = attempt.get("traceback") or f"{attempt.get('error', '')}: {attempt.get('message', '')}"
    out.print(Padding(Text(traceback.rstrip(), style="red"), (0, 0, 0, 4)))
    if attempt.get("tail"):
        say("  printed", "(the end of it; `zonemelt logs` shows all)")
        out.print(Padding(Text(attempt["tail"].rstrip(), style="dim"), (0, 0, 0, 4)))
