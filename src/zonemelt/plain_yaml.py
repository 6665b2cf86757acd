"""Read YAML that somebody wrote, whoever it was: plain values only, and never more of them than a person writes.

The one place where YAML is read. No tag makes an object, and what would eat memory or the stack is refused
before any value is made: aliases that repeat one another (a billion laughs), thousands of levels (the parser
in C ends the process there), files of gigabytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES: Final = 8 << 20
MOST_VALUES: Final = 500_000  # with every alias written out
MOST_LEVELS: Final = 64
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where it was built


class UnreasonableYamlError(yaml.MarkedYAMLError):
    """YAML that is larger, deeper or more repetitive than a person writes it."""

    def __init__(self, problem: str, mark: Any = None) -> None:
        super().__init__(problem=problem, problem_mark=mark)


def read_yaml(path: Path) -> Any:
    """The plain value that a YAML file holds.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is no text.
        yaml.YAMLError: it is no YAML, or none that a person writes.
    """
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    return parse_yaml(content.decode("utf-8") if len(content) <= MOST_BYTES else content)


def parse_yaml(text: str | bytes) -> Any:
    """The plain value of a text.

    Raises:
        yaml.YAMLError: it is no YAML, or none that a person writes.
    """
    if len(text) > MOST_BYTES:
        raise UnreasonableYamlError(f"it is larger than {MOST_BYTES >> 20} MB")
    _check(text)
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 (a safe one)


def _check(text: str | bytes) -> None:
    """Refuse what would be too much, looking at one event after the other."""
    sizes: dict[str, int] = {}  # anchor → how many values it stands for
    levels: list[tuple[str | None, int]] = []  # anchor of each open list or mapping, values before it
    values = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            levels.append((event.anchor, values))
            values += 1
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            anchor, before = levels.pop()
            if anchor is not None:
                sizes[anchor] = values - before
        elif isinstance(event, yaml.ScalarEvent):
            values += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in levels):
                raise UnreasonableYamlError(
                    f"'*{event.anchor}' stands inside what it names", event.start_mark
                )
            values += sizes.get(event.anchor or "", 1)
        if len(levels) > MOST_LEVELS:
            raise UnreasonableYamlError(
                f"more than {MOST_LEVELS} levels, one inside the other", event.start_mark
            )
        if values > MOST_VALUES:
            raise UnreasonableYamlError(
                f"more than {MOST_VALUES:,} values, aliases written out", event.start_mark
            )
