"""Files that jobs hand to one another, kept by their content.

A job returns ``{"model": keep_file("model.safetensors")}``; a job that refers to that output gets
a :class:`pathlib.Path`. The file is copied into the campaign's blob directory, so it outlives the job's own,
and the same content is kept once.
"""

from __future__ import annotations

import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monty.json import MSONable

from zonemelt.tasks.blobs import active_directory
from zonemelt.tasks.errors import StoreError
from zonemelt.tasks.whole_files import settle, sha256_of


@dataclass(frozen=True)
class KeptFile(MSONable):
    """A kept file as it stands in a document; decoding it gives the path.

    Attributes:
        sha256: the digest of its content.
        name: what it was called: readers go by the extension.
        nbytes: its size.
    """

    sha256: str
    name: str
    nbytes: int

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> Any:
        """Return the path, in the active blob directory.

        Raises:
            StoreError: the document is malformed, the file is missing or has another size, or no directory is
                active.
        """
        digest, name, nbytes = (d.get(field) for field in ("sha256", "name", "nbytes"))
        if not re.fullmatch("[0-9a-f]{64}", str(digest)) or not name or not isinstance(nbytes, int):
            raise StoreError(
                f"a malformed kept file: {d!r:.300}",
                where="KeptFile",
                remedy="the document was altered by hand or written by another version",
            )
        kept = cls(str(digest), Path(str(name)).name, nbytes)
        path = kept.path(active_directory().root)
        try:
            size = path.stat().st_size
        except OSError:
            size = -1
        if size != kept.nbytes:
            raise StoreError(
                f"a kept file of {kept.nbytes} bytes {'is missing' if size < 0 else f'has {size} bytes'}",
                where=str(path),
                remedy="the blob directory must be moved and copied together with the database",
            )
        return path

    def path(self, root: Path) -> Path:
        """Where it is below the root of a blob directory."""
        return root / self.sha256[:2] / f"{self.sha256}-{self.name}"


def keep_file(path: str | Path) -> KeptFile:
    """Keep a file for other jobs.

    Args:
        path: the file, e.g. one that the job wrote into its directory.

    Returns:
        What to return from the job.

    Raises:
        StoreError: it cannot be read or kept, or the job does not run in a campaign.
    """
    source, root = Path(path), active_directory().root
    root.mkdir(parents=True, exist_ok=True)
    temporary = root / f".{secrets.token_hex(8)}.tmp"
    try:
        shutil.copyfile(source, temporary)
        kept = KeptFile(sha256_of(temporary), source.name, temporary.stat().st_size)
        target = kept.path(root)
        target.parent.mkdir(exist_ok=True)
        settle(temporary, target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(
            f"the file cannot be kept: {error.strerror}",
            where=str(source),
            remedy="does it exist, and is there space in the campaign directory?",
        ) from error
    return kept
