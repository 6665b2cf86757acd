"""Candidates from elsewhere: files of structures, directories of them, datasets, and OPTIMADE databases."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore.candidate import Explorer, Found
from zonemelt.tasks.records import Element  # noqa: TC001 (pydantic reads it)
from zonemelt.tasks.structure_files import Read, read_below

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.tasks.explore.candidate import Candidate


class Query(BaseModel):
    """What to ask a database that speaks OPTIMADE."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database: str = Field(description="a name such as 'alexandria', or an address")
    query: str = Field(default="", description='in its language: elements HAS ALL "Li","O"')
    limit: int = Field(default=100, ge=1, description="structures at most")


class Sources(Explorer):
    """Structures as they are; they need no parents."""

    explorer: Literal["sources"] = "sources"
    paths: tuple[str, ...] = Field(default=(), description="files, directories of files, datasets")
    queries: tuple[Query, ...] = Field(default=(), description="of databases")
    elements: tuple[Element, ...] = Field(default=(), description="wanted; empty for all")
    atoms: int | None = Field(default=None, ge=1, description="of a structure at most")


def explore(settings: Sources) -> Found:
    """Read everything that is named; what is no structure is refused and counted.

    Raises:
        InputError: nothing is named, a path is not there or holds no structure, or a database is silent.
    """
    if not settings.paths and not settings.queries:
        raise InputError(
            "neither paths nor queries",
            where="explorer sources",
            remedy="name a file, a directory or a query",
        )
    found = Found(explorer=settings.explorer, closest=settings.closest)
    for path in settings.paths:
        before = found.counts["proposed"]
        for one in read_below(Path(path)):
            _add(found, one, settings)
        if found.counts["proposed"] == before:
            raise _nothing(path)
    for query in settings.queries:
        for one in _of_query(query):
            _add(found, one, settings)
    return found


def read_all(settings: Sources) -> Iterator[Read]:
    """All structures of the paths, one after the other.

    Raises:
        InputError: a path is not there.
    """
    for path in settings.paths:
        yield from read_below(Path(path))


class Collected:
    """What several sources held, one at a time: what was there before is known by its name alone."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._counts: Counter[str] = Counter()

    def read(self, settings: Sources) -> Iterator[Candidate]:
        """The candidates of a source that none before it held.

        Raises:
            InputError: see :func:`read_all`, or there is nothing in it.
        """
        before = sum(self._counts.values())
        for one in read_all(settings):
            found = Found(explorer=settings.explorer, closest=settings.closest)
            _add(found, one, settings)
            for name, candidate in found.candidates.items():
                if name in self._names:
                    found.counts["refused: the same as another"] += 1
                else:
                    self._names.add(name)
                    yield candidate
            self._counts.update(found.counts)
        if sum(self._counts.values()) == before:
            raise _nothing(", ".join(settings.paths))

    @property
    def counted(self) -> dict[str, int]:
        """See :meth:`.Found.document`."""
        return {"proposed": 0, **self._counts, "kept": len(self._names)}


def _nothing(where: str) -> InputError:
    return InputError("there is no structure in it", where=where, remedy="name another place")


def _add(found: Found, one: Read, settings: Sources) -> None:
    if one.geometry is None:
        found.refuse("no structure")
    elif settings.elements and set(one.geometry.symbols) - set(settings.elements):
        found.refuse("other elements")
    elif settings.atoms is not None and len(one.geometry.symbols) > settings.atoms:
        found.refuse(f"more than {settings.atoms} atoms")
    else:
        found.add(one.geometry, parent=one.name)


def _of_query(query: Query) -> Iterator[Read]:
    from zonemelt.tasks.convert.origin import BadRow
    from zonemelt.tasks.ingest.tables.optimade import read_optimade

    answers: Any = read_optimade(query.database, query=query.query, limit=query.limit)
    for one in answers:
        if isinstance(one, BadRow):
            yield Read(name=one.where, reason=one.reason)
        else:
            yield Read(name=one.identifier, geometry=one.geometry)
