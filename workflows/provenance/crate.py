"""Export a campaign as a Workflow Run RO-Crate: everything that it made, how, and from what."""

from __future__ import annotations

import json
import secrets
import shutil
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml

from zonemelt import __version__
from zonemelt.plain_yaml import read_yaml
from zonemelt.tasks.errors import CampaignError
from zonemelt.tasks.whole_files import make_private, sha256_of
from zonemelt.workflows.engine.inspect import open_ledger
from zonemelt.workflows.engine.named_files import check_files
from zonemelt.workflows.engine.schema import FILE_NAME, OUTPUTS, SPEC_FILE
from zonemelt.workflows.provenance.archives import is_archive, pack
from zonemelt.workflows.provenance.crate_metadata import crate_metadata
from zonemelt.workflows.provenance.hashes import MANIFEST, manifest_text, verify_ledger
from zonemelt.workflows.provenance.lineage import damaged
from zonemelt.workflows.provenance.opening import ABOUT, CAMPAIGN, FORMAT
from zonemelt.workflows.provenance.prov_json import prov_json
from zonemelt.workflows.provenance.told import Told, tell

# What belongs to one head on one machine, and to nobody else.
_LEFT_OUT = frozenset({"spool", "logs", "parsl", "control", "epoch", "head.lock", "head.log", "crate"})
METADATA = "ro-crate-metadata.json"
PROV = "provenance.json"
WORKFLOW = "workflow.json"


