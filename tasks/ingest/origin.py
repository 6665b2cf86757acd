"""Where a file came from that is being read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zonemelt.tasks.ingest.tables.columns import Columns
    from zonemelt.tasks.theory import Theory


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a reader must know of a file besides its content.

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
        import hashlib

        said = self.sha256 or hashlib.sha256(self.source.encode()).hexdigest()
        return said[:16]


@dataclass(frozen=True, kw_only=True)
class BadRow:
    """What a reader yields in the place of a record that it cannot make; the others follow.

    Attributes:
        where: file and line, row, frame or document.
        reason: what was wrong, in words.
    """

    where: str
    reason: str
