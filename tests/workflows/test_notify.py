"""Milestones are told once each, by a command without a shell or a webhook; nothing secret is said."""

from __future__ import annotations

import json
import logging
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from zonemelt.tasks.errors import InputError
from zonemelt.workflows.campaigns.spec import load_campaign
from zonemelt.workflows.engine.run import run_flow
from zonemelt.workflows.notify import Milestone, Notifier, Notify, deliver, notifying, place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

WRITE = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + '|' + sys.stdin.read() + chr(10))"


def command(paper: Path) -> tuple[str, ...]:
    return (sys.executable, "-c", WRITE, str(paper), "{event}: {message}")


def lines(paper: Path) -> list[str]:
    return [line.partition("|")[0] for line in paper.read_text().splitlines()] if paper.exists() else []


def one(message: str = "x: ended", event: Any = "ended") -> Milestone:
    return Milestone(event=event, message=message, campaign="x", directory="runs/x")


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook of this machine, and what was posted to it."""
    posted: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append(json.loads(body))
            self.send_response({"/moved": 302, "/broken": 500}.get(self.path, 200))
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", posted
    server.shutdown()
    server.server_close()
    thread.join()


def test_milestones_of_a_campaign_are_told_once(tmp_path: Path):
    from campaigns_for_tests import mixed

    paper, place = tmp_path / "paper", tmp_path / "c"
    spec = Notify(command=command(paper), events=("started", "failure", "ended"))
    with notifying(place, spec):
        run_flow(mixed(), site="inline", directory=place, name="mixed")
    told = lines(paper)
    assert [line.split(":")[0] for line in told] == ["started", "failure", "ended"]
    assert "the first job failed: broken: RuntimeError: the cell is bad" in told[1]
    assert "it has ended: failed" in told[2]
    whole = json.loads(paper.read_text().splitlines()[1].partition("|")[2])
    assert whole == {**whole, "event": "failure", "campaign": "mixed", "directory": str(place)}
    with notifying(place, spec):  # another head
        pass
    assert lines(paper) == told


def test_rounds_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2]))
    from benchmarks.report_campaigns import record_discovery

    paper = tmp_path / "paper"
    notifier = Notifier(tmp_path / "c", Notify(command=command(paper)))
    record_discovery(tmp_path / "c", jobs=20, candidates=10)
    notifier.tell()
    rounds = [line for line in lines(paper) if line.startswith("round")]
    assert len(rounds) == 11
    assert rounds[-1].endswith("round 10: 1000 labels, energy mae (eV/atom) 0.01818, 30 confirmed")
    assert notifier.tell() == 0


def test_a_campaign_that_was_there_before_is_told_of_from_now_on(tmp_path: Path):
    from campaigns_for_tests import good

    run_flow(good(), site="inline", directory=tmp_path / "c")
    assert Notifier(tmp_path / "c", Notify(command=("true",))).tell() == 0


def test_arguments_are_no_shell(tmp_path: Path):
    paper = tmp_path / "paper"
    bad = f"$(touch {tmp_path / 'owned'}); `id` | cat > /dev/null; {{event}}"
    assert deliver(Notify(command=command(paper)), one(bad)) == []
    assert not (tmp_path / "owned").exists()
    assert lines(paper)[0].startswith("ended: $(touch")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("/no/such/program", "s3cret"), "program cannot be run: No such file"),
        (("false", "s3cret"), "false ended with exit code 1"),
    ],
)
def test_a_command_that_fails_costs_nothing(words, said, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, "zonemelt.notify"):
        (trouble,) = deliver(Notify(command=words), one())
    assert said in trouble
    assert said in caplog.text
    assert "s3cret" not in caplog.text


def test_a_webhook(hook, monkeypatch: pytest.MonkeyPatch):
    address, posted = hook
    assert deliver(Notify(webhook=f"{address}/key"), one("x: <b>ended</b>")) == []
    assert posted[0]["text"] == "x: <b>ended</b>"
    assert posted[0]["event"] == "ended"
    monkeypatch.setenv("MY_HOOK", f"{address}/key")
    assert deliver(Notify(webhook="env:MY_HOOK"), one()) == []
    assert len(posted) == 2


@pytest.mark.parametrize(("path", "said"), [("/moved", "answered 302"), ("/broken", "answered 500")])
def test_a_webhook_that_leads_elsewhere_or_fails(hook, path, said, caplog: pytest.LogCaptureFixture):
    address, _ = hook
    (trouble,) = deliver(Notify(webhook=f"{address}{path}"), one())
    assert said in trouble
    assert path not in trouble + caplog.text


def test_a_webhook_that_is_not_there(monkeypatch: pytest.MonkeyPatch):
    (trouble,) = deliver(Notify(webhook="http://127.0.0.1:1/s3cret"), one())
    assert "s3cret" not in trouble
    assert "127.0.0.1" in trouble
    monkeypatch.delenv("NO_HOOK", raising=False)
    assert deliver(Notify(webhook="env:NO_HOOK"), one()) == ["the variable NO_HOOK holds no address"]
    monkeypatch.setenv("NO_HOOK", "ftp://x/s3cret")
    assert "s3cret" not in deliver(Notify(webhook="env:NO_HOOK"), one())[0]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "say how: a command or a webhook"),
        ({"command": []}, "say how: a command or a webhook"),
        ({"webhook": "http://example.org/x"}, "a webhook is an https address"),
        ({"webhook": "file:///etc/passwd"}, "a webhook is an https address"),
        ({"command": ["x"], "events": ["never"]}, "Input should be 'started'"),
        ({"command": ["x"], "shell": True}, "shell\n  Extra inputs are not permitted"),
    ],
)
def test_what_cannot_be(said, words):
    with pytest.raises(ValidationError, match=words):
        Notify.model_validate(said)


def test_a_campaign_file_keeps_no_address():
    with pytest.raises(InputError, match="env:NAME") as error:
        load_campaign("quickstart", {"notify": {"webhook": "https://hooks.example/s3cret"}})
    assert "s3cret" not in str(error.value)
    spec = load_campaign("quickstart", {"notify": {"webhook": "env:HOOK", "events": ["ended"]}})
    assert spec.notify is not None
    assert spec.notify.events == ("ended",)


def test_addresses_are_named_without_their_keys():
    assert place_of("https://me:pw@hooks.example:443/services/T0/B0/key?x=1") == "https://hooks.example/***"


def test_what_happens_while_it_looks_is_told_the_next_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from ledgers_for_tests import Driver

    from zonemelt.workflows import notify

    driver, paper = Driver(tmp_path), tmp_path / "paper"
    driver.ledger.put("name", "c")
    notifier = Notifier(tmp_path, Notify(command=command(paper), events=("paused",)))
    plain = notify.milestones

    def slowly(*given: Any, **more: Any) -> Any:
        found = list(plain(*given, **more))
        driver.ledger.event("paused", reason="only held jobs are left")  # by the head, meanwhile
        return found

    monkeypatch.setattr(notify, "milestones", slowly)
    notifier.tell()
    monkeypatch.setattr(notify, "milestones", plain)
    notifier.tell()
    assert lines(paper) == ["paused: c: it is paused: only held jobs are left"]
