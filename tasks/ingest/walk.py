"""Every file below some paths, in one order, and what cannot be looked into, with the reason.

Directories are walked, links are followed once, archives are unpacked into a temporary place: never outside
it, and one inside another once.
"""

from __future__ import annotations

import contextlib
import errno
import stat
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Final

from zonemelt.tasks.ingest.files import CHUNK, LARGEST
from zonemelt.tasks.ingest.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

NESTED: Final = 1  # archives inside archives that are opened
_SPECIAL: Final = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_BROKEN: Final = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """A file, or what there is in its place.

    Attributes:
        path: where it lies.
        source: as a person knows it; the member of an archive after ``::``.
        verdict: why it is not to be opened; None where it is.
        reason: the same in words.
        inside: archives that it lies in.
    """

    path: Path
    source: str
    verdict: Verdict | None = None
    reason: str = ""
    inside: int = 0


def walk(path: Path, *, source: str = "", inside: int = 0) -> Iterator[Found]:
    """Every file below a path, directories by name, each file once.

    Args:
        path: a file or a directory.
        source: its name for a person; by default the path.
        inside: archives that it lies in.
    """
    yield from _walk(path, source=source or str(path), above=(), inside=inside)


def _walk(path: Path, *, source: str, above: tuple[tuple[int, int], ...], inside: int) -> Iterator[Found]:
    def refused(verdict: Verdict, reason: str) -> Found:
        return Found(path=path, source=source, verdict=verdict, reason=reason, inside=inside)

    try:
        about = path.stat()
    except FileNotFoundError:
        yield refused(Verdict.UNREADABLE, "it leads nowhere" if path.is_symlink() else "it does not exist")
        return
    except OSError as error:
        yield refused(Verdict.UNREADABLE, why(error))
        return
    if stat.S_ISREG(about.st_mode):
        yield Found(path=path, source=source, inside=inside)
        return
    if not stat.S_ISDIR(about.st_mode):
        what = next((name for of_kind, name in _SPECIAL if of_kind(about.st_mode)), "no file")
        yield refused(Verdict.NOT_A_CALCULATION, f"it is {what}")
        return
    here = (about.st_dev, about.st_ino)
    if here in above:
        yield refused(Verdict.NOT_A_CALCULATION, "a link back to a directory above it")
        return
    try:
        names = sorted(entry.name for entry in path.iterdir())
    except OSError as error:
        yield refused(Verdict.UNREADABLE, why(error))
        return
    for name in names:
        inner = f"{source}{'' if source.endswith(('::', '/')) else '/'}{name}"
        yield from _walk(path / name, source=inner, above=(*above, here), inside=inside)


def why(error: OSError) -> str:
    """An error of the system in words for the report of a file."""
    if isinstance(error, PermissionError):
        return "there is no permission to read it"
    if error.errno == errno.ELOOP:
        return "a link that leads to itself"
    return error.strerror or str(error)


def unpack(archive: Found, folder: Path) -> Iterator[Found]:
    """Unpack an archive below ``folder`` and walk it; members that would leave it are refused.

    Args:
        archive: a tar, compressed or not, or a zip.
        folder: empty, and the caller's to remove.
    """
    source = f"{archive.source}::"
    if archive.inside > NESTED:
        yield Found(
            path=archive.path,
            source=archive.source,
            verdict=Verdict.UNREADABLE,
            reason="archives inside archives are opened once: unpack it yourself",
        )
        return
    budget = LARGEST
    broken = ""
    refusals: list[Found] = []
    members = 0
    try:
        for name, refusal, stream in _members(archive.path):
            members += 1
            if not refusal and not _inside(name):
                refusal = "it would be unpacked outside its directory"  # noqa: PLW2901 (it becomes refused)
            if refusal:
                what = Verdict.UNREADABLE if "outside" in refusal else Verdict.NOT_A_CALCULATION
                refusals.append(
                    Found(
                        path=archive.path,
                        source=source + name,
                        verdict=what,
                        reason=refusal,
                        inside=archive.inside + 1,
                    )
                )
                continue
            if stream is not None:
                with stream:
                    budget -= _write(stream, folder / name, budget)
    except _BROKEN as error:
        broken = f"the archive breaks off: {type(error).__name__}: {error}"
    yield from refusals
    yield from walk(folder, source=source, inside=archive.inside + 1)
    if broken or not members:
        yield Found(
            path=archive.path,
            source=archive.source,
            verdict=Verdict.TRUNCATED if members else Verdict.UNREADABLE,
            reason=broken or "an archive without members",
            inside=archive.inside,
        )


def _members(path: Path) -> Iterator[tuple[str, str, IO[bytes] | None]]:
    """Name, why it is refused, and content of every member, in the archive's order."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            for entry in packed.infolist():
                if stat.S_ISLNK(entry.external_attr >> 16):
                    yield entry.filename, "a link inside an archive is not followed", None
                elif not entry.is_dir():
                    yield entry.filename, "", packed.open(entry)
        return
    with tarfile.open(path, "r|*") as packed_tar:
        for member in packed_tar:
            if member.issym() or member.islnk():
                yield member.name, "a link inside an archive is not followed", None
            elif member.isfile():
                yield member.name, "", packed_tar.extractfile(member)
            elif not member.isdir():
                yield member.name, "a device or a pipe inside an archive", None


def _inside(name: str) -> bool:
    """Whether a member's name stays below the directory that it is unpacked into."""
    parts = PurePosixPath(name.replace("\\", "/"))
    return not parts.is_absolute() and ".." not in parts.parts and bool(parts.parts) and "\x00" not in name


def _write(stream: IO[bytes], target: Path, budget: int) -> int:
    """Write one member; returns its size.

    Raises:
        ValueError: there is more of it than may be.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with target.open("wb") as out:
        while part := stream.read(CHUNK):
            written += len(part)
            if written > budget:
                with contextlib.suppress(OSError):
                    target.unlink()
                raise ValueError(f"its members hold more than {LARGEST} bytes")
            out.write(part)
    return written
