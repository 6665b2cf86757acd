"""The table of labels of a campaign: formation energies of what was accepted, reasons of what was not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jobflow import job

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.quality.judge import judged
from zonemelt.tasks.records import Record, one_theory

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


LABEL: Final = ("energy_sigma0", "forces", "electronic", "complete")  # what an oracle must have computed


def sort_out(records: Sequence[Record], *, need: Collection[str] = ()) -> tuple[list[Record], list[Record]]:
    """Give every record its verdict.

    Args:
        records: of one level of theory.
        need: what each must hold; see :func:`zonemelt.tasks.quality.judge.judge`.

    Returns:
        The accepted and the rejected records.

    Raises:
        InputError: the accepted records mix levels of theory.
    """
    told = [judged(record, need=need) for record in records]
    accepted = [r for r in told if r.quality is not None and r.quality.accepted]
    rejected = [r for r in told if r.quality is None or not r.quality.accepted]
    if accepted:
        one_theory(accepted)
    return accepted, rejected


def formation_energy(record: Record, references: Mapping[str, Mapping[str, float]]) -> float:
    """Energy relative to the pure elements of the same oracle, eV/atom.

    Raises:
        InputError: an element has no reference energy.
    """
    symbols = record.geometry.symbols
    missing = sorted(set(symbols) - set(references))
    if missing:
        raise InputError(
            f"no reference energy for {', '.join(missing)}",
            where=f"record {record.identifier}",
            remedy="label the pure elements with the same oracle first",
        )
    reference = sum(references[symbol]["energy_per_atom"] for symbol in symbols)
    return (record.energy - reference) / len(symbols)


@job
def ingest_job(
    *,
    records: list[dict[str, Any]],
    references: dict[str, Any],
    earlier: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Judge new records and add them to the table of labels.

    Args:
        records: records as dictionaries.
        references: what ``fit_references_job`` returned.
        earlier: what this job returned in the round before.

    Returns:
        ``energies``: identifier → formation energy (eV/atom), all rounds together; ``rejected``:
        identifier → reasons; ``seconds`` and ``cpu_seconds``: identifier → times (s); ``theory``: its key.
    """
    parsed = [Record.model_validate(document) for document in records]
    accepted, rejected = sort_out(parsed, need=LABEL)
    table = earlier or {
        "energies": {},
        "rejected": {},
        "seconds": {},
        "cpu_seconds": {},
        "theory": references["theory"],
    }
    for record in accepted:
        if record.theory.key != table["theory"]:
            raise InputError(
                f"level of theory {record.theory.key} is not that of the campaign, {table['theory']}",
                where=f"record {record.identifier}",
                remedy="label all structures of a campaign with one oracle and one set of settings",
            )
    energies = {r.identifier: formation_energy(r, references["elements"]) for r in accepted}
    return {
        "energies": table["energies"] | energies,
        "rejected": table["rejected"]
        | {r.identifier: list(r.quality.reasons) for r in rejected if r.quality},
        "cpu_seconds": table["cpu_seconds"] | {r.identifier: r.provenance.cpu_seconds for r in parsed},
        "seconds": table["seconds"] | {r.identifier: r.provenance.seconds for r in parsed},
        "theory": table["theory"],
    }
