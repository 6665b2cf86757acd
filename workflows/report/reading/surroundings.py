"""What a campaign ran under: software with versions, hardware, repositories, persons."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from zonemelt.workflows.provenance.lineage import circumstances

if TYPE_CHECKING:
    import sqlite3


@dataclass
class Surroundings:
    """What is known of them.

    Attributes:
        packages: name → versions that workers or heads had installed.
        pythons: versions of the interpreter.
        containers: what workers ran in.
        machines: descriptions of hardware.
        repositories: of heads: root, commit, whether files differ from it.
        users: who ran it.
        hosts: where heads ran.
        sites: names.
        heads: how many heads drove it, one after the other.
        functions: full names of what ran.
    """

    packages: dict[str, list[str]] = field(default_factory=dict)
    pythons: list[str] = field(default_factory=list)
    containers: list[dict[str, str]] = field(default_factory=list)
    machines: list[dict[str, Any]] = field(default_factory=list)
    repositories: list[dict[str, Any]] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    sites: list[str] = field(default_factory=list)
    heads: int = 0
    functions: list[str] = field(default_factory=list)


def read_surroundings(connection: sqlite3.Connection) -> Surroundings:
    """Read what the engine noted.

    Args:
        connection: of the ledger.
    """
    found = Surroundings()
    for said in circumstances(connection).values():
        if said["kind"] == "software":
            for name, version in said.get("packages", {}).items():
                _once(found.packages.setdefault(name, []), version)
            _once(found.packages.setdefault("zonemelt", []), said.get("zonemelt"))
            _once(found.pythons, said.get("python"))
            _once(found.containers, said.get("container"))
        elif said["kind"] == "machine":
            _once(found.machines, {key: value for key, value in said.items() if key != "kind"})
        elif said["kind"] == "repositories":
            for repository in said.get("found") or ():
                _once(found.repositories, repository)
    for (text,) in connection.execute("SELECT data FROM events WHERE kind = 'started' ORDER BY id"):
        head = orjson.loads(text) if text else {}
        found.heads += 1
        for into, key in ((found.users, "user"), (found.hosts, "host"), (found.sites, "site")):
            _once(into, head.get(key))
    found.functions = [kind for (kind,) in connection.execute("SELECT DISTINCT kind FROM jobs ORDER BY kind")]
    return found


def _once(into: list[Any], value: Any) -> None:
    if value and value not in into:
        into.append(value)
