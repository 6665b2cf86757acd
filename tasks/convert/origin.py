"""What a reader is told of a file besides its content, and what it says of what is no record."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zonemelt.tasks.ingest.tables.columns import Columns
    from zonemelt.tasks.theory import Theory


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a file came from, and what somebody has said of it.

    Attributes:
        source: its path or address as the person knows it; the member of an archive after ``::``.
        sha256: of the file as it lay there; None where it is no file.
        columns: of a table, where somebody has said what they are.
        theory: of a table's labels, where somebody has said it.
    """

    source: str
    sha256: str | None = None
    columns: Columns | None = None
    theory: Theory | None = None

    @property
    def calculation(self) -> str:
        """A name for all records that come from it: short, and the same when it is read again."""
        said = self.sha256 or hashlib.sha256(self.source.encode()).hexdigest()
        return said[:16]


def parser_of(library: str, part: str = "") -> str:
    """A library with its version, and the part of it that read: ``pymatgen-core 2026.10.16 Vasprun``."""
    return f"{library} {version(library)} {part}".rstrip()


@dataclass(frozen=True, kw_only=True)
class BadRow:
    """What a reader yields in the place of a record that it cannot make; the others follow.

    Attributes:
        where: file and line, row, frame or document.
        reason: what was wrong, in words.
    """

    where: str
    reason: str
