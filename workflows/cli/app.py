"""The ``zonemelt`` program: its commands in groups, and what it says when something is wrong."""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from zonemelt import __version__
from zonemelt.tasks.errors import JobError, ZonemeltError
from zonemelt.tasks.own_code import look_in

if TYPE_CHECKING:
    from collections.abc import Callable

# Exit codes, said in docs/cli.md.
NOT_ALL_SUCCEEDED = 1
REFUSED = 2
BUG = 3
INTERRUPTED = 130

START, WATCH, STEER, DATA = "Start", "Watch", "Steer", "Data"
LEARN, PROVENANCE, SURROUNDINGS = "Learn", "Provenance", "Surroundings"


class Commands(TyperGroup):
    """The commands, listed by what they are for; errors made on purpose are told in one message."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 (as it is called)
        """List the commands by group, in the order in which they were written."""
        for group in (START, WATCH, STEER, DATA, LEARN, PROVENANCE, SURROUNDINGS):
            commands = [c for c in self.commands.values() if getattr(c, "rich_help_panel", "") == group]
            rows = [(c.name or "", c.get_short_help_str(90)) for c in commands if not c.hidden]
            if not rows:
                continue
            with formatter.section(group):
                formatter.write_dl(rows)

    def invoke(self, ctx: Any) -> Any:
        """Run a command.

        Raises:
            Exit: with the code that fits, where it cannot do what was asked.
        """
        try:
            return super().invoke(ctx)
        except ZonemeltError as error:
            if os.environ.get("ZONEMELT_DEBUG") == "1":
                raise
            typer.secho(f"zonemelt: {error}", fg="red", err=True)
            raise typer.Exit(NOT_ALL_SUCCEEDED if isinstance(error, JobError) else REFUSED) from None
        except PermissionError as error:
            if os.environ.get("ZONEMELT_DEBUG") == "1":
                raise
            typer.secho(
                f"zonemelt: {error.filename}: {error.strerror}\n  → ask its owner for the rights to it",
                fg="red",
                err=True,
            )
            raise typer.Exit(REFUSED) from None
        except KeyboardInterrupt:
            typer.secho("interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help comes in a third of the time, and can be copied
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def examples(*lines: str) -> str:
    """The end of a command's help: lines to be copied."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def command(group: str, *lines: str, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as a command of a group, with examples of its use."""
    return app.command(rich_help_panel=group, epilog=examples(*lines), **options)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"zonemelt {__version__}")
        raise typer.Exit


@app.callback(
    epilog=examples(
        "zonemelt run quickstart          a first campaign, from start to report",
        "zonemelt watch                   the newest campaign, as it goes",
        "zonemelt COMMAND --help          what a command does, with examples",
    )
)
def zonemelt(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """Campaigns of ML-driven materials design, run durably.

    Every command that takes a directory DIR uses, where none is given, the campaign in the current directory
    or the newest one, and names it.
    """


def main() -> None:
    """What the ``zonemelt`` script calls."""
    try:
        look_in(".")
        app(prog_name="zonemelt")
    except ZonemeltError:  # with ZONEMELT_DEBUG=1
        traceback.print_exc()
        sys.exit(REFUSED)
    except Exception:  # noqa: BLE001 (the last resort: a person reads this)
        traceback.print_exc()
        typer.secho(
            f"zonemelt {__version__} met an error it did not expect. Nothing that was recorded is lost.\n"
            "  → please report what is above, with the command, as an issue of the project",
            fg="red",
            err=True,
        )
        sys.exit(BUG)
