"""One line for each file that was ingested: what became of it, in JSON and in CSV, in the dataset."""

from __future__ import annotations

import csv
import json
from collections import Counter
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Final

from zonemelt.tasks.ingest.verdicts import FileReport, Verdict
from zonemelt.tasks.whole_files import whole_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FOLDER: Final = "ingest"  # in the dataset's directory: one file for each ingestion, which is what counts
LINES: Final = "ingest-report.jsonl"  # all of them, after each other
TABLE: Final = "ingest-report.csv"
WITH_RECORDS: Final = (Verdict.INGESTED, Verdict.UNCONVERGED, Verdict.TRUNCATED)
OUGHT: Final = (Verdict.UNREADABLE, Verdict.TRUNCATED, Verdict.UNCONVERGED)  # to be calculations
_SHOWN: Final = 3  # files without records that are shown at once; the report has all


def write_reports(path: Path, reports: Iterable[FileReport]) -> None:
    """Write the reports of one batch, one line each."""
    with _written(path) as file:
        file.writelines(report.model_dump_json() + "\n" for report in reports)


@contextmanager
def _written(path: Path) -> Iterator[IO[str]]:
    """A text that is there whole or not at all."""
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        yield file


def read_reports(path: Path) -> Iterator[FileReport]:
    """The reports of a file that :func:`write_reports` or :func:`publish` wrote."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            told = json.loads(line)
            yield FileReport.model_validate({k: v for k, v in told.items() if k in FileReport.model_fields})


def known_files(dataset: Path) -> dict[str, str]:
    """SHA-256 → name of the files whose records a dataset has already."""
    told = (json.loads(line) for line in _lines(dataset))  # every batch asks: nothing is validated again
    return {
        one["sha256"]: one["path"]
        for one in told
        if one["sha256"] and one["verdict"] in WITH_RECORDS and one["accepted"] + one["quarantined"]
    }


def settled(batches: Iterable[Iterable[FileReport]]) -> Iterator[tuple[list[FileReport], set[str]]]:
    """What became of the files of batches that ran side by side: a file that two had is a duplicate.

    Yields:
        For each batch its reports, and the names of its files whose records an earlier batch has too.
    """
    seen: dict[str, str] = {}
    for batch in batches:
        reports: list[FileReport] = []
        again: set[str] = set()
        for report in batch:
            read = report.sha256 is not None and report.verdict in WITH_RECORDS
            first = seen.setdefault(report.sha256, report.path) if report.sha256 and read else report.path
            if first != report.path:
                again.add(report.path)
                none = dict.fromkeys(("accepted", "quarantined", "no_records"), 0)
                said = {"verdict": Verdict.DUPLICATE, "reason": f"the same as {first}"}
                report = report.model_copy(update=said | none)  # noqa: PLW2901 (it is another report now)
            reports.append(report)
        yield reports, again


def publish(dataset: Path, reports: Iterable[FileReport], *, run: str, version: str) -> dict[str, Any]:
    """Add the reports of one ingestion to those that a dataset has, as JSON and as CSV.

    Args:
        dataset: its directory.
        reports: of one ingestion.
        run: name of the ingestion; said twice, it counts once.
        version: of the dataset that has its records.

    Returns:
        ``files``: how many; ``verdicts``: verdict → how many; ``accepted`` and ``quarantined``: records;
        ``no_records``: rows and frames that are none; ``without_records``: verdict, path and reason of the
        first few files that ought to be calculations and gave no record, or, where there is no record and no
        such file, of the first few of all.
    """
    counts: Counter[str] = Counter({verdict.value: 0 for verdict in Verdict})
    records: Counter[str] = Counter(accepted=0, quarantined=0, no_records=0)
    failed: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    with _written(dataset / FOLDER / f"{run}.jsonl") as file:
        for report in reports:
            counts[report.verdict.value] += 1
            records.update(
                accepted=report.accepted,
                quarantined=report.quarantined,
                no_records=report.no_records,
            )
            shown = failed if report.verdict in OUGHT else others
            if report.reason and not report.accepted + report.quarantined and len(shown) < _SHOWN:
                shown.append(report.model_dump(mode="json", include={"verdict", "path", "reason"}))
            told = {"run": run, "version": version, **report.model_dump(mode="json")}
            file.write(json.dumps(told, ensure_ascii=False) + "\n")
    with _written(dataset / LINES) as file:
        file.writelines(_lines(dataset))
    with _written(dataset / TABLE) as file:
        _as_table(_lines(dataset), file)
    without = failed or ([] if records["accepted"] + records["quarantined"] else others)
    return {"files": sum(counts.values()), "verdicts": dict(counts), **records, "without_records": without}


def _lines(dataset: Path) -> Iterator[str]:
    """The lines of all ingestions, in their order."""
    for path in sorted((dataset / FOLDER).glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            yield from lines


def _as_table(lines: Iterable[str], file: IO[str]) -> None:
    table = csv.DictWriter(file, ["run", "version", *FileReport.model_fields])
    table.writeheader()
    for line in lines:
        told = json.loads(line)
        table.writerow({**told, "tried": " | ".join(told["tried"])})
