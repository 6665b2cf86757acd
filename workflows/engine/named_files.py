"""The files of a blob directory that documents name: are they there, and how another campaign gets them."""

from __future__ import annotations

import json
import os
import re
import shutil
from typing import TYPE_CHECKING

from zonemelt.tasks.errors import StoreError
from zonemelt.tasks.whole_files import whole_file
from zonemelt.workflows.engine.walking import file_references

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_DIGEST = re.compile(r'"sha256":\s*"([0-9a-f]{64})"')
_OURS = '"zonemelt.tasks.'  # without it a document names no file


def _files(blobs: Path, digest: str) -> list[Path]:
    return sorted((blobs / digest[:2]).glob(f"{digest}*"))


def _documents(paths: Iterable[Path], digest: str) -> list[str]:
    """Those of some files that are documents: they may name files in turn."""
    return [path.read_text() for path in paths if path.name == f"{digest}.json"]


def check_files(blobs: Path, text: str, *, where: str) -> None:
    """Make sure that the files which a document names, and those that these name, are in a blob directory.

    Raises:
        StoreError: one is missing.
    """
    seen: set[str] = set()
    queue = [text]
    while queue:
        one = queue.pop()
        if _OURS not in one:
            continue
        for reference in file_references(json.loads(one)):
            digest = str(reference["sha256"])
            if digest in seen:
                continue
            seen.add(digest)
            if not (paths := _files(blobs, digest)):
                raise StoreError(
                    f"a file that {where} names is missing",
                    where=str(blobs / digest[:2] / f"{digest}.*"),
                    remedy="restore it from a copy of the campaign, or run the job that made it again",
                )
            queue += _documents(paths, digest)


def blob_files(blobs: Path, texts: Iterable[str]) -> dict[str, list[Path]]:
    """The files of a blob directory that documents name, and those that these name in turn.

    Args:
        blobs: the blob directory.
        texts: documents.

    Returns:
        Digest → its files; an empty list where there is none.
    """
    found: dict[str, list[Path]] = {}
    queue = list(texts)
    while queue:
        for digest in _DIGEST.findall(queue.pop()):
            if digest not in found:
                found[digest] = _files(blobs, digest)
                queue += _documents(found[digest], digest)
    return found


def take_files(source: Path, target: Path, texts: Iterable[str]) -> None:
    """Let a blob directory have the files of another one that documents name, without copies if it can be.

    Raises:
        StoreError: a copy cannot be written.
    """
    for paths in blob_files(source, texts).values():
        for path in paths:
            new = target / path.parent.name / path.name
            new.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(path, new)
            except FileExistsError:
                continue
            except OSError:  # another file system
                with whole_file(new) as temporary:
                    shutil.copyfile(path, temporary)
