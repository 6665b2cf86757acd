"""A split as a file: JSON that names the records of each part, written whole."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.quality.splits import Split
from zonemelt.tasks.settings import problem_of
from zonemelt.tasks.whole_files import write_whole


def write_split(path: Path | str, split: Split) -> None:
    """Write a split.

    Raises:
        StoreError: it cannot be written.
    """
    write_whole(Path(path), split.model_dump_json(indent=1).encode() + b"\n")


def read_split(path: Path | str) -> Split:
    """Read what :func:`write_split` has written, or a person: ``{"kind": "given", "parts": {"train": […]}}``.

    Raises:
        InputError: there is no such file, or it is no split, or a record is in it more than once.
    """
    place = Path(path)
    try:
        return Split.model_validate_json(place.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"it cannot be read: {error}",
            where=str(place),
            remedy='write {"kind": "given", "parts": {"train": [IDENTIFIER, …], "test": […]}}',
        ) from None
    except ValidationError as error:
        raise problem_of(error, Split, where=str(place), page="docs/training.md") from None
