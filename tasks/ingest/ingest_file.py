"""From a file to records and exactly one report of what became of it.

Records of a file that was cut off, or whose frames did not converge, are kept: their quality says that they
are not accepted, and why.
"""

from __future__ import annotations

import contextlib
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from zonemelt.tasks.convert.origin import Origin
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.attempts import Reading, read, try_reader
from zonemelt.tasks.ingest.calculations import calculations
from zonemelt.tasks.ingest.kept import Kept
from zonemelt.tasks.ingest.outputs.frames import NOT_NUMBERS
from zonemelt.tasks.ingest.outputs.markers import Said, said_in
from zonemelt.tasks.ingest.readers import ADDRESS, UNREAD, is_table, readers_of
from zonemelt.tasks.ingest.recognise import recognise
from zonemelt.tasks.ingest.tables.addresses import is_address
from zonemelt.tasks.ingest.tables.columns import NOTHING_SAID, TableSettings
from zonemelt.tasks.ingest.verdicts import FileReport, Verdict
from zonemelt.tasks.ingest.walk import Found, unpack, walk, why
from zonemelt.tasks.quality.judge import judge
from zonemelt.tasks.records import Ingested, Quality
from zonemelt.tasks.whole_files import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zonemelt.tasks.ingest.attempts import Attempt
    from zonemelt.tasks.records import Record

WHOLE: Final = (Verdict.INGESTED, Verdict.UNCONVERGED)  # what was read of such files is all there is


@dataclass(kw_only=True)
class Outcome:
    """What became of one file, and its records.

    Attributes:
        report: without the counts.
        attempt: what was read; None where nothing was.
        reasons: why none of its records is accepted; empty where each is judged for itself.
        table: its records say themselves which frames they are.
    """

    report: FileReport
    attempt: Attempt | None = None
    reasons: tuple[str, ...] = ()
    table: bool = False

    def records(self) -> Iterator[Record]:
        """Its records, judged."""
        if self.attempt is None:
            return
        frames = len(self.attempt.records)
        for record in self.attempt.records:
            quality = judge(record)
            left = [str(record.properties[NOT_NUMBERS].value)] if NOT_NUMBERS in record.properties else []
            words = [f"{name} are not numbers" for name in left]
            reasons = (*self.reasons, *words, *quality.reasons)
            provenance = record.provenance
            if not self.table and isinstance(provenance, Ingested):
                # bad frames count as frames, but have no records
                provenance = provenance.model_copy(update={"frames": max(frames, provenance.frame + 1)})
            yield record.model_copy(
                update={"provenance": provenance, "quality": Quality(accepted=not reasons, reasons=reasons)}
            )


def ingest_path(path: Path, *, source: str = "") -> tuple[list[Record], list[FileReport]]:
    """Everything below a path: its records, and a report for each of its files.

    Args:
        path: a file, a directory or an archive.
        source: its name for a person; by default the path.
    """
    reports: list[FileReport] = []
    seen: dict[str, str] = {}
    records = [
        record
        for files in calculations(walk(path, source=source))
        for record in ingest(files, reports=reports, seen=seen)
    ]
    return records, reports


def ingest(
    files: Sequence[Found],
    *,
    reports: list[FileReport],
    seen: dict[str, str],
    table: TableSettings = NOTHING_SAID,
) -> Iterator[Record]:
    """The records of one calculation.

    Args:
        files: those that tell of it, the best first; often one.
        reports: gets one report for each file, and for each member of an archive.
        seen: SHA-256 → name of the files that were read before; files that are read now are added.
        table: what is known of tables among them.
    """
    with ExitStack() as stack:
        best: Outcome | None = None
        outcomes: list[Outcome] = []
        for found in files:
            if best is not None and best.report.verdict in (*WHOLE, Verdict.DUPLICATE):
                outcomes.append(_part(found, best.report.path))
                continue
            if archive := _opened_archive(found):
                yield from _archive(archive, reports=reports, seen=seen, table=table)
                continue
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="zonemelt-")))
            outcome = _one(found, folder, seen, table)
            outcomes.append(outcome)
            if best is None or _better(outcome, best):
                best = outcome
        for outcome in outcomes:
            if outcome is not best:
                outcome.attempt = None  # its records are of the same calculation
            accepted = quarantined = 0
            for record in outcome.records():
                good = record.quality is None or record.quality.accepted
                accepted, quarantined = accepted + good, quarantined + (not good)
                yield record
            counts = {"accepted": accepted, "quarantined": quarantined}
            counts["no_records"] = outcome.attempt.bad if outcome.attempt else 0
            reports.append(outcome.report.model_copy(update=counts))
            if outcome is best and outcome.report.sha256 and outcome.report.verdict != Verdict.DUPLICATE:
                seen.setdefault(outcome.report.sha256, outcome.report.path)


def _better(one: Outcome, other: Outcome) -> bool:
    def rank(outcome: Outcome) -> tuple[bool, int]:
        records = len(outcome.attempt.records) if outcome.attempt else 0
        return outcome.report.verdict in WHOLE, records

    return rank(one) > rank(other)


