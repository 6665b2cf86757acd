"""The commands why and uses: where something comes from, and what comes from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from zonemelt.tasks.errors import InputError
from zonemelt.workflows.cli.app import PROVENANCE, command
from zonemelt.workflows.cli.option_groups import grouped
from zonemelt.workflows.cli.places import Json, find_campaign

if TYPE_CHECKING:
    from pathlib import Path

    from zonemelt.workflows.provenance.asking import Answer
    from zonemelt.workflows.provenance.drawing import Language

First = Annotated[
    str, typer.Argument(metavar="[DIR]", help="Campaign directory; the ID where it stands alone.")
]
Second = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="A job, candidate, record, model or dataset version.", show_default=False
    ),
]
Whole = Annotated[bool, typer.Option("--whole", help="Leave no job out of the tree or the drawing.")]


@dataclass(frozen=True, kw_only=True)
class Form:
    """In which form something is told: as a drawing, for programs, else for people."""

    dot: Annotated[bool, typer.Option("--dot", help="Graphviz text: pipe it into `dot -Tsvg`.")] = False
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Mermaid text, for Markdown pages.")] = False
    as_json: Json = False

    def language(self) -> Language | None:
        """The language of a drawing that is asked for; None for none.

        Raises:
            InputError: two forms are asked for.
        """
        if self.dot + self.mermaid + self.as_json > 1:
            raise InputError(
                "one form at a time", where="--json, --dot, --mermaid", remedy="give one of them"
            )
        return "dot" if self.dot else "mermaid" if self.mermaid else None

    @property
    def quiet(self) -> bool:
        """Whether a program reads it."""
        return self.as_json or self.dot or self.mermaid


def place_and_id(first: str, second: str, *, quiet: bool) -> tuple[Path, str]:
    """Tell ``[DIR] ID`` apart."""
    directory, text = (first, second) if second else ("", first)
    if not text:
        raise InputError("no ID is given", where="ID", remedy="`zonemelt jobs` lists the jobs of a campaign")
    return find_campaign(directory, quiet=quiet), text


@command(
    PROVENANCE,
    "zonemelt why runs/oxides Fe2O3-0017    of a candidate: its whole ancestry, with costs",
    "zonemelt why 17                        of a job of the newest campaign",
    "zonemelt why runs/oxides 3f9a2c1 --dot | dot -Tsvg > why.svg",
)
@grouped
def why(
    first: First,
    second: Second = "",
    *,
    whole: Whole = False,
    form: Form,
) -> None:
    """Where something comes from: every job that had a part in it, code, data, machines, costs."""
    from zonemelt.workflows.provenance.asking import why as ask

    place, text = place_and_id(first, second, quiet=form.quiet)
    _show(ask(place, text), whole=whole, form=form)


@command(
    PROVENANCE,
    "zonemelt uses runs/oxides 17           which results are void if this label is wrong?",
    "zonemelt uses runs/oxides 3f9a2c1 --json | jq .totals",
)
@grouped
def uses(
    first: First,
    second: Second = "",
    *,
    whole: Whole = False,
    form: Form,
) -> None:
    """What comes from something: every job whose result is void if it is wrong."""
    from zonemelt.workflows.provenance.asking import uses as ask

    place, text = place_and_id(first, second, quiet=form.quiet)
    _show(ask(place, text), whole=whole, form=form)


def _show(answer: Answer, *, whole: bool, form: Form) -> None:
    from zonemelt.workflows.cli.provenance_text import print_answer
    from zonemelt.workflows.paper import print_json
    from zonemelt.workflows.provenance.drawing import as_dot, as_mermaid
    from zonemelt.workflows.provenance.view import view

    language = form.language()
    if form.as_json:
        print_json(answer.as_dict())
    elif language is not None:
        entries = view(answer.lineage, whole=whole)
        typer.echo((as_dot if language == "dot" else as_mermaid)(entries, answer.direction))
    else:
        print_answer(answer, whole=whole)
