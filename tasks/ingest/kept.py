"""Records that wait until all of their file has been read; many of them wait on disk."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Final

from zonemelt.tasks.records import Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS: Final = 50_000  # atoms that are kept in memory: about 50 MB


class Kept:
    """Records in their order, as often as they are asked for.

    Args:
        folder: where those lie that are too many for memory; the caller removes it.
        name: of the file there.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.jsonl"
        self._records: list[Record] = []
        self._rows = 0
        self._spilled = 0
        self._file: IO[str] | None = None
        self.last: Record | None = None

    def __len__(self) -> int:
        return len(self._records) + self._spilled

    def add(self, record: Record) -> None:
        """Keep one more."""
        self.last = record
        self._rows += len(record.geometry.symbols)
        if self._rows <= ROWS or not self._records:
            self._records.append(record)
            return
        if self._file is None:
            self._file = self._path.open("w", encoding="utf-8")
        self._file.write(record.model_dump_json() + "\n")
        self._spilled += 1

    def __iter__(self) -> Iterator[Record]:
        yield from self._records
        if not self._spilled:
            return
        self.close()
        with self._path.open(encoding="utf-8") as lines:
            for line in lines:
                yield Record.model_validate_json(line)

    def close(self) -> None:
        """End writing; all records can still be read."""
        if self._file is not None:
            self._file.close()
