"""Gather the labels of a round that have arrived, judge them, and make the next version of the dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import job

from zonemelt.tasks.datasets import commit, open_dataset, write_part
from zonemelt.tasks.datasets.levels import LEVEL_COLUMNS, add_levels
from zonemelt.tasks.datasets.versions import last_entry
from zonemelt.tasks.errors import InputError, OracleError
from zonemelt.tasks.quality.judge import POTENTIAL, judged
from zonemelt.tasks.records import Record
from zonemelt.tasks.rounds.contradictions import TOLERANCE, perhaps_the_same, without_contradictions
from zonemelt.tasks.rounds.near_hull import is_refined
from zonemelt.tasks.theory import OneTheory

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from zonemelt.tasks.datasets import Dataset

_NAMED = 3  # labels in a message


def gather(
    labels: Mapping[str, Mapping[str, Any] | None],
    dataset: Path,
    *,
    message: str,
    need: Collection[str] = POTENTIAL,
    tolerance: float = TOLERANCE,
) -> dict[str, Any]:
    """Add what has arrived to the dataset.

    Records that are not converged, physically absurd or contradict others go into its quarantine. Done
    again, with more labels or the same, it loses nothing and adds nothing twice.

    Args:
        labels: identifier → the record as a document; None where it is not there.
        dataset: its directory.
        message: of the version.
        need: see :func:`.judge`.
        tolerance: see :func:`.without_contradictions`.

    Returns:
        ``dataset`` and its ``version``; how many ``records`` it has, and how many in ``quarantine``;
        identifiers that were ``accepted``; identifier → why, of what was ``refused``; what is ``missing``;
        ``seconds`` and ``cpu_seconds`` that the labels took.

    Raises:
        InputError: levels of theory would be mixed.
        StoreError: the dataset cannot be written.
    """
    there = {name: one for name, one in labels.items() if one is not None}
    records = [_judged(Record.model_validate(one), need) for _, one in sorted(there.items())]
    before = open_dataset(dataset) if last_entry(dataset)[1] else None
    _check_theory(records, before)
    known = perhaps_the_same(before, records) if before is not None else ()
    names = {record.identifier for record in records}
    judged_records = without_contradictions(
        records, [record for record in known if record.identifier not in names], tolerance=tolerance
    )
    if judged_records:
        commit(dataset, [write_part(dataset, judged_records)], message=message)
    now = open_dataset(dataset) if judged_records or before is not None else None
    refused = {
        one.identifier: "; ".join(one.quality.reasons)
        for one in judged_records
        if one.quality is not None and not one.quality.accepted
    }
    return {
        "dataset": str(dataset),
        "version": now.version if now else None,
        "records": len(now) if now else 0,
        "quarantine": len(now.quarantine) if now else 0,
        "accepted": [one.identifier for one in judged_records if one.identifier not in refused],
        "refused": refused,
        "missing": sorted(set(labels) - set(there)),
        "seconds": sum(getattr(one.provenance, "seconds", None) or 0.0 for one in records),
        "cpu_seconds": sum(getattr(one.provenance, "cpu_seconds", None) or 0.0 for one in records),
    }


def _judged(record: Record, need: Collection[str]) -> Record:
    """With a verdict; what its oracle has given up on keeps the reasons that it has."""
    given_up = record.quality is not None and not record.quality.accepted
    return record if given_up else judged(record, need=need)


def _check_theory(records: Sequence[Record], before: Dataset | None) -> None:
    """Refuse labels of another level of theory than that of the dataset.

    Raises:
        InputError: naming both; also where an element has two setups or two values of U.
    """
    one = OneTheory()
    if before is not None:
        add_levels(one, before.batches(LEVEL_COLUMNS), before.theories)
    new = [record for record in records if record.quality is not None and record.quality.accepted]
    for record in new:
        one.add(record.theory, set(record.geometry.symbols), identifier=record.identifier)
    if new:
        one.key(where="labels of this round")


def check_worth_going_on(found: Mapping[str, Any], *, most_failed: float) -> None:
    """End a campaign whose oracle does not work.

    Args:
        found: what :func:`gather` returned.
        most_failed: share of the labels of a round that may fail or be refused.

    Raises:
        OracleError: more than that were; with the reasons of the first ones.
    """
    bad = found["refused"]
    settled = len(bad) + len(found["accepted"])
    if not settled and found["missing"]:
        raise OracleError(
            f"none of {len(found['missing'])} labels came: their jobs failed",
            where="labels of this round",
            remedy="`zonemelt jobs --failed` lists them with the reasons",
        )
    if len(bad) > most_failed * settled:
        reasons = "; ".join(f"{name}: {why}" for name, why in list(bad.items())[:_NAMED])
        raise OracleError(
            f"{len(bad)} of {settled} labels failed or were refused: {reasons}",
            where="labels of this round",
            remedy="mend the oracle or its settings (`zonemelt check` tries it), or raise most_failed",
        )


def settled(
    labels: Mapping[str, Mapping[str, Any] | None],
    waiting: Mapping[str, Mapping[str, Any]],
    dataset: Path,
    *,
    message: str,
    need: Collection[str],
    most_failed: float,
    last: bool,
) -> dict[str, Any]:
    """Add the labels of a round that have arrived to the dataset, and say what became of the others.

    Args:
        labels: see :func:`gather`; those that have not arrived are None.
        waiting: identifier → ``label``, the uuid of its job, and ``geometry``.
        dataset: its directory.
        message: of the version.
        need: see :func:`gather`.
        most_failed: see :func:`check_worth_going_on`.
        last: nothing is waited for after this: what is missing has failed.

    Returns:
        What :func:`gather` returns, but for ``missing``: what is missing is ``pending`` and joins the next
        round, as in ``waiting``, or has ``failed``.

    Raises:
        InputError: there is nothing to learn from.
        OracleError: see :func:`check_worth_going_on`.
    """
    found = gather(labels, dataset, message=message, need=need)
    check_worth_going_on(found, most_failed=most_failed)
    missing = found.pop("missing")
    if not found["records"]:
        raise InputError(
            "no label was accepted, and the dataset is empty",
            where=str(dataset),
            remedy="ask for more labels to begin with",
        )
    return {
        **found,
        "failed": missing if last else [],
        "pending": {} if last else {name: waiting[name] for name in missing},
    }


def asked_for(waiting: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What was proposed among the labels that are waited for: with ``label``, a uuid, and ``verdict``."""
    return [
        {"identifier": name, "label": one["label"], "verdict": one["verdict"]}
        for name, one in sorted(waiting.items())
        if one.get("verdict") and not is_refined(name)
    ]


@job
def gather_job(
    *,
    labels: dict[str, Any],
    waiting: dict[str, dict[str, Any]],
    dataset: str,
    message: str,
    need: list[str],
    most_failed: float,
    last: bool = False,
) -> dict[str, Any]:
    """Add the labels of a round that have arrived to the dataset; see :func:`settled`.

    Returns:
        What :func:`settled` does, and ``found``: see :func:`asked_for`, of what was accepted.
    """
    done = settled(
        labels, waiting, Path(dataset), message=message, need=need, most_failed=most_failed, last=last
    )
    accepted = set(done["accepted"])
    return {**done, "found": [one for one in asked_for(waiting) if one["identifier"] in accepted]}
