"""The page about the command line names commands and options that exist, and leaves none out."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from zonemelt.workflows.cli import app
from zonemelt.workflows.settings import Settings

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
LINES = sorted(set(re.findall(r"^zonemelt .*", PAGE, re.MULTILINE)))
GROUP = typer.main.get_command(app)


def visible() -> dict[str, typer.core.TyperCommand]:
    return {name: one for name, one in GROUP.commands.items() if not one.hidden}  # type: ignore[attr-defined]


def reached(words: list[str]) -> tuple[typer.core.TyperCommand, list[str]]:
    """The command that words name, which may be one of a group's, and the words after its name."""
    command, rest = visible()[words[0]], words[1:]
    if rest and rest[0] in getattr(command, "commands", {}):
        return command.commands[rest[0]], rest[1:]  # type: ignore[attr-defined]
    return command, rest


def options(command: typer.core.TyperCommand) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts if option.startswith("-")}


@pytest.mark.parametrize("line", LINES)
def test_lines_can_be_typed(line: str):
    words = shlex.split(line, comments=True)[1:]
    if words == ["--version"]:
        return
    assert words[0] in visible()
    command, rest = reached(words)
    assert {word for word in rest if word.startswith("-")} <= options(command)


def test_no_command_is_left_out():
    assert {line.split()[1] for line in LINES} >= set(visible())


@pytest.mark.parametrize("name", sorted(visible()))
def test_help_has_an_example_that_can_be_typed(zonemelt, name: str):
    text = zonemelt(name, "--help")
    examples = text.partition("Examples:")[2].splitlines()
    lines = [line.strip() for line in examples if line.strip().startswith("zonemelt ")]
    assert lines
    for line in lines:
        words = re.split(r"\s{3,}| \|", line)[0].split()
        assert words[1] in visible()
        command, rest = reached(words[1:])
        assert {word for word in rest if word.startswith("-")} <= options(command)


def test_the_settings_are_all_named():
    for key in Settings.model_fields:
        assert f"| `{key}` | `ZONEMELT_{key.upper()}` |" in PAGE
