"""Stores written in files: serialised Maggma stores and jobflow's own form.

Decoding runs the constructors of the classes that a file names, so only trusted packages count.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.settings import read_mapping
from zonemelt.tasks.store_specs import redact

if TYPE_CHECKING:
    from pathlib import Path

    from jobflow import JobStore

TRUSTED: Final = ("maggma", "jobflow", "zonemelt")
"""Packages whose classes a store file may name."""


def read_file(path: Path) -> dict[str, Any]:
    """Read a store file: YAML or JSON, a store alone or a whole ``jobflow.yaml``.

    Raises:
        InputError: it cannot be read, or holds no mapping.
    """
    document = read_mapping(path, of="stores", remedy="write one as for jobflow's JOB_STORE: docs/stores.md")
    inner = document.get("JOB_STORE")  # of a whole jobflow.yaml
    return inner if isinstance(inner, dict) else document


def decode(spec: dict[str, Any], *, where: str) -> JobStore:
    """Decode a serialised store, of trusted packages only.

    Raises:
        InputError: it names another package, or is no store.
    """
    from jobflow import JobStore
    from maggma.core import Store
    from monty.json import MontyDecoder

    _check_trusted(spec, where=where)
    try:
        store = MontyDecoder().process_decoded(spec)
    except (TypeError, ValueError, KeyError, AttributeError, ImportError) as error:
        raise InputError(
            f"the serialised store cannot be decoded: {redact(str(error)):.300}",
            where=where,
            remedy="write it with monty.serialization.dumpfn(store, file)",
        ) from None
    if not isinstance(store, Store):
        raise InputError(
            f"{spec.get('@module')}.{spec['@class']} is not a Maggma store",
            where=where,
            remedy="name a subclass of maggma.core.Store, or jobflow.core.store.JobStore",
        )
    return store if isinstance(store, JobStore) else JobStore(store)


def _check_trusted(value: Any, *, where: str) -> None:
    if isinstance(value, dict):
        module = value.get("@module")
        trusted = module is None or str(module).split(".")[0] in TRUSTED
        if not trusted or "@callable" in value:
            raise InputError(
                f"a store file may not name {module}.{value.get('@class', '…')}",
                where=where,
                remedy=f"only classes of {', '.join(TRUSTED)} are decoded",
            )
        for key, item in value.items():
            _check_trusted(item, where=f"{where}.{key}")
    elif isinstance(value, list):
        for item in value:
            _check_trusted(item, where=where)


def from_jobflow(spec: dict[str, Any], *, where: str) -> JobStore:
    """Read jobflow's own form: ``docs_store`` and ``additional_stores`` with Maggma class names.

    Raises:
        UnknownKeyError: an unknown key or class.
        InputError: the classes refuse their arguments.
    """
    from jobflow import JobStore

    import_module("maggma.stores")
    for key in spec:
        if key not in {"docs_store", "additional_stores", "save", "load"}:
            known = ("docs_store", "additional_stores", "save", "load")
            raise UnknownKeyError.of(str(key), known, where=where)
    for name, part in {
        "docs_store": spec["docs_store"],
        **(spec.get("additional_stores") or {}),
    }.items():
        kind = str(part.get("type")) if isinstance(part, dict) else str(part)
        if kind not in _store_classes():
            raise UnknownKeyError.of(kind, _store_classes(), where=f"{where}.{name}.type")
    options = {key: spec[key] for key in ("save", "load") if key in spec}
    try:
        return JobStore.from_dict_spec(spec, **options)
    except (TypeError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(
            f"the store cannot be made: {redact(str(error)):.300}",
            where=where,
            remedy="check the arguments against Maggma's documentation of the class",
        ) from None


def _store_classes() -> set[str]:
    """Name the store classes that Maggma and zonemelt define."""
    from maggma.core import Store

    found: set[str] = set()
    classes = [Store]
    while classes:
        subclasses: list[Any] = classes.pop().__subclasses__()
        classes += subclasses
        found |= {c.__name__ for c in subclasses if c.__module__.split(".")[0] in TRUSTED}
    return found
