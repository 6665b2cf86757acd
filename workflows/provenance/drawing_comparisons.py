"""Two campaigns, or a job and its replay, as a drawing: what is the same, and where it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonemelt.workflows.provenance.drawing import GREEN, GREY, RED, WHITE, YELLOW, Box, draw

if TYPE_CHECKING:
    from zonemelt.workflows.provenance.diff import Diff
    from zonemelt.workflows.provenance.drawing import Language
    from zonemelt.workflows.provenance.rerun import Replay

_WORDS = {
    "same": "made the same",
    "given": "given something else",
    "parted": "given the same, made something else",
    "state": "ended in another state",
    "only_first": "only in the first",
    "only_second": "only in the second",
}
# What a box is coloured by: the first of these that its jobs have.
_WORST = (("parted", RED), ("state", RED), ("given", YELLOW), ("only_first", GREY), ("only_second", GREY))
_VERDICT = {"same": GREEN, "close": GREEN, "differs": RED}


def draw_diff(found: Diff, language: Language) -> str:
    """Two campaigns, jobs of one function in one box: red where results part, yellow what follows from it."""
    numbers = {kind: str(number) for number, kind in enumerate(found.functions)}
    boxes = [
        Box(
            id=numbers[kind],
            lines=[
                kind.rpartition(".")[2],
                *(f"{counts[what]:,} {_WORDS[what]}" for what in _WORDS if what in counts),
            ],
            fill=next((colour for what, colour in _WORST if counts.get(what)), GREEN),
        )
        for kind, counts in found.functions.items()
    ]
    return draw(boxes, [(numbers[start], numbers[end]) for start, end in found.links], language)


def draw_replay(found: Replay, language: Language) -> str:
    """The jobs that ran again: green where they made the same, red where not."""
    boxes = [
        Box(
            id=str(job.job),
            lines=[
                f"{job.job} {job.name}",
                job.verdict + (f", deviation {job.deviation:.2g}" if job.deviation else ""),
                *(["its function has changed"] if job.code_changed else []),
            ],
            fill=_VERDICT.get(job.verdict, WHITE),
        )
        for job in found.jobs
    ]
    return draw(boxes, [(str(start), str(end)) for start, end in found.links], language)
