"""An OPTIMADE server of structures: any program that speaks OPTIMADE can search them.

The protocol is that of optimade-python-tools; here is what it may show, and to whom.
"""

from __future__ import annotations

import hmac
import logging
import os
import secrets
import socket
import warnings
from typing import TYPE_CHECKING, Any, Final

from zonemelt import __version__
from zonemelt.tasks.errors import InputError
from zonemelt.workflows.serve.address import OPEN, is_loopback, listening_at
from zonemelt.workflows.serve.published import PROPERTIES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from zonemelt.workflows.serve.published import Published

    App = Callable[[dict[str, Any], Any, Any], Awaitable[None]]

PREFIX: Final = "zonemelt"
_LARGEST_PAGE: Final = 500


def make_app(structures: Sequence[Published], *, name: str, token: str = "", host: str = "127.0.0.1") -> App:
    """The server as an ASGI application.

    Args:
        structures: to be served, from memory.
        name: of the campaign or dataset.
        token: that a request must show (``Authorization: Bearer …``); empty for none.
        host: where it listens. On loopback only requests that name this machine are answered, so that no
            page in a browser can reach it under a name of its own.

    Raises:
        InputError: optimade's server is not installed.
    """
    app = _library_app(name)
    app.state.entry_collections["structures"].insert([_entry(one) for one in structures])
    return _guarded(app, token=token, host=host)


def _library_app(name: str) -> Any:
    # It would write logs below /var/log, and say on standard output that it has no configuration.
    os.environ.setdefault("OPTIMADE_LOG_DIR", os.devnull)
    os.environ.setdefault("OPTIMADE_LOG_LEVEL", "error")
    logging.getLogger("optimade").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from fastapi.middleware.cors import CORSMiddleware
            from optimade.models import Implementation, Provider
            from optimade.server.config import ServerConfig
            from optimade.server.create_app import create_app
    except ImportError as error:
        raise InputError(
            f"what serves OPTIMADE is not installed: {error}",
            where="serve",
            remedy="pip install 'zonemelt[serve]'",
        ) from None
    fields = [
        {"name": field, "type": kind, "description": about} | ({"unit": unit} if unit else {})
        for field, (kind, unit, about) in PROPERTIES.items()
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = ServerConfig(
            insert_test_data=False,
            mongo_database=f"zonemelt-{secrets.token_hex(8)}",  # the library keeps one client for all
            page_limit_max=_LARGEST_PAGE,
            provider=Provider(
                prefix=PREFIX, name=f"zonemelt: {name}", description="structures of one campaign or dataset"
            ),
            implementation=Implementation(name="zonemelt", version=__version__),
            provider_fields={"structures": fields},
            log_level="error",
            log_dir=os.devnull,
        )
        app = create_app(config)
    # What is unpublished must not be read by pages of others in a browser of this machine.
    app.user_middleware = [one for one in app.user_middleware if one.cls is not CORSMiddleware]
    return app


def _entry(one: Published) -> dict[str, Any]:
    """A structure as the library keeps it."""
    from optimade.adapters.structures.ase import from_ase_atoms

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        attributes = from_ase_atoms(one.geometry.atoms()).model_dump(mode="json", exclude_none=True)
    said = {name: value for name, value in one.said.items() if name in PROPERTIES}
    return {**attributes, "id": one.identifier, "type": "structures", "last_modified": one.modified, **said}


def _guarded(app: Any, *, token: str, host: str) -> App:
    """The application behind a look at the name and the token of each request."""

    async def guarded(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = {
                key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]
            }
            if is_loopback(host) and not is_loopback(_name_of(headers.get("host", ""))):
                await _refuse(send, 421, "this is not the name of this server")
                return
            shown = headers.get("authorization", "").removeprefix("Bearer ")
            if token and not hmac.compare_digest(shown.encode(), token.encode()):
                await _refuse(send, 401, "show the token: 'Authorization: Bearer TOKEN'")
                return
        await app(scope, receive, send)

    return guarded


def _name_of(host: str) -> str:
    """The name in a Host header, without port and brackets."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.rpartition(":")[0] or host


async def _refuse(send: Any, status: int, why: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"www-authenticate", b"Bearer")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{why}\n".encode()})


def serve_optimade(
    structures: Sequence[Published],
    *,
    name: str,
    host: str,
    port: int,
    protected: bool,
    say: Callable[[str], None],
) -> None:
    """Serve until somebody stops it with Ctrl-C.

    Args:
        structures: to be served.
        name: of the campaign or dataset.
        host: to listen on; anywhere but on loopback a token is asked for.
        port: 0 for one that is free.
        protected: ask for a token on loopback, too.
        say: gets the lines for whoever started it.

    Raises:
        InputError: it cannot listen there, or optimade's server is not installed.
    """
    token = secrets.token_urlsafe(32) if protected or not is_loopback(host) else ""
    app = make_app(structures, name=name, token=token, host=host)
    import uvicorn

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with listening_at(host, port):
        listening = socket.create_server((host, port), family=family)
    shown = f"[{host}]" if ":" in host else host
    say(f"http://{shown}:{listening.getsockname()[1]}\n{len(structures):,} structures; Ctrl-C ends it")
    if token:
        say(f"Authorization: Bearer {token}")
    else:
        say("whoever has an account on this machine can read them: --token asks for one")
    if not is_loopback(host):
        say(OPEN)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, lifespan="off"))
    server.run(sockets=[listening])
