"""Content-addressed files, so that large arrays never travel as lists of numbers in JSON.

Before a result becomes JSON, :func:`offload` moves its large arrays and structures into files and
leaves a :class:`FileReference` of about 200 bytes in their place. What decodes the JSON gets the
array or structure back, read from the active directory::

    blobs = BlobDirectory(Path("campaign/blobs"))
    text = json.dumps(offload(result, blobs), cls=MontyEncoder)
    with blobs.active():
        result = json.loads(text, cls=MontyDecoder)

:func:`hydrate` instead gives the document that jobflow would have stored without any of this.
"""

from __future__ import annotations

import gc
import hashlib
import io
import os
import re
import secrets
import sys
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
from monty.json import MontyDecoder, MSONable

from zonemelt import __version__
from zonemelt.tasks.documents import dumps, loads
from zonemelt.tasks.errors import StoreError
from zonemelt.tasks.whole_files import settle_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

Kind = Literal["array", "structure", "json"]
AsLists = Literal[False, True, "late"]
Buffer: TypeAlias = "bytes | memoryview"

SUFFIXES: Final[dict[Kind, str]] = {"array": ".npy", "structure": ".safetensors", "json": ".json"}
THRESHOLD: Final = 8192
"""Smallest array (bytes) worth a file."""
SITE_BYTES: Final = 24
"""What a site counts for: three coordinates in double precision."""
ATOMS: Final = frozenset({str, int, float, bool, type(None)})
MARK: Final = "zonemelt.tasks.blobs"
"""The module name inside every reference: text without it holds no reference."""

_active: ContextVar[BlobDirectory | None] = ContextVar("blob_directory", default=None)
_as_lists: ContextVar[AsLists] = ContextVar("arrays_as_lists", default=False)


