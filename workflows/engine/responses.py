"""The responses of a campaign's jobs, read from the ledger when they are asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jobflow import Response
from monty.json import MontyDecoder

from zonemelt.tasks.blobs import BlobDirectory
from zonemelt.tasks.documents import loads
from zonemelt.tasks.sqlite import connect, quote
from zonemelt.workflows.engine.graph import rebuild
from zonemelt.workflows.engine.schema import (
    BLOB_KEY,
    FILE_NAME,
    OUTPUTS,
    additional_collection,
    check_version,
)
from zonemelt.workflows.engine.states import JobState
from zonemelt.workflows.engine.walking import is_blob

if TYPE_CHECKING:
    from pathlib import Path


class Responses(Mapping[str, dict[int, Response[Any]]]):
    """``{uuid: {index: Response}}`` of the jobs that are done, as ``jobflow.run_locally`` returns it.

    Nothing is held in memory, so a campaign of a million jobs can return it too. A response is decoded each
    time it is asked for.

    Args:
        directory: the campaign directory.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._connection = connect(directory / FILE_NAME, read_only=True)
        check_version(self._connection, directory / FILE_NAME)

    def __len__(self) -> int:
        return int(
            self._connection.execute(
                "SELECT COUNT(DISTINCT uuid) FROM jobs WHERE state = ?", (int(JobState.DONE),)
            ).fetchone()[0]
        )

    def __iter__(self) -> Iterator[str]:
        rows = self._connection.execute(
            "SELECT DISTINCT uuid FROM jobs WHERE state = ? ORDER BY id", (int(JobState.DONE),)
        )
        return (row[0] for row in rows)

    def __getitem__(self, uuid: str) -> dict[int, Response[Any]]:
        rows = self._connection.execute(
            f'SELECT jobs.id, jobs."index", doc, response FROM jobs JOIN {OUTPUTS}'
            f' ON {OUTPUTS}.uuid = jobs.uuid AND {OUTPUTS}."index" = jobs."index"'
            " LEFT JOIN responses ON responses.job = jobs.id WHERE jobs.uuid = ? AND jobs.state = ?"
            ' ORDER BY jobs."index"',
            (uuid, int(JobState.DONE)),
        ).fetchall()
        if not rows:
            raise KeyError(uuid)
        return {index: self._response(job, text, extra) for job, index, text, extra in rows}

    def _response(self, job: int, text: str, extra: str | None) -> Response[Any]:
        described: dict[str, Any] = json.loads(extra) if extra else {}
        with BlobDirectory(self.directory / "blobs").active():
            for diversion in ("replace", "detour", "addition"):
                if diversion in described:
                    described[diversion] = rebuild(described[diversion], self._body)
            output = MontyDecoder().process_decoded(self._loaded(loads(text)["output"]))
        return Response(output=output, job_dir=self._directory_of(job), **described)  # type: ignore[arg-type]

    def _loaded(self, node: Any) -> Any:
        """An output with what lies in additional stores put in its place."""
        if isinstance(node, list):
            return [self._loaded(item) for item in node]
        if not isinstance(node, dict):
            return node
        if not is_blob(node):
            return {key: self._loaded(value) for key, value in node.items()}
        collection = quote(additional_collection(node["store"]))
        row = self._connection.execute(
            f"SELECT doc FROM {collection} WHERE {BLOB_KEY[0]} = ?", (node["blob_uuid"],)
        ).fetchone()
        return loads(row[0])["data"]

    def _body(self, uuid: str, index: int) -> str:
        return str(
            self._connection.execute(
                'SELECT body FROM jobs JOIN bodies ON job = id WHERE uuid = ? AND "index" = ?', (uuid, index)
            ).fetchone()[0]
        )

    def _directory_of(self, job: int) -> Path | None:
        from pathlib import Path

        row = self._connection.execute(
            "SELECT json_extract(data, '$.directory') FROM events WHERE job = ? AND kind = 'done'",
            (job,),
        ).fetchone()
        return Path(row[0]) if row and row[0] else None
