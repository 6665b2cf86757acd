"""Addresses of what is no file: ``mp:Li-Fe-O``, ``optimade:cod?filter=…``, ``matbench:…``, ``store:…``."""

from __future__ import annotations

import difflib
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.store_specs import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zonemelt.tasks.convert.origin import BadRow
    from zonemelt.tasks.ingest.tables.columns import Composition
    from zonemelt.tasks.records import Record

EXAMPLES: Final = {
    "mp": "mp:Li-Fe-O, mp:Fe2O3?energies=R2SCAN, mp:mp-149,mp-13",
    "optimade": "optimade:cod?filter=nelements=2&limit=10, optimade:https://oqmd.org/optimade",
    "matbench": "matbench:matbench_phonons, matbench:matbench_phonons?directory=/data/matbench",
    "store": "store:campaign, store:mongodb://host/database.collection",
}


def is_address(text: str) -> bool:
    """Whether a text is an address rather than a path: one of the schemes and a colon."""
    return text.partition(":")[0] in EXAMPLES and ":" in text


def read_address(address: str) -> Iterator[Record | Composition | BadRow]:
    """What lies at an address; nothing is fetched before the first is asked for, but its grammar is checked.

    Args:
        address: a scheme of :data:`EXAMPLES`, a colon, what is asked for, and options after ``?``.

    Raises:
        InputError: it is no address; the message shows how one is written.
    """
    scheme, colon, rest = address.partition(":")
    if not colon or scheme not in _READERS:
        near = difflib.get_close_matches(scheme, EXAMPLES, n=1)
        shown = [EXAMPLES[name] for name in (near or EXAMPLES)]
        raise InputError(
            f"'{redact(address)}' is no address", where="address", remedy=f"write {', or '.join(shown)}"
        )
    if not rest.strip():
        raise InputError(f"'{address}' asks for nothing", where="address", remedy=f"write {EXAMPLES[scheme]}")
    return _READERS[scheme](rest)


def _options(text: str, known: set[str], *, scheme: str) -> tuple[str, dict[str, str]]:
    """What is asked for, and the options behind it.

    Raises:
        UnknownKeyError: an option does not exist.
        InputError: an option has no value.
    """
    asked, _, query = text.partition("?")
    found: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        name, equals, value = part.partition("=")
        if name not in known:
            raise UnknownKeyError.of(name, known, where=f"address {scheme}:{asked}")
        if not equals or not value:
            raise InputError(f"{name} has no value", where=f"{scheme}:{asked}", remedy=f"write ?{name}=…")
        found[name] = urllib.parse.unquote_plus(value)
    return asked, found


def _mp(rest: str) -> Iterator[Any]:
    from zonemelt.tasks.ingest.tables.materials_project import read_materials_project

    asked, options = _options(rest, {"energies"}, scheme="mp")
    return read_materials_project(asked, thermo_type=options.get("energies", "GGA_GGA+U"))


def _optimade(rest: str) -> Iterator[Any]:
    from zonemelt.tasks.ingest.tables.optimade import PROVIDERS, read_optimade

    base, options = _options(rest, {"filter", "limit"}, scheme="optimade")
    if base not in PROVIDERS and not base.startswith(("http://", "https://")):
        raise InputError(
            f"'{base}' is no provider",
            where=f"optimade:{base}",
            remedy=f"write one of {', '.join(PROVIDERS)}, or an address that begins with https://",
        )
    limit = options.get("limit")
    if limit is not None and not limit.isdigit():
        raise InputError(f"limit is '{limit}'", where=f"optimade:{base}", remedy="give a whole number")
    return read_optimade(base, query=options.get("filter", ""), limit=int(limit) if limit else None)


def _matbench(rest: str) -> Iterator[Any]:
    from zonemelt.tasks.ingest.tables.matminer_json import read_matbench

    name, options = _options(rest, {"directory"}, scheme="matbench")
    return read_matbench(name, directory=Path(options["directory"]) if "directory" in options else None)


def _store(rest: str) -> Iterator[Any]:
    from zonemelt.tasks.ingest.tables.job_store import read_store

    return read_store(rest)


_READERS: Final[dict[str, Callable[[str], Iterator[Any]]]] = {
    "mp": _mp,
    "optimade": _optimade,
    "matbench": _matbench,
    "store": _store,
}
