"""The first section of a report: how the campaign stands, and what must not be overlooked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from zonemelt.workflows.engine.states import JobState
from zonemelt.workflows.paper import duration, moment
from zonemelt.workflows.report.parts import Facts, Notes, Section, Tiles, number
from zonemelt.workflows.report.sections.learning import unit_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.workflows.report.parts import Part
    from zonemelt.workflows.report.reading import Gathered


def section(gathered: Gathered) -> Section:
    """Numbers, and notes."""
    parts: list[Part] = [Tiles(tiles=list(_tiles(gathered)))]
    if warnings := list(_warnings(gathered)):
        parts.append(Notes(lines=warnings, level="warning"))
    if notes := list(_notes(gathered)):
        parts.append(Notes(lines=notes))
    parts.append(Facts(rows=list(_facts(gathered))))
    return Section(name="summary", title="Summary", parts=parts)


def _tiles(gathered: Gathered) -> Iterator[tuple[str, str]]:
    summary, outputs = gathered.summary, gathered.outputs
    done = summary.count(JobState.DONE)
    yield f"{done:,}", f"of {summary.total:,} jobs done"
    if outputs.outcome:
        found_all = outputs.outcome["discoveries"]
        confirmed = sum(one["confirmed"] for one in found_all)
        yield f"{confirmed:,}", f"confirmed by labels, of {len(found_all):,} proposed and labelled"
    elif found := outputs.candidates:
        yield f"{found.passed['stable']:,}", f"stable and new, of {len(found):,} candidates"
    if outputs.labels:
        yield f"{outputs.labels:,}", "labels"
    if history := outputs.history:
        key = next((key for key in history[-1]["heldout"] if " mae (" in key), "")
        if key in history[0]["heldout"]:
            factor, unit = unit_of(key)
            said = " → ".join(number(factor * history[i]["heldout"][key]) for i in (0, -1))
            what = key.partition(" mae (")[0]
            yield said, f"{unit}, error of {what} on held-out labels, first to last round"
    yield number(summary.node_hours), "node-hours"
    if gathered.began and gathered.ended:
        yield duration(max(0.0, gathered.ended - gathered.began)), "from submission to the last result"


def _warnings(gathered: Gathered) -> Iterator[str]:
    summary = gathered.summary
    if not summary.total:
        yield "Nothing has run yet: this campaign has no jobs."
    elif summary.unfinished:
        state = "is still running" if summary.head else "is not finished, and nothing drives it now"
        yield (
            f"This campaign {state}: {summary.unfinished:,} of {summary.total:,} jobs have not ended. "
            f"What follows is how it stood at {moment(gathered.at)}."
        )
    if summary.waits_for and summary.total:
        yield summary.waits_for
    if failed := summary.count(JobState.FAILED):
        skipped = summary.count(JobState.SKIPPED)
        more = f", and {skipped:,} were skipped because of that" if skipped else ""
        yield f"{failed:,} jobs failed{more}: see failures."
    if toys := sorted(_toys(gathered)):
        yield (
            f"This is not DFT: the labels come from {', '.join(toys)}. They show that the machinery works; "
            "they say nothing reliable about the material."
        )
    if unread := gathered.outputs.unread:
        first = next(iter(unread.items()))
        yield f"{len(unread):,} outputs could not be read and are left out; {first[0]}: {first[1]}"


def _toys(gathered: Gathered) -> Iterator[str]:
    for text in gathered.outputs.theories:
        theory = json.loads(text)
        if not theory.get("is_dft", True):
            yield str(theory.get("functional") or theory.get("code"))


def _notes(gathered: Gathered) -> Iterator[str]:
    outputs = gathered.outputs
    if outputs.stopped:
        yield f"The loop ended: {outputs.stopped}."


def _facts(gathered: Gathered) -> Iterator[tuple[str, str]]:
    summary, around = gathered.summary, gathered.surroundings
    yield "campaign", summary.name
    yield "kind", str(gathered.document.get("kind", "a graph of a program"))
    yield "status", summary.status
    yield "directory", summary.directory
    yield "submitted", moment(gathered.began)
    yield "last result", moment(gathered.ended)
    yield "site", ", ".join(around.sites)
    yield "run by", ", ".join(f"{user}" for user in around.users)
    yield "this report", moment(gathered.at)
    for one in summary.steered:
        said = ", ".join(f"{key} = {value}" for key, value in one["values"].items())
        yield f"steered {moment(one['time'])}", f"{said}, by {one['who']}"
