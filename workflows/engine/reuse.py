"""Results of earlier campaigns stand in for identical jobs.

Two jobs are identical when their functions have the same source (and, for a package, the same version), and
their inputs are the same, where an input that is another job's output counts by its content. What a job is
called, and where it runs, does not matter. A kind of job whose source changed while the earlier campaign ran
is never reused.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import InputError, StoreError
from zonemelt.tasks.sqlite import connect, quote
from zonemelt.workflows.engine.circumstances import digest_of
from zonemelt.workflows.engine.graph import JobRow
from zonemelt.workflows.engine.named_files import check_files, take_files
from zonemelt.workflows.engine.schema import (
    FILE_NAME,
    HEAD_POOL,
    OUTPUTS,
    WAITS_FOR,
    additional_collection,
    check_version,
)
from zonemelt.workflows.engine.sources import source_digest
from zonemelt.workflows.engine.states import JobState
from zonemelt.workflows.engine.walking import REFERENCE, blob_names, is_reference, references

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping

    from zonemelt.workflows.engine.ledger import ReadyJob
    from zonemelt.workflows.engine.results import Result

logger = logging.getLogger("zonemelt.engine")

# What distinguishes a job from an identical one.
_INDIVIDUAL = ("uuid", "index", "name", "hosts", "metadata", "metadata_updates", "name_updates")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Outputs:
    """Digests of the outputs in a ledger, references inside them followed; each is computed once.

    Args:
        read: uuid → its latest output document as JSON, or None.
        names: what texts count as, where they are not to count as they stand.
    """

    def __init__(self, read: Callable[[str], str | None], names: Mapping[str, str] | None = None) -> None:
        self._read = read
        self._names = names or {}
        self._digests: dict[str, str] = {}

    def digest(self, job: str) -> str:
        """The digest of the output of a uuid; of one that has none, that of nothing."""
        if job not in self._digests:
            text = self._read(job)
            output = json.loads(text)["output"] if text else None
            self._digests[job] = _digest(self.canonical(output) if text else "absent")
        return self._digests[job]

    def canonical(self, node: Any) -> str:
        """A JSON-like value as text that is the same for the same content."""
        return json.dumps(self._followed(node), sort_keys=True, separators=(",", ":"))

    def _followed(self, node: Any) -> Any:
        if isinstance(node, dict):
            if is_reference(node):
                return {"output": self.digest(node["uuid"]), "attributes": node["attributes"]}
            return {k: self._followed(v) for k, v in node.items() if k != "@version"}
        if isinstance(node, str):
            return self._names.get(node, node)
        return [self._followed(item) for item in node] if isinstance(node, list) else node


def job_digest(body: str, kind: str, source: str, outputs: Outputs) -> str:
    """What an identical job has in common with this one.

    Args:
        body: the job as JSON.
        kind: its function.
        source: the digest of that function's source.
        outputs: for the content of what it refers to.
    """
    job = json.loads(body)
    for field in _INDIVIDUAL:
        job.pop(field, None)
    (job.get("config") or {}).pop("manager_config", None)
    return _digest(f"{kind}\0{source}\0{outputs.canonical(job)}")


class Earlier:
    """An earlier campaign whose results may be reused, read when first asked.

    Args:
        directory: its directory.

    Raises:
        InputError: there is no campaign.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        path = directory / FILE_NAME
        if not path.exists():
            raise InputError(
                "there is no campaign to reuse", where=str(directory), remedy="name a campaign directory"
            )
        self._connection: sqlite3.Connection = connect(path, read_only=True)
        check_version(self._connection, path)
        self._jobs: dict[str, tuple[int, str, int]] | None = None

    def close(self) -> None:
        """Close its ledger."""
        self._connection.close()

    def find(self, digest: str) -> tuple[int, str, int] | None:
        """Id, uuid and index of a job with this digest that is done."""
        if self._jobs is None:
            self._jobs = self._index()
        return self._jobs.get(digest)

    def _index(self) -> dict[str, tuple[int, str, int]]:
        rows = self._connection.execute(
            "SELECT kind, MIN(digest) FROM sources GROUP BY kind HAVING COUNT(*) = 1"
        )
        sources = dict(rows.fetchall())
        outputs = Outputs(self._output)
        done = self._connection.execute(
            'SELECT id, uuid, "index", kind, body FROM jobs JOIN bodies ON job = id WHERE state = ?',
            (int(JobState.DONE),),
        )
        return {
            job_digest(body, kind, sources[kind], outputs): (job, name, index)
            for job, name, index, kind, body in done.fetchall()
            if kind in sources
        }

    def _output(self, job: str) -> str | None:
        row = self._connection.execute(
            f'SELECT doc FROM {OUTPUTS} WHERE uuid = ? ORDER BY "index" DESC LIMIT 1', (job,)
        ).fetchone()
        return None if row is None else str(row[0])

    def result(self, found: tuple[int, str, int], job: ReadyJob, directory: Path) -> Result:
        """The result of an earlier job as that of ``job``.

        Jobs that its response brought come along under new uuids, and are looked up in their turn when
        they are ready. Files that the output names are linked into the campaign.

        Raises:
            StoreError: a file that the output names is missing.
        """
        old, name, index = found
        text, response = self._connection.execute(
            f"SELECT doc, (SELECT response FROM responses WHERE job = ?) FROM {OUTPUTS}"
            ' WHERE uuid = ? AND "index" = ?',
            (old, name, index),
        ).fetchone()
        body = json.loads(job.body)
        names = {name: job.uuid}
        if REFERENCE in text:  # to what the job was given, or to what its response brought
            given = json.loads(row_of(self._connection, old).body)
            names |= zip(_given(given), _given(body), strict=True)
        rows = self._brought(old, json.loads(response), names) if response else {}
        document = json.loads(text) | {
            "uuid": job.uuid, "index": job.index, "name": job.name,
            "metadata": body.get("metadata", {}), "hosts": body.get("hosts", []),
        }  # fmt: skip
        result: Result = {
            "ok": True, "job": job.id, "attempt": job.attempts + 1, "uuid": job.uuid, "index": job.index,
            "document": _renamed(json.dumps(document, separators=(",", ":")), names),
            "reused": f"{self.directory} job {old}", "source": (job.kind, str(source_digest(job.kind))),
        }  # fmt: skip
        result["given"] = digest_of(job.body.encode())
        result["made"] = digest_of(result["document"].encode())
        if response:
            result["response"] = json.loads(_renamed(response, names))
        if rows:
            result["rows"] = rows
        if '"blob_uuid"' in text:
            result["blobs"] = self._blobs(document)
        texts = [text, *(row.body for many in rows.values() for row in many)]
        texts += [blob for many in result.get("blobs", {}).values() for blob in many]
        for each in texts:
            check_files(self.directory / "blobs", each, where=f"job {old}")
        take_files(self.directory / "blobs", directory / "blobs", texts)
        return result

    def _blobs(self, document: dict[str, Any]) -> dict[str, list[str]]:
        """The documents of additional stores that an output names."""
        blobs: dict[str, list[str]] = {}
        for store, blob_uuid in blob_names(document):
            row = self._connection.execute(
                f"SELECT doc FROM {quote(additional_collection(store))} WHERE blob_uuid = ?", (blob_uuid,)
            ).fetchone()
            blobs.setdefault(store, []).append(row[0])
        return blobs

    def _brought(self, old: int, response: dict[str, Any], names: dict[str, str]) -> dict[str, list[JobRow]]:
        """The jobs that the response of an earlier job brought; gives them new uuids in ``names``."""
        brought = [
            row_of(self._connection, job)
            for (job,) in self._connection.execute("SELECT id FROM jobs WHERE origin = ? ORDER BY id", (old,))
        ]
        for row in brought:
            names.setdefault(row.uuid, str(uuid.uuid4()))
        rows: dict[str, list[JobRow]] = {}
        for way in ("replace", "detour", "addition"):
            members = set(_members(response.get(way)))
            chosen = [_anew(row, names) for row in brought if (row.uuid, row.index) in members]
            if chosen:
                rows[way] = chosen
        return rows


