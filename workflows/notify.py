"""Tell a person of milestones of a campaign: by a command of theirs, or a webhook.

::

    # ~/.zonemelt.yaml, for all campaigns; or under the same key in a campaign's file
    notify:
      command: [notify-send, "{event}", "{message}"]   # no shell; the milestone comes as JSON on its input
      webhook: env:ZULIP_WEBHOOK                       # an address, or the variable that holds it
      events: [round, failure, paused, ended]

A notification that fails costs the campaign nothing: a line in the log says so.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import threading
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from zonemelt.tasks.errors import ZonemeltError
from zonemelt.tasks.whole_files import write_whole
from zonemelt.workflows.engine.inspect import fact, last_failure, open_ledger

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

logger = logging.getLogger("zonemelt.notify")

Event = Literal["started", "round", "failure", "paused", "ended", "test"]
STATE_FILE: Final = "notified.json"
_EVERY: Final = 5.0  # seconds between looks
_PATIENCE: Final = 20.0  # seconds that a command or a webhook may take
_LONGEST: Final = 500  # characters of a message
_VARIABLE: Final = "env:"
_HERE: Final = ("127.0.0.1", "localhost", "::1")


class Notify(BaseModel):
    """Whom to tell of what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: tuple[str, ...] = Field(
        default=(), description="a program and its arguments; {event}, {message}, {campaign}, {directory}"
    )
    webhook: str = Field(
        default="", description="https address that a message is posted to, or env:NAME of a variable with it"
    )
    events: tuple[Event, ...] = Field(default=("round", "failure", "paused", "ended"))

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not self.command and not self.webhook:
            raise ValueError("say how: a command or a webhook")
        if self.webhook and not self.webhook.startswith(_VARIABLE):
            checked_address(self.webhook)
        return self


def checked_address(address: str) -> str:
    """An address that messages may be posted to.

    Raises:
        ValueError: it is not https, nor on this machine. The message does not hold the address.
    """
    parts = urlsplit(address)
    here = parts.scheme == "http" and parts.hostname in _HERE
    if not parts.hostname or not (parts.scheme == "https" or here):
        raise ValueError("a webhook is an https address, or http on this machine")
    return address


@dataclass(frozen=True, kw_only=True)
class Milestone:
    """Something worth telling."""

    event: Event
    message: str
    campaign: str
    directory: str


class Notifier:
    """Tells of the milestones of a campaign, each once, whatever head drives it.

    Args:
        directory: of the campaign; it need not be there yet.
        spec: whom to tell of what.
    """

    def __init__(self, directory: Path, spec: Notify) -> None:
        self.directory = Path(directory)
        self.spec = spec
        self._state = self._begin()

    def _begin(self) -> dict[str, int]:
        """Where an earlier head left off; of a campaign that nobody told of yet, from now on."""
        with contextlib.suppress(OSError, ValueError):
            found = json.loads((self.directory / STATE_FILE).read_text())
            return {key: int(found[key]) for key in ("events", "outputs", "failures")}
        with contextlib.suppress(ZonemeltError), open_ledger(self.directory) as connection:
            return _now(connection)
        return {"events": 0, "outputs": 0, "failures": 0}

    def tell(self) -> int:
        """Tell of what is new; returns how many milestones that was."""
        with contextlib.suppress(ZonemeltError), open_ledger(self.directory) as connection:
            connection.execute("BEGIN")  # of one moment: what comes meanwhile is told next time
            found = list(milestones(connection, self.directory, after=self._state))
            self._state = _now(connection)
            connection.execute("COMMIT")
            write_whole(self.directory / STATE_FILE, json.dumps(self._state).encode())
            for one in found:
                if one.event in self.spec.events:
                    deliver(self.spec, one)
            return len(found)
        return 0


def _now(connection: sqlite3.Connection) -> dict[str, int]:
    events, outputs, failures = connection.execute(
        "SELECT (SELECT MAX(id) FROM events), (SELECT MAX(rowid) FROM outputs),"
        " (SELECT COUNT(*) FROM (SELECT 1 FROM events WHERE kind = 'failed' LIMIT 1))"
    ).fetchone()
    return {"events": events or 0, "outputs": outputs or 0, "failures": failures}


