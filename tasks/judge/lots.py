"""Many candidates parted into lots that can be judged one by one: all of one formula are in one lot.

Candidates of different formulas have nothing to do with one another as long as only references span the
hull: no two of them are the same crystal. So lots give the verdicts that all candidates together would have,
and nobody ever holds more than one lot in memory. Sources are read twice: once to count formulas.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import job

from zonemelt.tasks.explore.sources import Collected, read_all
from zonemelt.tasks.judge.verdict_jobs import FINE
from zonemelt.tasks.quality.composition import reduced_formula

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

    from zonemelt.tasks.explore.candidate import Candidate
    from zonemelt.tasks.explore.sources import Sources


def parted(counts: Mapping[str, int], size: int) -> dict[str, int]:
    """Formula → number of its lot: as many whole formulas as there is room for, one at least.

    Args:
        counts: formula → candidates.
        size: of a lot; more only where one formula alone has more.
    """
    lot_of, lot, filled = {}, 0, 0
    for formula in sorted(counts):
        if filled and filled + counts[formula] > size:
            lot, filled = lot + 1, 0
        lot_of[formula] = lot
        filled += counts[formula]
    return lot_of


def write_lots(sources: Sequence[Sources], directory: Path, *, size: int) -> dict[str, Any]:
    """Read candidates, and write them into a file for each lot.

    Args:
        sources: what is read, all paths on a file system that every worker sees.
        directory: of the lots.
        size: candidates of a lot.

    Returns:
        ``lots``, the files; ``counts``, see :meth:`.Found.document`.

    Raises:
        InputError: a path is not there, or holds no structure.
    """
    formulas: Counter[str] = Counter()
    for source in sources:
        formulas.update(reduced_formula(read.geometry.symbols) for read in read_all(source) if read.geometry)
    lot_of = parted(formulas, size)
    directory.mkdir(parents=True, exist_ok=True)
    partial = directory / f"partial-{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    collected, said = Collected(), hashlib.sha256(str(size).encode())
    with ExitStack() as open_files:
        files: dict[int, TextIO] = {}
        for source in sources:
            for one in collected.read(source):
                lot = lot_of[reduced_formula(one.geometry.symbols)]
                if lot not in files:
                    files[lot] = open_files.enter_context(_file(partial, lot).open("w", encoding="utf-8"))
                _write(files[lot], one)
                said.update(one.identifier.encode())
    place = directory / said.hexdigest()[:16]
    if place.exists():  # of an attempt before this one
        shutil.rmtree(partial)
    else:
        partial.rename(place)
    return {"lots": [str(_file(place, lot)) for lot in sorted(files)], "counts": collected.counted}


def _file(place: Path, lot: int) -> Path:
    return place / f"lot-{lot:05d}.jsonl"


def _write(file: TextIO, one: Candidate) -> None:
    file.write(json.dumps(one.model_dump(mode="json")) + "\n")


def merged(parts: Sequence[Mapping[str, Any]], *, explored: Mapping[str, int]) -> dict[str, Any]:
    """Judgements of lots as one: sums of the counts, what the lots kept of their verdicts.

    Lots share references: how many ``crystals`` there were is said of the lot with most.

    Args:
        parts: what :func:`lot_job` returned.
        explored: what was read.
    """
    counts: Counter[str] = Counter()
    for one in parts:
        counts.update(one["counts"])
    references: dict[str, Any] = {"crystals": 0, "lost": {}, "phases": {}}
    for one in parts:
        references["crystals"] = max(references["crystals"], one["references"]["crystals"])
        references["lost"] |= one["references"]["lost"]
        references["phases"] |= one["references"]["phases"]
    return {
        "verdicts": [verdict for one in parts for verdict in one["verdicts"]],
        "counts": dict(counts),
        "references": references,
        "explored": dict(explored),
    }


@job
def read_lot_job(*, file: str) -> list[dict[str, Any]]:
    """The candidates of a lot."""
    return [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]


@job
def lot_job(*, judged: dict[str, Any], whole: bool) -> dict[str, Any]:
    """What is kept of the judgement of a lot for what follows.

    Args:
        judged: see :func:`.judge_job`.
        whole: all verdicts; else those on stable and metastable ones. All are in the output of the judgement.
    """
    return {**judged, "verdicts": [one for one in judged["verdicts"] if whole or one["verdict"] in FINE]}


@job
def merge_job(*, parts: list[dict[str, Any]], explored: dict[str, int]) -> dict[str, Any]:
    """See :func:`merged`."""
    return merged(parts, explored=explored)