def row_of(connection: sqlite3.Connection, job: int) -> JobRow:
    """A job of a ledger as it came in.

    Args:
        connection: of the ledger.
        job: its id.
    """
    uuid, index, name, kind, body, resources, needs_parents, pool = connection.execute(
        'SELECT uuid, "index", name, kind, body, resources, needs_parents, pool FROM jobs'
        " JOIN bodies ON job = id WHERE id = ?",
        (job,),
    ).fetchone()
    parents = connection.execute("SELECT parent FROM edges WHERE child = ? AND kind = ?", (job, WAITS_FOR))
    return JobRow(
        uuid=uuid, index=index, name=name, kind=kind, body=body, parents=[row[0] for row in parents],
        manager_config=json.loads(resources) if resources else {}, needs_parents=bool(needs_parents),
        expose_store=pool == HEAD_POOL,
    )  # fmt: skip


def _anew(row: JobRow, names: dict[str, str]) -> JobRow:
    return row._replace(
        uuid=names[row.uuid],
        body=_renamed(row.body, names),
        parents=[names.get(parent, parent) for parent in row.parents],
    )


def _given(job: dict[str, Any]) -> list[str]:
    """What a job refers to, in an order that does not depend on that of its arguments."""
    return list(references(json.loads(json.dumps(job, sort_keys=True))))


def _members(plan: Any) -> Iterable[tuple[str, int]]:
    for child in (plan or {}).get("jobs", ()):
        if isinstance(child, dict):
            yield from _members(child)
        else:
            yield child[0], child[1]


def _renamed(text: str, names: dict[str, str]) -> str:
    if len(names) == 1:
        return text.replace(*next(iter(names.items())))
    return _UUID.sub(lambda match: names.get(match[0], match[0]), text)


class Reuse:
    """Looks a job up in earlier campaigns.

    Args:
        directories: of the campaigns, the first to be asked first.
        read: uuid → latest output document of the campaign that is running.
        directory: of the campaign that is running.
    """

    def __init__(
        self, directories: Iterable[str | Path], read: Callable[[str], str | None], directory: Path
    ) -> None:
        self.campaigns = [Earlier(Path(place).resolve()) for place in directories]
        self._read = read
        self._directory = directory
        self._run: set[int] = set()  # jobs that have none, or cannot use it: they are not looked up again

    def close(self) -> None:
        """Close the ledgers of the earlier campaigns."""
        for campaign in self.campaigns:
            campaign.close()

    def refuse(self, job: ReadyJob) -> None:
        """Let a job run, whatever earlier campaigns have."""
        self._run.add(job.id)

    def result(self, job: ReadyJob) -> Result | None:
        """The result of an identical job, as this job's; None where there is none."""
        if job.id in self._run:
            return None
        found = self._found(job)
        if found is None:
            self.refuse(job)
        return found

    def _found(self, job: ReadyJob) -> Result | None:
        source = source_digest(job.kind)
        if source is None or not job.resources.cache:
            return None
        digest = job_digest(job.body, job.kind, source, Outputs(self._read))
        for campaign in self.campaigns:
            if (found := campaign.find(digest)) is not None:
                try:
                    return campaign.result(found, job, self._directory)
                except StoreError as error:
                    logger.warning("job %s is not taken from there: %s", job.name, error)
        return None
