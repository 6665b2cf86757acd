"""Options as the fields of one argument: asked for like any other, in their order, with their defaults."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from zonemelt.workflows.cli.option_groups import grouped


@dataclass(frozen=True, kw_only=True)
class Size:
    height: Annotated[int, typer.Option("--height", min=1, help="Upwards.")] = 2
    width: Annotated[float, typer.Option("--width", "-w")]

    @property
    def area(self) -> float:
        return self.height * self.width


@grouped
def paint(colour: Annotated[str, typer.Argument()], *, size: Size, coats: int = 1) -> None:
    """Paint a wall."""
    typer.echo(f"{colour} {size.area:g} {coats}")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["red", "-w", "1.5"], 0, "red 3 1"),
        (["red", "--coats", "4", "--height", "3", "--width", "2"], 0, "red 6 4"),
        (["red"], 2, "--width"),
        (["red", "-w", "1", "--height", "0"], 2, "height"),
        (["red", "-w", "1", "--size", "3"], 2, "--size"),
        (["--help"], 0, "Upwards."),
    ],
)
def test_a_group_is_asked_for_by_its_fields(words, code, said):
    program = typer.Typer()
    program.command()(paint)
    result = CliRunner().invoke(program, words)
    assert result.exit_code == code
    assert said in result.output


def test_fields_stand_where_their_group_stood():
    found = inspect.signature(paint).parameters
    assert list(found) == ["colour", "height", "width", "coats"]
    assert found["height"].default == 2
    assert paint.__doc__ == "Paint a wall."