@dataclass(frozen=True, kw_only=True)
class Written:
    """A crate that was written.

    Attributes:
        crate: the archive or folder.
        jobs: how many jobs it tells of.
        files: how many files are in it.
        nbytes: how large these are.
        referenced: files that are named by reference only.
    """

    crate: Path
    jobs: int
    files: int
    nbytes: int
    referenced: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for ``--json``."""
        return {**asdict(self), "crate": str(self.crate)}


def write_crate(
    directory: str | Path, out: str | Path | None = None, *, largest: int | None = None, licence: str = ""
) -> Written:
    """Write a campaign as a crate: an archive, or a folder where the name has no ending of one.

    A campaign that runs goes in as it stands.

    Args:
        directory: the campaign directory; it is only read.
        out: a new archive (``.zip``, ``.tar.gz`` …) or folder; ``<name>.crate.zip`` beside it by default.
        largest: files of more bytes are named by reference, with their hash, and not copied.
        licence: URL of the licence of what the campaign made.

    Raises:
        CampaignError: there is no campaign, it has no jobs, its ledger is damaged, or ``out`` exists.
        StoreError: a file that an output names is missing.
    """
    source = Path(directory)
    try:
        target = _new(source, out)
        root = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        try:
            return _write_crate(source, root, target, largest=largest, licence=licence)
        finally:
            shutil.rmtree(root, ignore_errors=True)
    except PermissionError as error:
        raise CampaignError(
            f"it cannot be read or written: {error.strerror}",
            where=str(error.filename),
            remedy="ask the owner of the campaign for the rights, or choose another place",
        ) from error


def _new(source: Path, out: str | Path | None) -> Path:
    """Where a crate goes.

    Raises:
        CampaignError: something is there, or it would lie in the campaign.
    """
    home = source.resolve()
    target = Path(out) if out is not None else home.with_name(f"{home.name}.crate.zip")
    if target.exists():
        raise CampaignError("it exists already", where=str(target), remedy="give another name, or remove it")
    if target.resolve().is_relative_to(home):
        raise CampaignError(
            "a crate cannot lie in the campaign it is of", where=str(target), remedy="write it elsewhere"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _write_crate(source: Path, root: Path, target: Path, *, largest: int | None, licence: str) -> Written:
    with open_ledger(source) as connection:
        try:
            verify_ledger(connection, source)
            told = tell(connection, source)
            if not told.lineage.nodes:
                raise CampaignError(
                    "it has no jobs yet, so there is nothing to export",
                    where=str(source),
                    remedy="`zonemelt status` tells how far it is",
                )
            _check_blobs(connection, source)
            root.mkdir(mode=0o700)
            referenced = _copy(connection, source, root, largest)
        except sqlite3.DatabaseError as error:
            raise damaged(connection, error) from error
    sizes = _describe(told, root, source, referenced, licence)
    if is_archive(target):
        pack(root, target)
    else:
        root.replace(target)
    return Written(crate=target, jobs=len(told.lineage.nodes), referenced=len(referenced), **sizes)


def _check_blobs(connection: sqlite3.Connection, source: Path) -> None:
    """Make sure that the files which outputs and arguments name are there."""
    outputs = (
        f"SELECT jobs.id, doc FROM {OUTPUTS} AS made JOIN jobs ON jobs.uuid = made.uuid"
        ' AND jobs."index" = made."index"'
    )
    for what, sql in (("output", outputs), ("arguments", "SELECT job, body FROM bodies")):
        for job, text in connection.execute(sql):
            check_files(source / "blobs", text, where=f"the {what} of job {job}")


def _copy(
    connection: sqlite3.Connection, source: Path, root: Path, largest: int | None
) -> list[dict[str, Any]]:
    """Copy what a campaign directory holds; returns what is named by reference instead."""
    campaign = root / CAMPAIGN
    campaign.mkdir(mode=0o700)
    copy = sqlite3.connect(campaign / FILE_NAME)
    connection.backup(copy)
    copy.execute("PRAGMA journal_mode = delete")
    copy.close()
    (campaign / FILE_NAME).chmod(0o600)
    referenced = []
    for path in _files(source):
        relative = path.relative_to(source)
        size = path.stat().st_size
        if largest is not None and size > largest:
            name = f"{CAMPAIGN}/{relative.as_posix()}"
            referenced.append(
                {"path": name, "place": str(path.resolve()), "nbytes": size, "sha256": sha256_of(path)}
            )
            continue
        target = campaign / relative
        make_private(target.parent)
        if relative == Path(SPEC_FILE):
            _write(target, _without_store(path))
            continue
        shutil.copyfile(path, target)
        target.chmod(0o600)
    return referenced


def _without_store(path: Path) -> bytes:
    """A campaign file without the store that outputs went to as well, which may hold a password."""
    document = read_yaml(path)
    if not isinstance(document, dict) or document.get("store") is None:
        return path.read_bytes()
    text = yaml.safe_dump(document | {"store": None}, sort_keys=False, allow_unicode=True)
    return f"# The campaign as it was resolved; its store is not told.\n{text}".encode()


def _files(source: Path) -> list[Path]:
    """The plain files of a campaign directory that others may need; what a link leads to is not of it."""
    found = []
    for top in sorted(source.iterdir()):
        if top.name in _LEFT_OUT or top.name.startswith((FILE_NAME, ".")):
            continue
        paths = sorted(top.rglob("*")) if top.is_dir() and not top.is_symlink() else [top]
        found += [
            path for path in paths if path.is_file() and not path.is_symlink() and path.suffix != ".tmp"
        ]
    return found


def _describe(
    told: Told, root: Path, source: Path, referenced: list[dict[str, Any]], licence: str
) -> dict[str, int]:
    """Write what a crate says of its files; returns how many there are, and their size."""
    spec = source / SPEC_FILE
    workflow = {
        "name": told.name,
        "engine": f"zonemelt {told.version}",
        "specification": f"{CAMPAIGN}/{SPEC_FILE}" if spec.exists() else None,
        "steps": [
            {"function": step.kind, "sources": step.sources, "jobs": len(step.jobs)} for step in told.steps
        ],
    }
    _write(root / WORKFLOW, json.dumps(workflow, indent=1).encode())
    _write(root / PROV, prov_json(told).encode())
    about = {
        "format": FORMAT,
        "zonemelt": __version__,
        "was": str(source.resolve()),
        "referenced": referenced,
    }
    _write(root / ABOUT, json.dumps(about, indent=1).encode())
    files = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}
    hashes = {name: sha256_of(path) for name, path in files.items()}
    sizes = {name: path.stat().st_size for name, path in files.items()}
    metadata = crate_metadata(told, hashes, sizes, referenced, licence=licence)
    _write(root / METADATA, orjson.dumps(metadata, option=orjson.OPT_INDENT_2))
    hashes[METADATA] = sha256_of(root / METADATA)
    sizes[METADATA] = (root / METADATA).stat().st_size
    _write(root / MANIFEST, manifest_text(hashes).encode())
    return {"files": len(hashes), "nbytes": sum(sizes.values())}


def _write(path: Path, content: bytes) -> None:
    path.touch(0o600)
    path.write_bytes(content)
