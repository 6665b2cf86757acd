"""What a person may write about a store in a campaign file, checked before anything is opened."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SQLiteBlobs(_Spec):
    """An additional store in an SQLite file, everything in the database."""

    type: Literal["sqlite"] = "sqlite"
    path: str | None = None


class FileBlobs(_Spec):
    """An additional store whose large values are files beside an SQLite index."""

    type: Literal["file"] = "file"
    path: str | None = None


class MemoryBlobs(_Spec):
    """An additional store that ends with the process."""

    type: Literal["memory"] = "memory"


class GridFSBlobs(_Spec):
    """An additional store in GridFS, by default of the same MongoDB database."""

    type: Literal["gridfs"] = "gridfs"
    uri: str | None = None
    collection: str | None = None
    compression: bool = True


class S3Blobs(_Spec):
    """An additional store in S3 or anything that speaks its protocol; the index stays at home."""

    type: Literal["s3"] = "s3"
    bucket: str
    prefix: str | None = None
    endpoint_url: str | None = None
    profile: str | None = None
    compress: bool = True
    workers: int = 1


Blobs = Annotated[SQLiteBlobs | FileBlobs | MemoryBlobs | GridFSBlobs | S3Blobs, Field(discriminator="type")]


class SQLiteSpec(_Spec):
    """The embedded store."""

    type: Literal["sqlite"] = "sqlite"
    path: str | None = None
    collection: str = "outputs"
    blobs: str | None = None
    read_only: bool = False
    additional: dict[str, Blobs] = {}


class MemorySpec(_Spec):
    """A store that ends with the process."""

    type: Literal["memory"] = "memory"
    additional: dict[str, Blobs] = {}


class MongoSpec(_Spec):
    """A MongoDB server, by URI or by parts."""

    type: Literal["mongo"] = "mongo"
    uri: str | None = None
    host: str = "localhost"
    port: int = 27017
    database: str | None = None
    collection: str = "outputs"
    username: str = ""
    password: str = Field(default="", repr=False)
    auth_source: str | None = None
    additional: dict[str, Blobs] = {}


StoreSpec = SQLiteSpec | MemorySpec | MongoSpec
_MODELS: Final[dict[str, type[StoreSpec]]] = {
    "sqlite": SQLiteSpec,
    "memory": MemorySpec,
    "mongo": MongoSpec,
}
_BLOBS: Final = ("sqlite", "file", "memory", "gridfs", "s3")
_SECRET: Final = ("uri", "username", "password")


def read_spec(spec: Mapping[str, Any], *, where: str = "store") -> StoreSpec:
    """Check a store specification; ``${NAME}`` in it stands for an environment variable.

    Raises:
        UnknownKeyError: a type or key that does not exist.
        InputError: a value of the wrong kind, or a variable that is not set.
    """
    kind = _type_of(spec, _MODELS, where=where)
    additional = spec.get("additional") or {}
    for name, blobs in additional.items() if isinstance(additional, dict) else ():
        _type_of(blobs, _BLOBS, where=f"{where}.additional.{name}")
    given = expand(dict(spec), where=where)
    return read_settings(_MODELS[kind], given, where=where, page="docs/stores.md", secret=_SECRET)


def _type_of(spec: Any, types: Collection[str], *, where: str) -> str:
    """The type that a specification says it is of.

    Raises:
        UnknownKeyError: there is no such type.
        InputError: it is no mapping.
    """
    if not isinstance(spec, dict):
        raise InputError(
            f"expected a mapping with a 'type', found {type(spec).__name__}",
            where=where,
            remedy=f"types: {', '.join(types)}",
        )
    kind = str(spec.get("type"))
    if kind not in types:
        raise UnknownKeyError.of(kind, types, where=f"{where}.type")
    return kind


def expand(value: Any, *, where: str) -> Any:
    """Replace ``${NAME}`` by the environment variable, so that no file need hold a password.

    Raises:
        InputError: the variable is not set.
    """
    if isinstance(value, dict):
        return {key: expand(item, where=f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [expand(item, where=where) for item in value]
    if not isinstance(value, str):
        return value

    def variable(match: re.Match[str]) -> str:
        name = match[1]
        if name not in os.environ:
            raise InputError(
                f"the environment variable {name} is not set",
                where=where,
                remedy=f"export {name}=… before starting",
            )
        return os.environ[name]

    return re.sub(r"\$\{(\w+)\}", variable, value)


def redact(text: str) -> str:
    """Hide the user and password of every URI in a text."""
    return re.sub(r"(\w://)\S*@", r"\1***@", text)
