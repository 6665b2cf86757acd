"""Fetch structures from any database that speaks OPTIMADE (Evans et al., Digit. Discov. 3, 1509 (2024))."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.convert.checked import REMEDY, checked, new_record
from zonemelt.tasks.convert.origin import BadRow, Origin, parser_of
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.tables.common import (
    NOTHING_KNOWN,
    ingested,
    properties_of,
    theory_unstated,
)
from zonemelt.tasks.records import Geometry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.tasks.records import Record

PROVIDERS: Final = {
    "mp": "https://optimade.materialsproject.org",
    "oqmd": "https://oqmd.org/optimade",
    "cod": "https://www.crystallography.net/cod/optimade",
    "alexandria": "https://alexandria.icams.rub.de/pbe",
}
_PAGE: Final = 100
_LARGEST: Final = 256 * 2**20  # bytes of one answer


def read_optimade(
    base: str, *, query: str = "", limit: int | None = None, timeout: float = 60.0
) -> Iterator[Record | BadRow]:
    """The structures that a database has for a query, page by page.

    Fields of the provider's own (``_mp_…``) are kept as properties; their units are in the provider's
    documentation and not in the answer. Disordered structures are refused with a reason.

    Args:
        base: address without ``/v1``, or a name of :data:`PROVIDERS`.
        query: in OPTIMADE's filter language: ``elements HAS ALL "Li","O" AND nelements=2``.
        limit: of the number of structures.
        timeout: s, of one answer.

    Raises:
        InputError: the address is none, or the server does not answer or refuses the query.
    """
    base = PROVIDERS.get(base, base).rstrip("/")
    asked = {"page_limit": str(min(_PAGE, limit or _PAGE)), "response_format": "json"}
    if query:
        asked["filter"] = query
    address: str | None = f"{base}/v1/structures?{urllib.parse.urlencode(asked)}"
    seen: set[str] = set()
    number = 0
    parser = parser_of("zonemelt")
    while address is not None and address not in seen:
        seen.add(address)
        page = _answer(address, timeout=timeout)
        for entry in page.get("data") or []:
            if limit is not None and number >= limit:
                return
            source = f"optimade:{base}#{entry.get('id') if isinstance(entry, dict) else number}"
            try:
                yield _record(entry, source=source, number=number, parser=parser)
            except InputError as error:
                yield BadRow(where=source, reason=error.what)
            number += 1
        following = (page.get("links") or {}).get("next")
        following = following.get("href") if isinstance(following, dict) else following
        address = urllib.parse.urljoin(address, following) if following else None


def _answer(address: str, *, timeout: float) -> dict[str, Any]:
    """One page."""
    if urllib.parse.urlsplit(address).scheme not in {"http", "https"}:
        raise InputError("it is no address of the web", where=address, remedy="begin it with https://")
    request = urllib.request.Request(address, headers={"User-Agent": "zonemelt"})  # noqa: S310 (checked above)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310 # nosec B310 (checked above)
            page = json.loads(answer.read(_LARGEST))
    except urllib.error.HTTPError as error:
        raise InputError(
            f"the server answers {error.code}: {_complaint(error)}",
            where=address,
            remedy="check the filter: see the OPTIMADE specification",
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"there is no answer: {error}", where=address, remedy="check the address and the network"
        ) from None
    if not isinstance(page, dict) or not isinstance(page.get("data"), list):
        raise InputError("it does not speak OPTIMADE", where=address, remedy="give the address without /v1")
    return page


def _complaint(error: urllib.error.HTTPError) -> str:
    """What the server says is wrong."""
    try:
        said = json.loads(error.read(65536))["errors"][0]
        return str(said.get("detail") or said.get("title"))
    except (ValueError, KeyError, IndexError, TypeError, OSError):
        return str(error.reason)


def _record(entry: Any, *, source: str, number: int, parser: str) -> Record:
    attributes = entry.get("attributes") if isinstance(entry, dict) else None
    if not isinstance(attributes, dict):
        raise InputError("it has no attributes", where=source, remedy=REMEDY)
    origin = Origin(source=source)
    own = [(name, value) for name, value in attributes.items() if name.startswith("_")]
    return new_record(
        where=source,
        identifier=str(entry.get("id")),
        geometry=_geometry(attributes, where=source),
        properties=properties_of(own),
        theory=theory_unstated(Origin(source=source.partition("#")[0])),
        convergence=NOTHING_KNOWN,
        provenance=ingested(origin, parser=parser, row=number),
    )


def _geometry(attributes: dict[str, Any], *, where: str) -> Geometry:
    """The structure, if each of its sites has one element."""
    if features := set(attributes.get("structure_features") or []) & {"disorder", "unknown_positions"}:
        raise InputError(f"it has {', '.join(sorted(features))}", where=where, remedy=REMEDY)
    try:
        species = {one["name"]: one for one in attributes["species"]}
        kinds = [species[name] for name in attributes["species_at_sites"]]
        for kind in kinds:
            if len(kind["chemical_symbols"]) != 1 or kind["concentration"][0] != 1:
                raise InputError(f"site of {kind['name']} is disordered", where=where, remedy="leave it out")
        parts = {
            "symbols": [kind["chemical_symbols"][0] for kind in kinds],
            "positions": attributes["cartesian_site_positions"],
            "cell": attributes.get("lattice_vectors") or [[0.0] * 3] * 3,
            "periodic": [bool(along) for along in attributes["dimension_types"]],
        }
    except (KeyError, TypeError, IndexError) as error:
        raise InputError(f"it lacks {error}", where=where, remedy=REMEDY) from None
    return checked(lambda: Geometry.model_validate(parts), where=where)
