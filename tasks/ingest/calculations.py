"""Which files tell of the same calculation: a directory of VASP is one, whose best file is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from zonemelt.tasks.ingest.files import bare_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from zonemelt.tasks.ingest.walk import Found

# The best first; what is left of a name without them tells calculations of one directory apart.
_VASP: Final = (
    re.compile(r"^vasprun(?:(\..*)?)\.xml(\..*)?$"),
    re.compile(r"^vaspout(?:(\..*)?)\.h5(\..*)?$"),
    re.compile(r"^OUTCAR(\..*)?$"),
)


def _place(name: str) -> tuple[int, str] | None:
    """How good a file of VASP is, and which run of its directory it tells of; None for other files."""
    for rank, pattern in enumerate(_VASP):
        if found := pattern.match(bare_name(name)):
            return rank, "".join(part or "" for part in found.groups())
    return None


def calculations(files: Iterable[Found]) -> Iterator[list[Found]]:
    """Put files together that tell of the same calculation, the best first.

    Args:
        files: those of one directory after each other, as
            :func:`~zonemelt.tasks.ingest.walk.walk` yields them.
    """
    folder: Path | None = None
    waiting: dict[str, list[tuple[int, Found]]] = {}
    for found in files:
        if found.path.parent != folder:
            yield from _together(waiting)
            folder, waiting = found.path.parent, {}
        place = _place(found.path.name) if found.verdict is None else None
        if place is None:
            yield [found]
        else:
            waiting.setdefault(place[1], []).append((place[0], found))
    yield from _together(waiting)


def _together(waiting: dict[str, list[tuple[int, Found]]]) -> Iterator[list[Found]]:
    for files in waiting.values():
        yield [found for _, found in sorted(files, key=lambda one: (one[0], one[1].source))]
