"""MongoDB's query language over plain documents: filter, sort, projection, distinct.

Filters and the order of values are mongomock's, the same that Maggma's MemoryStore uses, so that a
query means the same in every store. A field path has dots: ``output.energy``, ``sites.0.label``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from zonemelt.tasks.blobs import FileReference, is_reference
from zonemelt.tasks.documents import dumps
from zonemelt.tasks.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from zonemelt.tasks.blobs import BlobDirectory

Document: TypeAlias = "dict[str, Any]"
Criteria: TypeAlias = "Mapping[str, Any]"
Path: TypeAlias = tuple[str, ...]
Item = TypeVar("Item")

LOGICAL = frozenset({"$and", "$or", "$nor"})


@cache
def _filtering() -> Any:
    return import_module("mongomock_ng.filtering")


def matches(criteria: Criteria, document: Document) -> bool:
    """Tell whether a document satisfies a MongoDB filter.

    Raises:
        StoreError: the filter is malformed, or uses an operator that is not supported.
    """
    from pymongo.errors import OperationFailure

    try:
        return bool(_filtering().filter_applies(criteria, document))
    except (OperationFailure, NotImplementedError, TypeError, ValueError) as error:
        raise _malformed(criteria, error) from error


def check_criteria(criteria: Criteria | None) -> Criteria:
    """Return the filter, empty for None, after refusing what must never be evaluated.

    Raises:
        StoreError: it is not a mapping, or asks for ``$where`` (arbitrary code).
    """
    if criteria is None:
        return {}
    if not isinstance(criteria, Mapping):
        raise _malformed(criteria, TypeError("a filter is a dictionary of fields and values"))
    if "$where" in dumps_safely(criteria):
        raise _malformed(criteria, ValueError("$where would run code and is not supported"))
    _check_parts(criteria, criteria)
    return criteria


def _check_parts(part: Any, whole: Criteria) -> None:
    """Refuse what is no filter among those that are put together."""
    if not isinstance(part, Mapping):
        raise _malformed(whole, TypeError(f"{part!r:.60} is no filter"))
    for name in LOGICAL & part.keys():
        for inner in part[name] if isinstance(part[name], (list, tuple)) else ():
            _check_parts(inner, whole)


def dumps_safely(value: Any) -> str:
    """Write a filter for people: as JSON where possible."""
    try:
        return dumps(value)
    except StoreError:
        return repr(value)


def _malformed(criteria: Any, error: Exception) -> StoreError:
    return StoreError(
        f"a query cannot be evaluated: {error}",
        where=f"criteria {dumps_safely(criteria):.300}",
        remedy="see docs/stores.md for the operators that every store understands",
    )


def sort_documents(
    items: list[Item], order: Sequence[tuple[str, int]], *, key: Callable[[Item], Document]
) -> list[Item]:
    """Sort documents by several fields, MongoDB's order between types, stable otherwise.

    Args:
        items: what to sort; the list is not changed.
        order: pairs of a field path and 1 (ascending) or -1 (descending), first the most important.
        key: gives the document of an item.
    """
    for field, direction in reversed(order):
        rank = partial(_filtering().resolve_sort_key, field)
        items = sorted(items, key=lambda item, rank=rank: rank(key(item)), reverse=direction < 0)  # type: ignore[misc]
    return items


def sort_order(sort: Mapping[str, Any] | None) -> list[tuple[str, int]]:
    """Turn Maggma's sort argument (numbers or ``maggma.core.Sort``) into pairs.

    Raises:
        StoreError: a direction is neither 1 nor -1.
    """
    order = [(field, getattr(way, "value", way)) for field, way in (sort or {}).items()]
    for field, way in order:
        if way not in {1, -1}:
            raise StoreError(f"sort direction {way!r}", where=f"sort by '{field}'", remedy="use 1 or -1")
    return order


def values_at(field: str, document: Document) -> list[Any]:
    """List the values at a path, entering arrays as MongoDB does; empty if it is absent."""
    filtering = _filtering()
    found = filtering.iter_key_candidates(field, document)
    return [value for value in found if value is not filtering.NOTHING]


def distinct_values(field: str, documents: Iterable[Document]) -> list[Any]:
    """List the distinct values of a field in order of appearance; arrays give their elements."""
    found: dict[str, Any] = {}
    for document in documents:
        for value in values_at(field, document):
            for item in value if isinstance(value, list) else [value]:
                found.setdefault(dumps(item), item)
    return list(found.values())


def projection(properties: Mapping[str, Any] | Sequence[str] | None) -> dict[str, Any]:
    """Turn Maggma's ``properties`` (list or dictionary) into a MongoDB projection; empty for all.

    Raises:
        StoreError: it both includes and excludes fields.
    """
    if not properties:
        return {}
    if not isinstance(properties, Mapping):
        return dict.fromkeys(properties, 1)
    spec: dict[str, Any] = dict(properties)
    ways = {bool(v) for k, v in spec.items() if k != "_id" and not _is_operator(v)}
    if len(ways) > 1:
        raise StoreError(
            "a projection both includes and excludes fields",
            where=f"properties {spec}",
            remedy="use only 1 or only 0 (the exception is '_id')",
        )
    return spec


def _is_operator(value: Any) -> bool:
    return isinstance(value, (dict, str))


def included(spec: Mapping[str, Any]) -> list[str] | None:
    """List the fields that a projection keeps; None if it keeps all but some."""
    if any(_is_operator(v) for v in spec.values()):
        return None
    fields = [field for field, way in spec.items() if way and field != "_id"]
    return fields or (["_id"] if spec.get("_id") else None)


def project(document: Document, spec: Mapping[str, Any]) -> Document:
    """Apply a projection to one document; the document itself is not changed.

    ``$slice`` and ``$elemMatch`` projections are left to mongomock.
    """
    if not spec:
        return document
    if any(_is_operator(v) for v in spec.values()):
        return _project_by_mongomock(document, spec)
    fields = included(spec)
    if fields is None:
        result: Document = _prune(document, _tree([k for k, v in spec.items() if not v]))
    else:
        result = _keep(document, _tree(fields if spec.get("_id", 1) == 0 else [*fields, "_id"]))
    return result


def _project_by_mongomock(document: Document, spec: Mapping[str, Any]) -> Document:
    from pymongo.errors import OperationFailure

    collection: Any = import_module("mongomock_ng").MongoClient().db.collection
    try:
        collection.insert_one(dict(document))
        found = collection.find_one({}, dict(spec))
    except (OperationFailure, NotImplementedError, ValueError) as error:
        raise _malformed(spec, error) from error
    return {k: v for k, v in (found or {}).items() if k != "_id" or "_id" in document}


def _tree(fields: Iterable[str]) -> dict[str, Any]:
    """Nest paths: ``["a.b", "a.c"]`` gives ``{"a": {"b": {}, "c": {}}}``; a leaf is all of it."""
    tree: dict[str, Any] = {}
    for field in sorted(fields, key=len):
        node, parts = tree, field.split(".")
        for depth, part in enumerate(parts):
            if node.get(part) == {} and depth < len(parts) - 1:
                break  # the whole of a parent is named already
            node = node.setdefault(part, {})
    return tree


def _keep(value: Any, tree: Mapping[str, Any]) -> Any:
    if not tree:
        return value
    if isinstance(value, dict):
        kept = ((k, v, tree[k]) for k, v in value.items() if k in tree)
        return {k: _keep(v, t) for k, v, t in kept if not t or isinstance(v, (dict, list))}
    return [_keep(item, tree) for item in value if isinstance(item, (dict, list))]


def _prune(value: Any, tree: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {
            k: _prune(v, tree[k]) if k in tree else v for k, v in value.items() if k not in tree or tree[k]
        }
    return [_prune(item, tree) for item in value] if isinstance(value, list) else value


def criteria_fields(criteria: Criteria) -> list[str] | None:
    """List the field paths that a filter looks at; None if that cannot be told (``$expr``)."""
    fields: list[str] = []
    for key, value in criteria.items():
        if key in LOGICAL and isinstance(value, (list, tuple)):
            for part in value:
                below = criteria_fields(part)
                if below is None:
                    return None
                fields += below
        elif key.startswith("$"):
            return None
        else:
            fields.append(key)
    return fields


def _names(field: str) -> Path:
    """Split a path, without array positions: ``a.0.b`` gives ``("a", "b")``."""
    return tuple(part for part in field.split(".") if not part.isdigit())


def hydrate_fields(document: Document, blobs: BlobDirectory, fields: Iterable[str] | None) -> Document:
    """Load the file references at, above or below some fields (all for None), leaving the rest.

    So a query for ``output.energy`` opens none of the structures beside it.
    """
    wanted = None if fields is None else {_names(field) for field in fields}

    def visit(value: Any, path: Path) -> Any:
        if wanted is not None and not any(name[: len(path)] == path[: len(name)] for name in wanted):
            return value
        if is_reference(value):
            return FileReference.parse(value).document(blobs)
        if isinstance(value, dict):
            return {
                key: visit(item, path if key.isdigit() else (*path, key))
                if isinstance(item, (dict, list))
                else item
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [visit(v, path) if isinstance(v, (dict, list)) else v for v in value]
        return value

    result: Document = visit(document, ())
    return result
