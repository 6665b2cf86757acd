"""Files as they lie there: compressed or not, and their first bytes."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import importlib
import io
import lzma
import mmap
import zlib
from typing import IO, TYPE_CHECKING, Any, Final, TypeAlias

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Mapped: TypeAlias = "mmap.mmap | bytes"
HEAD: Final = 16384  # bytes that tell what a file is
SETTINGS: Final = 4 << 20  # bytes in which an output tells its settings
CHUNK: Final = 1 << 20
LARGEST: Final = 64 << 30  # bytes; more than this, decompressed, is refused
RATIO: Final = 500  # of decompressed to compressed bytes; text of calculations stays below 30
HARMLESS: Final = 256 << 20  # bytes up to which the ratio does not matter
BROKEN: Final = (EOFError, OSError, lzma.LZMAError, zlib.error)
_MAGIC: Final = {
    b"\x1f\x8b": "gz",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zst",
}
SUFFIXES: Final = tuple(f".{name}" for name in _MAGIC.values())


def compression(begin: bytes) -> str | None:
    """What a file that begins so is compressed with; None for none."""
    return next((name for magic, name in _MAGIC.items() if begin.startswith(magic)), None)


def bare_name(name: str) -> str:
    """A file's name without the endings of compressed files."""
    while name.lower().endswith(SUFFIXES) and name.count("."):
        name = name.rpartition(".")[0]
    return name


def opened(path: Path) -> IO[bytes]:
    """The content of a file, decompressed as it is read.

    Raises:
        InputError: it is compressed with what no library here reads.
        OSError: it cannot be opened.
    """
    with path.open("rb") as file:
        packed = compression(file.read(8))
    if packed == "zst":
        return _zstandard(path)
    readers: dict[str | None, Any] = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}
    stream: IO[bytes] = readers.get(packed, open)(path, "rb")
    return stream


def _zstandard(path: Path) -> IO[bytes]:
    for module in ("compression.zstd", "zstandard", "pyzstd"):
        try:
            library: Any = importlib.import_module(module)
        except ImportError:
            continue
        return io.BufferedReader(_Zstandard(path, library))
    raise InputError(
        "it is compressed with zstd, and no library for it is installed",
        where=str(path),
        remedy="`pip install zstandard`, or decompress it",
    )


class _Zstandard(io.RawIOBase):
    """What a library for zstd reads; its own error becomes one of the system's, as for other compressions."""

    def __init__(self, path: Path, library: Any) -> None:
        super().__init__()
        self._file = path.open("rb")
        if hasattr(library, "ZstdDecompressor") and library.__name__ == "zstandard":
            self._stream = library.ZstdDecompressor().stream_reader(self._file, read_across_frames=True)
        else:
            self._stream = library.open(self._file, "rb")
        self._broken = library.ZstdError

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, or a part of it.

        Raises:
            OSError: the stream is broken.
        """
        try:
            part: bytes = self._stream.read(len(buffer))
        except self._broken as error:
            raise OSError(str(error)) from error
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        """Close the file too."""
        self._file.close()
        super().close()


def head_of(path: Path, size: int = HEAD) -> bytes:
    """The first bytes of a file, decompressed.

    Raises:
        InputError: its compressed stream is broken from the beginning, or of an unknown kind.
        OSError: it cannot be opened.
    """
    with opened(path) as stream:
        parts: list[bytes] = []
        try:
            while size > 0 and (part := _some(stream, min(size, 4096))):
                parts.append(part)
                size -= len(part)
        except BROKEN as error:
            if not parts:
                raise InputError(
                    f"its compressed stream is broken: {error}",
                    where=str(path),
                    remedy="copy it again from where it came",
                ) from None
    return b"".join(parts)


@contextlib.contextmanager
def mapped(path: Path, first: int = 0) -> Iterator[Mapped]:
    """The content of a plain file, to look for words in; it is mapped, never read whole.

    Args:
        path: of the file.
        first: how many of its bytes, from the beginning; 0 for all.
    """
    size = path.stat().st_size
    if not size:
        yield b""
        return
    length = min(size, first) if first else size
    with path.open("rb") as file, mmap.mmap(file.fileno(), length, access=mmap.ACCESS_READ) as text:
        yield text


def _some(stream: IO[bytes], size: int) -> bytes:
    """What comes next of a stream: of a broken one, everything before the break."""
    read: Any = getattr(stream, "read1", stream.read)
    part: bytes = read(size)
    return part


def plain_copy(path: Path, folder: Path) -> tuple[Path, str]:
    """A file decompressed into ``folder``; a file that is not compressed stays where it is.

    Returns:
        Where its content lies, and why it is not all there: empty where it is.

    Raises:
        InputError: it is far larger than it may be, or nothing can be decompressed.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        packed = compression(file.read(8))
    if packed is None:
        return path, ""
    target = folder / bare_name(path.name)
    allowed = min(max(RATIO * path.stat().st_size, HARMLESS), LARGEST)
    written, broken = 0, ""
    with opened(path) as stream, target.open("wb") as out:
        try:
            while part := _some(stream, CHUNK):
                written += len(part)
                if written > allowed:
                    raise InputError(
                        f"{path.stat().st_size} bytes decompress to more than {allowed}",
                        where=str(path),
                        remedy="decompress it yourself if you trust it",
                    )
                out.write(part)
        except BROKEN as error:
            broken = f"its compressed stream breaks off after {written} bytes: {error}"
    if not written:
        raise InputError(broken or "it holds nothing", where=str(path), remedy="copy it again")
    return target, broken
