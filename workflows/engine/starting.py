"""Who starts a head, where, and from which code: noted in the ledger each time."""

from __future__ import annotations

import json
import os
import pwd
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import zonemelt
from zonemelt.workflows.engine.circumstances import allocation, describe, machine, software

if TYPE_CHECKING:
    from zonemelt.workflows.engine.ledger import Ledger

_PATIENCE = 10.0  # seconds that git may take


def note_start(ledger: Ledger, site: Any) -> None:
    """Note a head that begins.

    Args:
        ledger: of the campaign, not in a transaction.
        site: what the campaign was given as its site.
    """
    rows = {
        "software": describe("software", **software()),
        "machine": describe("machine", **machine()),
        "allocation": describe("allocation", **allocation()),
        "repositories": describe("repositories", found=repositories()),
    }
    said = {
        "user": user(), "host": socket.gethostname(), "pid": os.getpid(), "site": _site_name(site),
        **{kind: row[0] for kind, row in rows.items()},
    }  # fmt: skip
    with ledger.transaction():
        ledger.describe(list(rows.values()))
        ledger.events("started", [(None, said)])


def user(number: int | None = None) -> str:
    """The name of the account of this process, or of a user id; never what a variable says."""
    number = os.geteuid() if number is None else number
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # an account of another machine, a container without accounts
        return str(number)


def _site_name(site: Any) -> str:
    if isinstance(site, (str, os.PathLike)):
        return str(site)
    return str(getattr(site, "name", "") or type(site).__name__)


@cache  # the code of this process does not change once it is imported
def repositories() -> list[dict[str, Any]]:
    """The git repositories that this process imports from: place, commit, whether files differ from it."""
    places = [Path(zonemelt.__file__), *(Path(entry or ".") for entry in sys.path), *_editable()]
    roots = dict.fromkeys(root for place in places if (root := _root(place.resolve())) is not None)
    return [found for root in roots if (found := _look(root)) is not None]


def _editable() -> list[Path]:
    """The source folders of packages that are installed for development."""
    found = []
    for entry in sys.path:
        for path in Path(entry or ".").glob("*.dist-info/direct_url.json"):
            try:
                url = json.loads(path.read_text())
            except (OSError, ValueError):
                continue
            if url.get("dir_info", {}).get("editable") and url.get("url", "").startswith("file://"):
                found.append(Path(url["url"].removeprefix("file://")))
    return found


def _root(place: Path) -> Path | None:
    # An environment may lie inside a repository and is no part of it.
    if "site-packages" in place.parts or place.is_relative_to(Path(sys.base_prefix).resolve()):
        return None
    return next((folder for folder in (place, *place.parents) if (folder / ".git").exists()), None)


def _look(root: Path) -> dict[str, Any] | None:
    """Commit, remote and state of a repository; None where git cannot say."""
    commit = _git(root, "rev-parse", "HEAD")
    if not commit:
        return None
    state = _git(root, "status", "--porcelain", "--untracked-files=no")
    remote = _git(root, "config", "--get", "remote.origin.url")
    return {
        "root": str(root),
        "commit": commit,
        "dirty": None if state is None else bool(state),
        **({"remote": _without_secrets(remote)} if remote else {}),
    }


def _git(root: Path, *words: str) -> str | None:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words],
            capture_output=True, text=True, timeout=_PATIENCE, check=False, env=environment,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _without_secrets(url: str) -> str:
    """A URL without the user and the token that it may hold."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
