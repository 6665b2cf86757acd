"""The page about the architecture names what there is, and its drawing is that of the contracts."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
    "contracts"
]
ROOMS = ("tasks", "flows", "sites", "workflows")
PACKAGES = sorted(
    path.parent.relative_to(ROOT).as_posix() for room in ROOMS for path in (ROOT / room).rglob("__init__.py")
)


def layers_of(room: str) -> list[str]:
    """The boxes of a room, from the top to the bottom."""
    (found,) = (one["layers"] for one in CONTRACTS if one.get("containers") == [f"zonemelt.{room}"])
    return [" · ".join(name.strip() for name in layer.split("|")) for layer in found]


def drawing() -> str:
    lines = ["```mermaid", "flowchart TB"]
    for room in ("workflows", "tasks"):
        boxes = [f'{room[0]}{number}["{names}"]' for number, names in enumerate(layers_of(room))]
        lines += [f"  subgraph {room}", f"    {' --> '.join(boxes)}", "  end"]
    lines += ["  workflows --> flows --> tasks", "  workflows --> sites", "```"]
    return "\n".join(lines)


def test_the_drawing_is_that_of_the_contracts() -> None:
    assert drawing() in PAGE, f"docs/architecture.md should have this drawing:\n{drawing()}"


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda one: one["name"][:30])
def test_contracts_are_told(contract: dict) -> None:
    assert f"- {contract['name']}" in " ".join(PAGE.replace("\n- ", "\0- ").split()).replace("\0", "")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_told_with_its_own_words(package: str) -> None:
    assert f"`{package}/`" in PAGE
    if package.count("/") == 1 and not package.startswith("sites"):
        said = ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8")))
        assert f"| `{package}/` | {(said or '').splitlines()[0].rstrip('.')} |" in PAGE


def test_every_part_of_the_engine_is_told() -> None:
    rows = PAGE.partition("## The engine")[2].partition("## One campaign")[0]
    for path in (ROOT / "workflows" / "engine").glob("[!_]*.py"):
        assert f"`{path.stem}`" in rows, f"{path.stem} is in no row of the engine's parts"


def test_every_module_that_the_page_names_is_there() -> None:
    names = re.findall(r"`((?:tasks|flows|sites|workflows)/[\w/]+\.py)`", PAGE)
    assert names
    for name in names:
        assert (ROOT / name).is_file(), name