def milestones(
    connection: sqlite3.Connection, directory: Path, *, after: dict[str, int]
) -> Iterator[Milestone]:
    """What has happened since.

    Args:
        connection: of the ledger.
        directory: of the campaign.
        after: ``events`` and ``outputs``: the last ones that were looked at; ``failures``: 1 once the first
            one was told.
    """
    name = str(fact(connection, "name", "") or directory.name)

    def milestone(event: Event, message: str) -> Milestone:
        said = f"{name}: {message}"[:_LONGEST]
        return Milestone(event=event, message=said, campaign=name, directory=str(directory))

    rows = connection.execute(
        "SELECT kind, data FROM events WHERE id > ? AND kind IN ('submitted', 'paused', 'ended') ORDER BY id",
        (after["events"],),
    ).fetchall()
    for kind, data in rows:
        if kind == "submitted":
            yield milestone("started", f"it has begun, with {json.loads(data)['jobs']} jobs")
    for text in _rounds(connection, after["outputs"]):
        yield milestone("round", text)
    if not after["failures"]:
        row = connection.execute(
            "SELECT job, jobs.name FROM events JOIN jobs ON jobs.id = job"
            " WHERE events.kind = 'failed' ORDER BY events.id LIMIT 1"
        ).fetchone()
        if row is not None:
            reason = last_failure(connection, *row).reason
            yield milestone("failure", f"the first job failed: {row[1]}: {reason}")
    for kind, data in rows:
        said = json.loads(data) if data else {}
        if kind == "paused":
            yield milestone("paused", f"it is paused: {said.get('reason') or 'by a person'}")
        elif kind == "ended":
            yield milestone("ended", f"it has ended: {said.get('status', '')}")


def _rounds(connection: sqlite3.Connection, after: int) -> Iterator[str]:
    rows = connection.execute(
        "SELECT doc FROM outputs WHERE rowid > ? AND instr(doc, '\"spent\":') ORDER BY rowid", (after,)
    )
    for (text,) in rows:
        output: Any = json.loads(text).get("output")
        if not isinstance(output, dict) or not {"round", "spent", "heldout"} <= output.keys():
            continue
        errors = [f"{key} {value:.4g}" for key, value in output["heldout"].items() if " mae (" in key]
        funnel = (output.get("discovery") or {}).get("funnel") or {}
        found = [f"{funnel['confirmed']} confirmed"] if "confirmed" in funnel else []
        yield ", ".join([f"round {output['round']}: {output['spent']['labels']} labels", *errors, *found])


def deliver(spec: Notify, milestone: Milestone) -> list[str]:
    """Tell somebody; returns what went wrong, which is logged as well, without addresses and arguments."""
    troubles = []
    if spec.command:
        troubles += _run(spec.command, milestone)
    if spec.webhook:
        troubles += _post(spec.webhook, milestone)
    for trouble in troubles:
        logger.warning("a notification was not delivered: %s", trouble)
    return troubles


def _run(command: tuple[str, ...], milestone: Milestone) -> list[str]:
    values = asdict(milestone)
    words = [_filled(word, values) for word in command]
    try:
        subprocess.run(
            words, input=json.dumps(values), text=True, capture_output=True, timeout=_PATIENCE, check=True
        )
    except subprocess.CalledProcessError as error:
        return [f"{Path(command[0]).name} ended with exit code {error.returncode}"]
    except subprocess.TimeoutExpired:
        return [f"{Path(command[0]).name} took more than {_PATIENCE:g} s"]
    except (OSError, ValueError) as error:
        return [f"{Path(command[0]).name} cannot be run: {getattr(error, 'strerror', None) or error}"]
    return []


def _filled(word: str, values: dict[str, str]) -> str:
    for key in ("event", "message", "campaign", "directory"):
        word = word.replace(f"{{{key}}}", values[key])
    return word


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """A webhook that leads elsewhere is not followed."""


def _post(webhook: str, milestone: Milestone) -> list[str]:
    address = webhook
    if webhook.startswith(_VARIABLE):
        name = webhook.removeprefix(_VARIABLE)
        if not (address := os.environ.get(name, "")):
            return [f"the variable {name} holds no address"]
    try:
        checked_address(address)
        body = json.dumps({"text": milestone.message, **asdict(milestone)}).encode()
        request = urllib.request.Request(  # noqa: S310 (checked above)
            address, data=body, headers={"Content-Type": "application/json"}
        )
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=_PATIENCE):
            return []
    except urllib.error.HTTPError as error:
        return [f"{place_of(address)} answered {error.code}"]
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        return [f"{place_of(address)}: {reason}"]


def place_of(address: str) -> str:
    """A webhook without what is secret in it: its path holds its key."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.hostname}/***"


@contextlib.contextmanager
def notifying(directory: Path, spec: Notify | None) -> Iterator[None]:
    """Tell of milestones while the block runs, and once more at its end.

    Args:
        directory: of the campaign.
        spec: whom to tell of what; nobody for None.
    """
    if spec is None:
        yield
        return
    notifier, stop = Notifier(directory, spec), threading.Event()

    def again() -> None:
        while not stop.wait(_EVERY):
            _safely(notifier)

    thread = threading.Thread(target=again, name="notifier", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(2 * _PATIENCE)
        _safely(notifier)


def _safely(notifier: Notifier) -> None:
    try:
        notifier.tell()
    except Exception:  # a message must never cost a campaign
        logger.exception("milestones could not be told")
