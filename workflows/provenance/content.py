"""What the jobs of a campaign made, by content: the same in two campaigns where the numbers are the same.

Documents name other jobs by uuids, files by hashes and folders by paths. Here a reference counts by what it
leads to, a folder of the campaign by its place in it, and what monty notes of versions does not count.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.blobs import BlobDirectory, hydrate
from zonemelt.tasks.documents import loads
from zonemelt.tasks.sqlite import quote
from zonemelt.workflows.engine.reuse import Outputs, job_digest
from zonemelt.workflows.engine.schema import OUTPUTS, additional_collection
from zonemelt.workflows.engine.walking import BLOB, blob_names, is_blob, is_reference

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

# What differs from run to run by its nature.
VOLATILE = frozenset(
    {
        "seconds", "cpu_seconds", "wall_seconds", "wall_time", "elapsed", "elapsed_time", "duration",
        "timestamp", "created", "completed_at", "started", "ended", "date", "datetime", "host", "hostname",
        "pid", "dir_name", "directory", "workdir",
    }
)  # fmt: skip


class Content:
    """Reads outputs of one campaign by content.

    Args:
        connection: its ledger.
        directory: its directory.
        ignore: keys that do not count wherever they stand, besides :data:`VOLATILE`.
        names: uuids of jobs → what they count as where they stand as texts; as they are by default.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        directory: Path,
        *,
        ignore: frozenset[str] = frozenset(),
        names: Mapping[str, str] | None = None,
    ) -> None:
        self._connection = connection
        self.ignore = VOLATILE | ignore
        self.blobs = BlobDirectory(Path(directory, "blobs"))
        places = {str(Path(directory).resolve()), str(directory), *moved_from(connection)}
        each = "|".join(sorted(map(re.escape, places), key=len, reverse=True))
        self._folders = re.compile(rf"(?:{each})(?:/jobs/[0-9a-f]{{2}}/[0-9a-f-]{{36}}_\d+)?(?=[/\"\\])")
        self.outputs = Outputs(self._normal, names)
        self._names = names or {}

    def text(self, uuid: str) -> str | None:
        """The output document of a uuid with the highest index, as it stands in the ledger."""
        row = self._connection.execute(
            f'SELECT doc FROM {OUTPUTS} WHERE uuid = ? ORDER BY "index" DESC LIMIT 1', (uuid,)
        ).fetchone()
        return None if row is None else str(row[0])

    def placed(self, text: str) -> str:
        """A text in which folders of the campaign are told by their place in it."""
        return self._folders.sub("", text)

    def _normal(self, uuid: str) -> str | None:
        """A document without what is its campaign's own."""
        text = self.text(uuid)
        if text is None:
            return None
        text = self.placed(text)
        if BLOB not in text and not any(f'"{key}"' in text for key in self.ignore):
            return text
        document = json.loads(text)
        return json.dumps({"output": self._lasting(self._with_additional(document["output"]))})

    def _with_additional(self, value: Any) -> Any:
        """A value with what additional stores hold in the place of where they hold it."""
        if isinstance(value, dict):
            if is_blob(value):
                documents = self.additional(json.dumps(value)).get(value["store"], [])
                return [self._with_additional(json.loads(text)["data"]) for text in documents]
            return {key: self._with_additional(each) for key, each in value.items()}
        return [self._with_additional(each) for each in value] if isinstance(value, list) else value

    def _lasting(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._lasting(each) for key, each in value.items() if key not in self.ignore}
        return [self._lasting(each) for each in value] if isinstance(value, list) else value

    def made(self, uuid: str) -> str:
        """The digest of what a uuid's job made, references followed."""
        return self.outputs.digest(uuid)

    def given(self, body: str, kind: str) -> str:
        """The digest of what a job was given, references followed; its function's source does not count."""
        return job_digest(self.placed(body), kind, "", self.outputs)

    def value(self, uuid: str) -> Any:
        """What a uuid's job made as plain values: files read, references followed, volatile keys left out."""
        text = self.text(uuid)
        if text is None:
            return None
        output = self._read(text)
        return self._lasting(self._followed(output, {uuid}))

    def _read(self, text: str) -> Any:
        output = self._with_additional(loads(self.placed(text))["output"])
        return hydrate(output, self.blobs)

    def _followed(self, value: Any, above: set[str]) -> Any:
        if isinstance(value, dict):
            if is_reference(value):
                uuid = value["uuid"]
                text = None if uuid in above else self.text(uuid)
                output = self._followed(self._read(text), {*above, uuid}) if text else None
                return {"output": output, "attributes": value["attributes"]}
            return {key: self._followed(each, above) for key, each in value.items() if key != "@version"}
        if isinstance(value, str):
            return self._names.get(value, value)
        return [self._followed(each, above) for each in value] if isinstance(value, list) else value

    def additional(self, text: str) -> dict[str, list[str]]:
        """The documents of additional stores that a document names, by store."""
        found: dict[str, list[str]] = {}
        if BLOB not in text:
            return found
        for store, blob_uuid in blob_names(json.loads(text)):
            row = self._connection.execute(
                f"SELECT doc FROM {quote(additional_collection(store))} WHERE blob_uuid = ?", (blob_uuid,)
            ).fetchone()
            if row is not None:
                found.setdefault(store, []).append(row[0])
        return found


def moved_from(connection: sqlite3.Connection) -> list[str]:
    """Directories in which the campaign was before it was opened here."""
    rows = connection.execute("SELECT data FROM events WHERE kind = 'opened'").fetchall()
    return [json.loads(row[0])["was"] for row in rows if row[0] and "was" in json.loads(row[0])]
