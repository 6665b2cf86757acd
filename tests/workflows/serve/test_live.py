"""The live page: only for those with the token, only by the name of this machine, and it follows."""

from __future__ import annotations

import http.client
import json
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest

from zonemelt.tasks.errors import InputError
from zonemelt.workflows import watch
from zonemelt.workflows.serve.address import is_loopback
from zonemelt.workflows.serve.live import Live, Watcher, live_page, serve_live

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def server(discovery: Path) -> Iterator[Live]:
    made = Live(discovery)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def ask(server: Live, path: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=60)
    connection.request(
        "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    return connection.getresponse()


def bearer(server: Live) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.token}"}


def test_it_listens_on_this_machine_alone(server: Live):
    assert server.server_address[0] == "127.0.0.1"
    assert not server.anywhere
    assert server.token in server.address
    assert len(server.token) >= 40


@pytest.mark.parametrize(
    "path", ["/", "/events", "/status.json", "/report.html", "/?token=wrong", "/nothing"]
)
def test_nothing_without_the_token(server: Live, path: str):
    answer = ask(server, path)
    assert answer.status == 403
    assert b"discovery" not in answer.read()


def test_the_address_gives_a_cookie_and_hides_the_token(server: Live):
    answer = ask(server, f"/?token={server.token}")
    assert answer.status == 303
    assert answer.headers["Location"] == "/"
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    page = ask(server, "/", Cookie=cookie.partition(";")[0])
    assert page.status == 200
    assert server.token not in page.read().decode()
    assert page.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_a_name_that_leads_here_is_refused(server: Live):
    assert ask(server, "/status.json", Host="evil.example:80", **bearer(server)).status == 421
    assert ask(server, "/status.json", Host="localhost:80", **bearer(server)).status == 200


def test_a_broken_cookie_is_no_key(server: Live):
    assert ask(server, "/", Cookie=f"{server.cookie}=; a[]=\x01").status == 403


def test_what_it_says(server: Live):
    found = json.loads(ask(server, "/status.json", **bearer(server)).read())
    assert found["total"] == 300
    assert {pool["name"] for pool in found["pools"]} == {"cpu", "gpu", "dft"}
    assert len(found["rounds"]) == 4
    assert found["rounds"][-1]["energy, meV/atom"]
    assert len(found["best"]) == 5
    assert "confirmed by labels" in found["found"]
    assert found["budget"] is None


def test_events_come_as_they_happen(server: Live):
    answer = ask(server, "/events", **bearer(server))
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.readline().startswith(b"id: ")
    line = answer.readline()
    assert json.loads(line.removeprefix(b"data: "))["counts"]["done"] > 0
    answer.close()


def test_many_looks_at_once_count_nothing_twice(discovery: Path):
    watcher = Watcher(discovery)
    threads = [threading.Thread(target=watcher.look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert watcher._follower._outputs is not None
    assert watcher._follower._outputs.labels == 300 - 20 - 11


def test_the_report_as_it_stands(server: Live):
    answer = ask(server, "/report.html", **bearer(server))
    assert answer.status == 200
    assert b"<h2" in answer.read()
    assert "script-src 'sha256-" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False),
     ("::", False), ("login1", False), ("10.0.0.3", False), ("", False)],
)  # fmt: skip
def test_what_is_this_machine_alone(host: str, alone: bool):
    assert is_loopback(host) is alone


@pytest.mark.parametrize("name", ["", "[::1", "127.0.0.1.evil.example", "0x7f000001"])
def test_strange_names_are_refused(server: Live, name: str):
    assert ask(server, "/status.json", Host=name, **bearer(server)).status == 421


def test_only_get(server: Live):
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=60)
    connection.request("POST", "/", headers=bearer(server))
    assert connection.getresponse().status == 501


def test_the_name_of_the_directory_is_escaped():
    page, policy = live_page("<script>alert(1)</script>")
    assert "<script>alert" not in page
    assert "connect-src 'self'" in policy


def test_a_port_that_is_taken_is_said(server: Live, discovery: Path):
    with pytest.raises(InputError, match="cannot listen"):
        serve_live(discovery, host="127.0.0.1", port=server.server_address[1], say=print)


def test_no_token_in_what_it_logs(server: Live, capsys: Any):
    ask(server, f"/?token={server.token}").read()
    said = capsys.readouterr()
    assert server.token not in said.out + said.err


def test_a_ledger_that_cannot_be_read_at_a_moment_ends_nothing(
    discovery: Path, monkeypatch: pytest.MonkeyPatch
):
    from zonemelt.workflows.progress import Follower

    watcher = Watcher(discovery)

    def locked(self: Any, **_: Any) -> None:
        raise sqlite3.OperationalError("database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(Follower, "look", locked)
        assert "database is locked" in json.loads(watcher.look())["trouble"]
        assert watch._look(watcher._follower) is None
    assert "trouble" not in json.loads(watcher.look())
