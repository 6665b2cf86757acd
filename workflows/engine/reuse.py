"""Results of earlier campaigns stand in for identical jobs.

Two jobs are identical when their functions have the same source (and, for a package, the same version), and
their inputs are the same, where an input that is another job's output counts by its content. What a job is
called, and where it runs, does not matter. A kind of job whose source changed while the earlier campaign ran
is never reused.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import inspect
import json
import os
import re
import shutil
import uuid
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.sqlite import connect, quote
from zonemelt.workflows.engine.circumstances import digest_of
from zonemelt.workflows.engine.graph import JobRow, walk_references
from zonemelt.workflows.engine.inputs import blob_names
from zonemelt.workflows.engine.schema import (
    FILE_NAME,
    OUTPUTS,
    WAITS_FOR,
    additional_collection,
    check_version,
)
from zonemelt.workflows.engine.states import JobState

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

    from zonemelt.workflows.engine.ledger import ReadyJob
    from zonemelt.workflows.engine.results import Result

# What distinguishes a job from an identical one.
_INDIVIDUAL = ("uuid", "index", "name", "hosts", "metadata", "metadata_updates", "name_updates")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@cache
def source_digest(kind: str) -> str | None:
    """The digest of a function's source and of its package's version; None where it has no source.

    Args:
        kind: module and qualified name.
    """
    parts = kind.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        try:
            for part in parts[cut:]:
                found = getattr(found, part)
            source = inspect.getsource(inspect.unwrap(getattr(found, "original", found)))
        except (AttributeError, OSError, TypeError):
            return None
        return _digest(f"{kind}\0{_version(parts[0])}\0{source}")
    return None


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Outputs:
    """Digests of the outputs in a ledger, references inside them followed; each is computed once.

    Args:
        read: uuid → its latest output document as JSON, or None.
    """

    def __init__(self, read: Callable[[str], str | None]) -> None:
        self._read = read
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
            if node.get("@class") == "OutputReference" and "uuid" in node:
                return {"output": self.digest(node["uuid"]), "attributes": node["attributes"]}
            return {k: self._followed(v) for k, v in node.items() if k != "@version"}
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
        """
        old, name, index = found
        text, response = self._connection.execute(
            f"SELECT doc, (SELECT response FROM responses WHERE job = ?) FROM {OUTPUTS}"
            ' WHERE uuid = ? AND "index" = ?',
            (old, name, index),
        ).fetchone()
        body = json.loads(job.body)
        names = {name: job.uuid}
        if "OutputReference" in text:  # to what the job was given, or to what its response brought
            names |= zip(self._references(old), walk_references(body), strict=True)
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
        self._link_files(texts + [b for many in result.get("blobs", {}).values() for b in many], directory)
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

    def _references(self, old: int) -> list[str]:
        row = self._connection.execute("SELECT body FROM bodies WHERE job = ?", (old,)).fetchone()
        return list(walk_references(json.loads(row[0])))

    def _brought(self, old: int, response: dict[str, Any], names: dict[str, str]) -> dict[str, list[JobRow]]:
        """The jobs that the response of an earlier job brought; gives them new uuids in ``names``."""
        brought = self._connection.execute(
            'SELECT id, uuid, "index", name, kind, body, resources, needs_parents FROM jobs'
            " JOIN bodies ON job = id WHERE origin = ?"
            " ORDER BY id",
            (old,),
        ).fetchall()
        for entry in brought:
            names.setdefault(entry[1], str(uuid.uuid4()))
        rows: dict[str, list[JobRow]] = {}
        for way in ("replace", "detour", "addition"):
            members = set(_members(response.get(way)))
            chosen = [self._row(entry, names) for entry in brought if (entry[1], entry[2]) in members]
            if chosen:
                rows[way] = chosen
        return rows

    def _row(self, entry: Any, names: dict[str, str]) -> JobRow:
        job, name, index, title, kind, body, resources, needs_parents = entry
        parents = self._connection.execute(
            "SELECT parent FROM edges WHERE child = ? AND kind = ?", (job, WAITS_FOR)
        ).fetchall()
        return JobRow(
            uuid=names[name], index=index, name=title, kind=kind, body=_renamed(body, names),
            parents=[names.get(parent, parent) for (parent,) in parents],
            manager_config=json.loads(resources) if resources else {},
            needs_parents=bool(needs_parents), expose_store='"expose_store":true' in body,
        )  # fmt: skip

    def _link_files(self, texts: Iterable[str], directory: Path) -> None:
        for text in texts:
            if '"sha256"' not in text:
                continue
            for digest in re.findall(r'"sha256":\s*"([0-9a-f]{64})"', text):
                for source in (self.directory / "blobs" / digest[:2]).glob(f"{digest}*"):
                    target = directory / "blobs" / digest[:2] / source.name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    _link(source, target)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:  # another file system
        temporary = target.with_suffix(f".{os.getpid()}")
        shutil.copyfile(source, temporary)
        temporary.replace(target)


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

    def close(self) -> None:
        """Close the ledgers of the earlier campaigns."""
        for campaign in self.campaigns:
            campaign.close()

    def result(self, job: ReadyJob) -> Result | None:
        """The result of an identical job, as this job's; None where there is none."""
        source = source_digest(job.kind)
        if source is None or not job.resources.cache:
            return None
        digest = job_digest(job.body, job.kind, source, Outputs(self._read))
        for campaign in self.campaigns:
            if (found := campaign.find(digest)) is not None:
                return campaign.result(found, job, self._directory)
        return None
