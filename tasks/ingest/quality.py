"""Quality control of records: each one is accepted, or rejected with its reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jobflow import job

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Quality, Record, one_theory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_FORCE: Final = 50.0  # eV/Å
MAX_NET_FORCE: Final = 0.05  # eV/Å, length of the sum over atoms, per atom
MIN_DISTANCE: Final = 0.7  # of the sum of the covalent radii
MAX_STRESS: Final = 1.0  # eV/Å³, about 160 GPa


def judge(record: Record) -> Quality:
    """Check convergence, completeness and physical sense of one record."""
    import numpy as np
    from ase.data import atomic_numbers, covalent_radii

    reasons = []
    if not record.convergence.electronic:
        reasons.append("the electronic cycle did not converge")
    if not record.convergence.complete:
        reasons.append("the calculation did not complete")
    if record.forces is None:
        reasons.append("there are no forces")
    else:
        forces = np.asarray(record.forces)
        largest = float(np.linalg.norm(forces, axis=1).max())
        if largest > MAX_FORCE:
            reasons.append(f"largest force {largest:.1f} eV/Å exceeds {MAX_FORCE}")
        net = float(np.linalg.norm(forces.sum(axis=0))) / len(forces)
        if net > MAX_NET_FORCE:
            reasons.append(f"net force {net:.3f} eV/Å per atom exceeds {MAX_NET_FORCE}")
    if record.stress is not None and np.abs(record.stress).max() > MAX_STRESS:
        reasons.append(f"a stress component exceeds {MAX_STRESS} eV/Å³")
    distances, pairs = _neighbours(record)
    radii = covalent_radii[[atomic_numbers[s] for s in record.geometry.symbols]]
    if len(distances) and (distances < MIN_DISTANCE * radii[pairs].sum(axis=1)).any():
        reasons.append(f"two atoms are {distances.min():.2f} Å apart")
    return Quality(accepted=not reasons, reasons=tuple(reasons))


def _neighbours(record: Record) -> tuple[Any, Any]:
    """Distances (N,) in Å and index pairs (N, 2) of atoms closer than 3 Å, periodic images included."""
    import numpy as np
    from ase.neighborlist import neighbor_list

    first, second, distances = neighbor_list("ijd", record.geometry.atoms(), 3.0)
    return distances, np.stack([first, second], axis=1)


def ingest(records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """Give every record its verdict.

    Returns:
        The accepted and the rejected records.

    Raises:
        InputError: the accepted records mix levels of theory.
    """
    judged = [record.model_copy(update={"quality": judge(record)}) for record in records]
    accepted = [r for r in judged if r.quality is not None and r.quality.accepted]
    rejected = [r for r in judged if r.quality is None or not r.quality.accepted]
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
        identifier → reasons; ``seconds`` and
        ``cpu_seconds``: identifier → times (s); ``theory``: its key.
    """
    parsed = [Record.model_validate(document) for document in records]
    accepted, rejected = ingest(parsed)
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
