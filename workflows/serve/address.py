"""Where something is served: on this machine alone, unless a person says otherwise."""

from __future__ import annotations

import contextlib
import ipaddress
from typing import TYPE_CHECKING, Final

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

OPEN: Final = "it can be reached from other machines, and what it says is not encrypted: an SSH tunnel is"


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextlib.contextmanager
def listening_at(host: str, port: int) -> Iterator[None]:
    """Say of an address that is listened on within the block why it cannot be.

    Raises:
        InputError: it is taken, or none of this machine's.
    """
    try:
        yield
    except OSError as error:
        raise InputError(
            f"it cannot listen there: {error.strerror or error}",
            where=f"--host {host} --port {port}",
            remedy="--port 0 takes one that is free",
        ) from None
