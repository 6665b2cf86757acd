"""A campaign as a web page that follows it: on this machine alone unless told otherwise, with a token.

The page gets what it shows by server-sent events. Nothing can be changed through it.
"""

from __future__ import annotations

import hmac
import json
import secrets
import socket
import sqlite3
import threading
import time
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from zonemelt.tasks.errors import ZonemeltError
from zonemelt.workflows.progress import Follower
from zonemelt.workflows.serve.address import OPEN, is_loopback, listening_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_EVERY: Final = 1.0  # seconds between looks
_BEAT: Final = 15.0  # seconds after which a silent line says that it lives
_MOST: Final = 32  # pages that follow at once
_TIMEOUT: Final = 20.0  # seconds that a request may take to arrive


class Watcher(threading.Thread):
    """Looks at a campaign while somebody follows it, and keeps the latest look as JSON.

    Args:
        directory: of the campaign.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(name="watcher", daemon=True)
        self.directory = directory
        self.changed = threading.Condition()
        self.latest = ""
        self.number = 0
        self.followers = 0
        self._follower = Follower(directory)
        self._looking = threading.Lock()
        self._stop = threading.Event()

    def run(self) -> None:
        """Look again and again, until it is stopped."""
        while not self._stop.wait(_EVERY):
            if self.followers:
                self.look()

    def look(self) -> str:
        """Look now; wakes all who follow where something has changed."""
        try:
            with self._looking:  # a follower remembers what it has read
                found = self._follower.look().as_dict()
        except (ZonemeltError, OSError, sqlite3.Error) as error:
            found = {"trouble": str(error)}
        text = json.dumps(found, default=str)
        with self.changed:
            if text != self.latest:
                self.latest, self.number = text, self.number + 1
                self.changed.notify_all()
        return text

    def stop(self) -> None:
        """End, and let all who follow end."""
        self._stop.set()
        with self.changed:
            self.changed.notify_all()

    @property
    def stopped(self) -> bool:
        """Whether it has been told to end."""
        return self._stop.is_set()


class Live(ThreadingHTTPServer):
    """The server.

    Args:
        directory: of the campaign.
        host: address to listen on.
        port: to listen on; 0 for one that is free.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, directory: Path, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.token = secrets.token_urlsafe(32)
        host = host.strip("[]")
        self.anywhere = not is_loopback(host)
        if ":" in host:
            self.address_family = socket.AF_INET6
        self.watcher = Watcher(directory)
        self.reporting = threading.Lock()
        super().__init__((host, port), _Handler)
        self.watcher.start()

    @property
    def address(self) -> str:
        """What to open in a browser; whoever has it can see the campaign."""
        host, port = self.server_address[:2]
        name = str(host) if ":" not in str(host) else f"[{host!s}]"
        return f"http://{name}:{port}/?token={self.token}"

    @property
    def cookie(self) -> str:
        """Its name: cookies of one host are the same for all its ports."""
        return f"zonemelt_{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is no error."""

    def server_close(self) -> None:
        """Stop listening, and looking."""
        self.watcher.stop()
        super().server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Live
    timeout = _TIMEOUT
    protocol_version = "HTTP/1.1"
    server_version = "zonemelt"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer, to those with the token."""
        url = urlsplit(self.path)
        if not self._known_host():
            self._say(421, "text/plain", "this is not the name of this server")
        elif self._is_token(parse_qs(url.query).get("token", [""])[0]):
            self._welcome(url.path)
        elif not self._may_enter():
            self._say(
                403, "text/plain", "open the address that `zonemelt serve --live` printed, with its token"
            )
        elif url.path == "/":
            page, policy = live_page(self.server.watcher.directory.name)
            self._say(200, "text/html", page, policy=policy)
        elif url.path == "/status.json":
            self._say(200, "application/json", self.server.watcher.look())
        elif url.path == "/events":
            self._follow()
        elif url.path == "/report.html":
            self._report()
        else:
            self._say(404, "text/plain", "there is no such page")

    def _known_host(self) -> bool:
        """Whether the browser asked for this machine: a page elsewhere may have its own name lead here."""
        if self.server.anywhere:
            return True
        name = self.headers.get("Host", "")
        try:
            return is_loopback(urlsplit(f"//{name}").hostname or "")
        except ValueError:
            return False

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.server.token.encode())

    def _may_enter(self) -> bool:
        scheme, _, bearer = self.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer" and self._is_token(bearer):
            return True
        try:
            found = SimpleCookie(self.headers.get("Cookie", "")).get(self.server.cookie)
        except CookieError:
            return False
        return found is not None and self._is_token(found.value)

    def _welcome(self, path: str) -> None:
        """Keep the token in a cookie, and take it out of the address."""
        self.send_response(303)
        self.send_header(
            "Set-Cookie", f"{self.server.cookie}={self.server.token}; HttpOnly; SameSite=Strict; Path=/"
        )
        self.send_header("Location", path if path in {"/", "/report.html"} else "/")
        self._end(0)

    def _say(self, status: int, kind: str, text: str, *, policy: str = "default-src 'none'") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Security-Policy", f"{policy}; frame-ancestors 'none'")
        self._end(len(body))
        self.wfile.write(body)

    def _end(self, length: int | None) -> None:
        for name, value in (
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
        ):
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _follow(self) -> None:
        """Send each new look, until the browser goes away."""
        watcher = self.server.watcher
        with watcher.changed:
            if watcher.followers >= _MOST:
                full = True
            else:
                full = False
                watcher.followers += 1
        if full:
            self._say(503, "text/plain", "too many pages follow this campaign")
            return
        try:
            self.close_connection = True
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self._end(None)
            watcher.look()
            self._send_all(watcher)
        except OSError:
            pass  # it went away
        finally:
            with watcher.changed:
                watcher.followers -= 1

    def _send_all(self, watcher: Watcher) -> None:
        sent, beat = -1, time.monotonic()
        while not watcher.stopped:
            with watcher.changed:
                if watcher.number == sent:
                    watcher.changed.wait(_EVERY)
                number, text = watcher.number, watcher.latest
            if number != sent:
                self.wfile.write(f"id: {number}\ndata: {text}\n\n".encode())
            elif time.monotonic() - beat > _BEAT:
                self.wfile.write(b": still here\n\n")
            else:
                continue
            self.wfile.flush()
            sent, beat = number, time.monotonic()

    def _report(self) -> None:
        """The report as it would be written now."""
        from zonemelt.workflows.report.html import render
        from zonemelt.workflows.report.reading import gather
        from zonemelt.workflows.report.sections import sections_of

        with self.server.reporting:  # one at a time: a large one takes seconds
            try:
                found = gather(self.server.watcher.directory)
            except ZonemeltError as error:
                self._say(503, "text/plain", str(error))
                return
            page = render(found.summary.name or "campaign", sections_of(found))
        policy = page.partition('http-equiv="Content-Security-Policy" content="')[2].partition('"')[0]
        self._say(200, "text/html", page, policy=policy.replace("&#39;", "'"))

    def log_message(self, *_: Any) -> None:
        """Nothing: a request line may hold the token."""


def live_page(name: str) -> tuple[str, str]:
    """The page, and its content security policy.

    Args:
        name: of the campaign's directory.
    """
    from markupsafe import Markup

    from zonemelt.workflows.report.html import FOLDER, environment, policy

    script = (FOLDER / "live.js").read_text(encoding="utf-8")
    page: str = (
        environment()
        .get_template("live.html.jinja")
        .render(
            name=name,
            style=Markup((FOLDER / "report.css").read_text(encoding="utf-8")),  # noqa: S704 (ours)
            script=Markup(script),  # noqa: S704 (ours)
        )
    )
    return page, f"{policy([script])}; connect-src 'self'"


def serve_live(directory: Path, *, host: str, port: int, say: Callable[[str], None]) -> None:
    """Serve until somebody stops it with Ctrl-C.

    Args:
        directory: of the campaign.
        host: to listen on.
        port: to listen on; 0 for one that is free.
        say: gets the lines for whoever started it.

    Raises:
        InputError: it cannot listen there.
    """
    with listening_at(host, port):
        server = Live(directory, host=host, port=port)
    say(f"{server.address}\nwhoever has this address can see the campaign; Ctrl-C ends it")
    if server.anywhere:
        say(OPEN)
    try:
        server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
