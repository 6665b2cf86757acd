"""The ready protocols, and protocols of a person's own that begin from one of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.label.protocol import Protocol, protocol_from
from zonemelt.tasks.label.settings import BASED_ON, protocol_from_folder
from zonemelt.tasks.settings import read_mapping

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CATALOG: Final = Path(__file__).parent / "catalog"


def protocol_names(code: str) -> list[str]:
    """The ready protocols of a code."""
    return sorted(path.stem.removeprefix(f"{code}_") for path in CATALOG.glob(f"{code}_*.yaml"))


def find_protocol(given: str | Mapping[str, Any], *, code: str, where: str = "protocol") -> Protocol:
    """A protocol, by its name in the catalog, by the path of a file, or written out.

    Args:
        given: ``fast``, ``my_protocol.yaml``, or the fields; ``based_on`` among them names a ready protocol
            whose fields hold where these say nothing.
        code: of the oracle.
        where: it was given, for messages.

    Raises:
        InputError: there is none of that name, one is based on itself, or a field is wrong.
    """
    fields = _fields(given, code=code, where=where)
    if isinstance(given, str) and not given.endswith((".yaml", ".yml")):
        where = f"protocol {given} of {code}"
    return protocol_from(fields, where=where)


def _fields(given: Any, *, code: str, where: str, above: Sequence[str] = ()) -> dict[str, Any]:
    """The fields of a protocol, with those it is based on; ``above``: files that are based on it."""
    given = protocol_from_folder(given, Path.cwd())
    if isinstance(given, str):
        if given in above:
            raise InputError(
                f"it is based on itself: {' → '.join((*above, given))}",
                where=given,
                remedy=f"let one of them begin from a ready protocol: {', '.join(protocol_names(code))}",
            )
        if given.endswith((".yaml", ".yml")):
            fields = protocol_from_folder(read_mapping(Path(given)), Path(given).parent)
            return _fields(fields, code=code, where=given, above=(*above, given))
        if given not in protocol_names(code):
            raise InputError(
                f"there is no protocol '{given}' of {code}",
                where=where,
                remedy=f"choose one of: {', '.join(protocol_names(code))}; or write one, see docs/oracles.md",
            )
        return dict(_ready(code, given))
    if not isinstance(given, dict):
        raise InputError(
            f"{given!r:.60} is no protocol", where=where, remedy="give a name, a file, or fields and values"
        )
    fields = dict(given)
    base = fields.pop(BASED_ON, None)
    if base is None:
        return {"code": code} | fields
    below = _fields(base, code=code, where=where, above=above)
    if fields and "name" in below:
        below["name"] = f"{below['name']}-changed"
    for name in ("pseudopotentials", "numerics", "magmoms", "options"):
        if isinstance(fields.get(name), dict):
            fields[name] = {**below.get(name, {}), **fields[name]}
    return below | fields


@cache
def _ready(code: str, name: str) -> dict[str, Any]:
    return {"code": code, "name": name} | read_mapping(CATALOG / f"{code}_{name}.yaml")