@dataclass(frozen=True)
class BlobDirectory:
    """A directory of files named by the SHA-256 of their content: ``root/ab/abcd….npy``.

    Writers need no lock: a file appears whole or not at all, and the same content is the same file.

    Attributes:
        root: the directory; created when first written to.
    """

    root: Path

    def path(self, digest: str, kind: Kind) -> Path:
        """Return where a blob is, or would be."""
        return self.root / digest[:2] / f"{digest}{SUFFIXES[kind]}"

    def put(self, data: Buffer, *, kind: Kind, fsync: bool = False) -> str:
        """Store bytes and return their digest; free if they are there already.

        Args:
            data: the content.
            kind: what it is, which decides the suffix.
            fsync: also survive a power failure (a killed process loses nothing either way).

        Raises:
            StoreError: the directory cannot be written.
        """
        digest = hashlib.sha256(data).hexdigest()
        path = self.path(digest, kind)
        size = data.nbytes if isinstance(data, memoryview) else len(data)
        with suppress(OSError):
            if path.stat().st_size == size:
                return digest
        temporary = path.with_name(f".{digest[:16]}.{secrets.token_hex(6)}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file:
                file.write(data)
                if fsync:
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(path)
            if fsync:
                settle_names(path.parent)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            raise StoreError(
                f"a blob of {size} bytes cannot be written: {error.strerror}",
                where=str(path),
                remedy="check free space, quota and permissions of the blob directory",
            ) from error
        return digest

    def get(self, digest: str, kind: Kind, *, nbytes: int | None = None, verify: bool = False) -> bytes:
        """Read a blob.

        Args:
            digest: its SHA-256, 64 hexadecimal digits.
            kind: what it is.
            nbytes: its size, checked if given.
            verify: also compute the digest of what was read.

        Raises:
            StoreError: the file is missing, truncated or altered.
        """
        path = self.path(digest, kind)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StoreError(
                f"a blob cannot be read: {error.strerror}",
                where=str(path),
                remedy="the blob directory must be moved and copied together with the database",
            ) from error
        if nbytes is not None and len(data) != nbytes:
            what = f"a blob has {len(data)} bytes instead of {nbytes}"
        elif verify and hashlib.sha256(data).hexdigest() != digest:
            what = "a blob does not have the content that its name promises"
        else:
            return data
        raise StoreError(what, where=str(path), remedy="restore the file from a copy, or rerun its job")

    @contextmanager
    def active(self, *, as_lists: AsLists = False) -> Iterator[BlobDirectory]:
        """Decode references from this directory inside the ``with`` block (and its context).

        Args:
            as_lists: give arrays as nested lists. A jobflow job gets the arrays of other jobs' outputs so,
                and what it gets must not depend on how large they are. ``"late"`` leaves the conversion to
                :func:`to_lists`: what decodes an argument may walk over every number in a list.
        """
        tokens = _active.set(self), _as_lists.set(as_lists)
        try:
            yield self
        finally:
            _active.reset(tokens[0])
            _as_lists.reset(tokens[1])


class _Late(np.ndarray[Any, Any]):
    """An array, or a part of one, that will be nested lists."""


def to_lists(obj: Any) -> Any:
    """Replace what was decoded under ``active(as_lists="late")`` in plain containers by nested lists."""

    def replace(value: Any) -> Any:
        if isinstance(value, (_Late, np.generic)):  # an item of an array is no array
            return _lists(np.asarray(value))
        return _rebuild(value, replace)

    return replace(obj)


def active_directory() -> BlobDirectory:
    """Return the directory that references are decoded from.

    Raises:
        StoreError: outside of every ``with blobs.active():``.
    """
    directory = _active.get()
    if directory is None:
        raise StoreError(
            "a file reference was decoded, but no blob directory is active",
            where="FileReference",
            remedy="decode inside 'with BlobDirectory(path).active():'",
        )
    return directory


@dataclass(frozen=True)
class FileReference(MSONable):
    """The place of a large value in a document: its kind, SHA-256 and size.

    Attributes:
        kind: ``array`` (NumPy array), ``structure`` (pymatgen) or ``json`` (any document).
        sha256: the digest that names the file.
        nbytes: the size of the file.
        shape: of an array.
        dtype: of an array, as NumPy writes it (``<f8``).
    """

    kind: Kind
    _: KW_ONLY
    sha256: str
    nbytes: int
    shape: tuple[int, ...] | None = None
    dtype: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form, which :class:`monty.json.MontyDecoder` turns into the value."""
        document: dict[str, Any] = {
            "@module": MARK,
            "@class": "FileReference",
            "@version": __version__,
            "kind": self.kind,
            "sha256": self.sha256,
            "nbytes": self.nbytes,
        }
        if self.shape is not None:
            document |= {"shape": list(self.shape), "dtype": self.dtype}
        return document

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> Any:
        """Return the value itself, read from the active directory.

        Raises:
            StoreError: no directory is active, or the file is missing or damaged.
        """
        value = cls.parse(d).value(active_directory())
        if not isinstance(value, np.ndarray) or not (wanted := _as_lists.get()):
            return value
        return value.view(_Late) if wanted == "late" else _lists(value)

    @classmethod
    def parse(cls, document: dict[str, Any]) -> FileReference:
        """Read the JSON form without loading the value.

        Raises:
            StoreError: a field is missing or malformed.
        """
        kind: Any = document.get("kind")
        nbytes: Any = document.get("nbytes")
        digest, shape = str(document.get("sha256")), document.get("shape")
        known = kind in SUFFIXES and isinstance(nbytes, int)
        if not known or not re.fullmatch("[0-9a-f]{64}", digest):
            raise StoreError(
                f"a malformed file reference: {document!r:.300}",
                where="FileReference",
                remedy="the document was altered by hand or written by another version",
            )
        return cls(
            kind,
            sha256=digest,
            nbytes=nbytes,
            shape=None if shape is None else tuple(shape),
            dtype=document.get("dtype"),
        )

    def read(self, blobs: BlobDirectory) -> bytes:
        """Return the file's bytes."""
        return blobs.get(self.sha256, self.kind, nbytes=self.nbytes)

    def value(self, blobs: BlobDirectory) -> Any:
        """Return the array, the Structure, or the decoded document."""
        data = self.read(blobs)
        if self.kind == "array":
            return _array(data)
        if self.kind == "structure":
            from zonemelt.tasks.structure_blobs import decode_structure

            return decode_structure(data)
        with blobs.active(as_lists=_as_lists.get()):
            return MontyDecoder().process_decoded(loads(data.decode()))

    def document(self, blobs: BlobDirectory) -> Any:
        """Return what jobflow would have stored: nested lists, ``as_dict``, or the document."""
        data = self.read(blobs)
        if self.kind == "array":
            return _lists(_array(data))
        if self.kind == "structure":
            from zonemelt.tasks.structure_blobs import structure_document

            return structure_document(data)
        return hydrate(loads(data.decode()), blobs)


def put_array(array: NDArray[Any], blobs: BlobDirectory, *, fsync: bool = False) -> FileReference:
    """Save an array of any shape as ``.npy``, without pickles."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    data = buffer.getbuffer()
    digest = blobs.put(data, kind="array", fsync=fsync)
    return FileReference("array", sha256=digest, nbytes=data.nbytes, shape=array.shape, dtype=array.dtype.str)


def put_structure(structure: Any, blobs: BlobDirectory, *, fsync: bool = False) -> FileReference | None:
    """Save a pymatgen Structure; None if it cannot be kept exactly (then it stays JSON)."""
    from zonemelt.tasks.structure_blobs import encode_structure

    data = encode_structure(structure)
    if data is None:
        return None
    digest = blobs.put(data, kind="structure", fsync=fsync)
    return FileReference("structure", sha256=digest, nbytes=len(data))


def put_json(document: Any, blobs: BlobDirectory, *, fsync: bool = False) -> FileReference:
    """Save a JSON-like document as text.

    Raises:
        StoreError: the document holds what JSON cannot.
    """
    data = dumps(document).encode()
    digest = blobs.put(data, kind="json", fsync=fsync)
    return FileReference("json", sha256=digest, nbytes=len(data))


def offload(obj: Any, blobs: BlobDirectory, threshold: int = THRESHOLD, *, fsync: bool = False) -> Any:
    """Replace large arrays and structures in dicts, lists and tuples by file references.

    Only plain containers are entered, never other objects. Arrays of at least ``threshold`` bytes
    and structures of at least ``threshold / 24`` sites are replaced; object, complex and date
    arrays stay, since no JSON document of jobflow holds them.

    Returns:
        The same object if nothing in it is large; otherwise a copy of the containers that changed.
    """
    core = sys.modules.get("pymatgen.core.structure")  # not imported: there can be no Structure
    structure_type: Any = core.IStructure if core is not None else ()

    def replace(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            large = value.nbytes >= threshold and type(value) is np.ndarray
            plain = value.dtype.kind in "biufU" and value.dtype != np.longdouble
            return put_array(value, blobs, fsync=fsync) if large and plain else value
        if isinstance(value, structure_type):
            if len(value) < threshold // SITE_BYTES:
                return value
            return put_structure(value, blobs, fsync=fsync) or value
        return _rebuild(value, replace)

    return replace(obj)


def hydrate(doc: Any, blobs: BlobDirectory) -> Any:
    """Replace file references in a JSON-like document by what jobflow would have stored.

    The result equals ``jsanitize(value, strict=True, enum_values=True, allow_bson=True)`` of the
    value that was offloaded. A document without references is returned as it is; test for
    :data:`MARK` in its text first where the text is at hand.

    Raises:
        StoreError: a file is missing or damaged.
    """
    if is_reference(doc):
        return FileReference.parse(doc).document(blobs)
    return _rebuild(doc, lambda value: hydrate(value, blobs))


def is_reference(doc: Any) -> bool:
    """Tell whether a JSON-like value is the JSON form of a file reference."""
    return type(doc) is dict and doc.get("@class") == "FileReference" and doc.get("@module") == MARK


def _rebuild(value: Any, replace: Callable[[Any], Any]) -> Any:
    """Apply ``replace`` to the items of a plain container; the same object if none changed."""
    if type(value) is dict:
        changed = {k: n for k, v in value.items() if type(v) not in ATOMS and (n := replace(v)) is not v}
        return {**value, **changed} if changed else value
    if (type(value) is list or type(value) is tuple) and not ATOMS.issuperset(map(type, value)):
        items = [replace(v) for v in value]
        same = all(a is b for a, b in zip(items, value, strict=True))
        return value if same else type(value)(items)
    return value


def _array(data: bytes) -> NDArray[Any]:
    array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    return array


def _lists(array: NDArray[Any]) -> Any:
    """The array as nested lists; the collector of cycles would walk over them again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        return array.tolist()
    finally:
        gc.freeze()  # they count as old from now on,
        gc.unfreeze()  # not as thousands of new objects that a collection is due for
        if enabled:
            gc.enable()