def _part(found: Found, read_from: str) -> Outcome:
    """A file that tells of a calculation that another one was read for."""
    reason = f"of the same calculation as {read_from}, which was read"
    return Outcome(report=_report(found, Verdict.DUPLICATE, reason))


def _opened_archive(found: Found) -> Found | None:
    if found.verdict is not None:
        return None
    try:
        return found if recognise(found.path).kind == "archive" else None
    except OSError:
        return None


def _archive(
    found: Found, *, reports: list[FileReport], seen: dict[str, str], table: TableSettings
) -> Iterator[Record]:
    with tempfile.TemporaryDirectory(prefix="zonemelt-") as folder:
        for files in calculations(unpack(found, Path(folder))):
            yield from ingest(files, reports=reports, seen=seen, table=table)


def _report(found: Found, verdict: Verdict, reason: str = "", **more: object) -> FileReport:
    size = None
    if found.verdict is None:
        with contextlib.suppress(OSError):  # of an address
            size = found.path.stat().st_size
    return FileReport.model_validate(
        {"path": found.source, "verdict": verdict, "reason": reason, "size": size, **more}
    )


def _one(found: Found, folder: Path, seen: dict[str, str], table: TableSettings) -> Outcome:
    """Read one file that is no archive."""
    if found.verdict is not None:
        return Outcome(report=_report(found, found.verdict, found.reason))
    if is_address(found.source) and not found.path.exists():
        attempt = try_reader(found.path, Origin(source=found.source), ADDRESS, Kept(folder, "kept"))
        reading = Reading(best=attempt, tried=[] if len(attempt.records) else [attempt.failure])
        return _judged(found, "address", reading, {"kind": "address"})
    try:
        what = recognise(found.path)
        if what.kind is None:
            verdict = Verdict.UNREADABLE if what.broken else Verdict.NOT_A_CALCULATION
            return Outcome(report=_report(found, verdict, what.reason))
        readers = readers_of(what.kind)
        if not readers and what.kind not in UNREAD:
            reason = f"{what.kind}: a form that holds no labels known here"
            return Outcome(report=_report(found, Verdict.NOT_A_CALCULATION, reason, kind=what.kind))
        sha256 = sha256_of(found.path)
        about = {"sha256": sha256, "kind": what.kind}
        if sha256 in seen:
            return Outcome(report=_report(found, Verdict.DUPLICATE, f"the same as {seen[sha256]}", **about))
        if not readers:
            return Outcome(report=_report(found, Verdict.UNREADABLE, UNREAD[what.kind], **about))
        origin = Origin(source=found.source, sha256=sha256, columns=table.columns, theory=table.theory)
        reading = read(found.path, origin, readers, folder)
    except InputError as error:
        return Outcome(report=_report(found, Verdict.UNREADABLE, error.what))
    except OSError as error:
        return Outcome(report=_report(found, Verdict.UNREADABLE, why(error)))
    return _judged(found, what.kind, reading, about)


def _judged(found: Found, kind: str, reading: Reading, about: dict[str, str]) -> Outcome:
    """The verdict on what was read."""
    said = said_in(reading.plain, kind) if reading.plain is not None else Said()
    best = reading.best
    last = best.records.last if best is not None else None
    tried = tuple(reading.tried)
    if best is None or last is None:
        verdict, reason = _nothing(kind, said, reading)
        return Outcome(report=_report(found, verdict, reason, tried=tried, **about))
    frames, table = len(best.records), is_table(kind)
    reasons: list[str] = []
    notes: list[str] = []
    verdict = Verdict.INGESTED
    if reading.broken or best.error or last.convergence.complete is False:
        verdict = Verdict.TRUNCATED
        why = reading.broken or best.error or "the code did not come to its end"
        reasons.append(f"the file is cut off or damaged: {why}")
    elif not table and (last.convergence.electronic is False or last.convergence.ionic is False):
        verdict = Verdict.UNCONVERGED
        what = "electronic cycle of the last frame" if last.convergence.electronic is False else "relaxation"
        notes.append(f"the {what} did not converge")
    if best.doubt:
        reasons.append(best.doubt)
    if best.bad:
        notes.append(f"{best.bad} of {frames + best.bad} are no records: {best.bad_reason}")
    report = _report(
        found,
        verdict,
        "; ".join((*reasons, *notes)),
        parser=getattr(last.provenance, "parser", None),
        tried=tried,
        **about,
    )
    return Outcome(report=report, attempt=best, reasons=tuple(reasons), table=table)


def _nothing(kind: str, said: Said, reading: Reading) -> tuple[Verdict, str]:
    """Why a file that was recognised gave no record."""
    if kind == "csv" and reading.best is not None:  # a table may hold anything
        return Verdict.NOT_A_CALCULATION, reading.best.failure
    if False in said.cycles and True not in said.cycles:
        return Verdict.UNCONVERGED, "no electronic cycle converged, and no parser here gives such frames"
    why = "; ".join(reading.tried) if reading.tried else "there is no reader"
    if reading.broken or said.complete is False:
        return Verdict.TRUNCATED, f"{reading.broken or 'the code did not come to its end'}; {why}"
    return Verdict.UNREADABLE, f"no parser here reads a whole label from it; {why}"
