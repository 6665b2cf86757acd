"""A folder as one archive, and back: no archive leads out of its folder or fills the disk."""

from __future__ import annotations

import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from typing import IO, TYPE_CHECKING

from zonemelt.tasks.errors import CampaignError, InputError
from zonemelt.tasks.whole_files import make_private, whole_file
from zonemelt.workflows.provenance.hashes import is_inside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ZIP = (".zip",)
TAR = (".tar", ".tar.gz", ".tgz", ".tar.xz")
MOST_BYTES = 1 << 40
MOST_FILES = 5_000_000
_RATIO = 200  # of what comes out to what is there: campaigns reach 20
_SMALL = 1 << 28  # bytes below which nobody minds
_RESERVE = 1 << 28  # bytes that stay free on the disk
_PIECE = 1 << 20


def is_archive(path: Path) -> bool:
    """Whether a path is called like an archive."""
    return path.name.lower().endswith(ZIP + TAR)


def pack(folder: Path, archive: Path) -> None:
    """Write a folder as an archive that only its owner reads; it appears whole.

    Raises:
        StoreError: it cannot be written.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with whole_file(archive, private=True) as temporary:
        if archive.name.lower().endswith(ZIP):
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
                for path in files:
                    packed.write(path, path.relative_to(folder).as_posix())
            return
        way = {".gz": "w:gz", ".tgz": "w:gz", ".xz": "w:xz"}.get(archive.suffix.lower(), "w")
        with tarfile.open(temporary, way, format=tarfile.PAX_FORMAT) as packed:  # type: ignore[call-overload]
            for path in files:
                packed.add(path, path.relative_to(folder).as_posix(), recursive=False, filter=_anonymous)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def unpack(archive: Path, folder: Path, *, most_bytes: int = MOST_BYTES) -> None:
    """Read an archive of somebody else into an empty folder.

    Every member must be a plain file that stays inside; sizes are counted while they are read, whatever the
    archive says of them.

    Args:
        archive: a zip or tar file.
        folder: where to; made with no rights for others.
        most_bytes: how much may come out.

    Raises:
        CampaignError: it is no archive, or a member leads out of the folder, is no plain file, comes twice,
            or all of it is more than there may be.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    size = archive.stat().st_size
    most = min(most_bytes, max(_SMALL, size * _RATIO), shutil.disk_usage(folder).free - _RESERVE)
    seen: set[str] = set()
    left = most
    try:
        for name, content in _members(archive):
            if not is_inside(name):
                raise _refused(archive, f"its member {name!r} leads out of the folder")
            if name in seen:
                raise _refused(archive, f"its member {name!r} is in it twice")
            seen.add(name)
            if len(seen) > MOST_FILES:
                raise _refused(archive, f"it has more than {MOST_FILES:,} files")
            target = folder / name
            make_private(target.parent)
            with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                while piece := content.read(min(_PIECE, left + 1)):
                    left -= len(piece)
                    if left < 0:
                        raise _refused(archive, f"more comes out of its {size:,} bytes than {most:,}")
                    file.write(piece)
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        EOFError,
        zlib.error,
        lzma.LZMAError,
        NotImplementedError,
        RuntimeError,
        OSError,
    ) as error:
        raise _refused(archive, f"it cannot be read: {error}") from error


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    name = archive.name.lower()
    if name.endswith(ZIP):
        return _of_zip(archive)
    if name.endswith(TAR):
        return _of_tar(archive)
    raise InputError(
        "this is neither a folder nor an archive of a crate",
        where=str(archive),
        remedy=f"archives end in {', '.join(ZIP + TAR)}",
    )


def _of_zip(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            kind = info.external_attr >> 16
            if stat.S_IFMT(kind) not in {0, stat.S_IFREG, stat.S_IFDIR}:
                raise _refused(archive, f"its member {info.filename!r} is not a plain file")
            if not info.is_dir():
                with packed.open(info) as content:
                    yield info.filename, content


def _of_tar(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(archive) as packed:
        for member in packed:
            if member.isdir():
                if not is_inside(member.name):
                    raise _refused(archive, f"its member {member.name!r} leads out of the folder")
                continue
            inside = packed.extractfile(member) if member.isreg() else None
            if inside is None:
                raise _refused(archive, f"its member {member.name!r} is not a plain file")
            yield member.name, inside
        # what a compressed stream says of its content comes after the last member
        if packed.fileobj is not None and len(packed.fileobj.read(_PIECE)) == _PIECE:
            raise _refused(archive, "it goes on after its end")


def _refused(archive: Path, why: str) -> CampaignError:
    return CampaignError(
        f"the archive is refused: {why}",
        where=str(archive),
        remedy="get the crate again from who made it; `--max-size` allows a larger one",
    )
