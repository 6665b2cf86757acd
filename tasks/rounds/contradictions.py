"""Labels that contradict each other: one structure, two energies."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from zonemelt.tasks.quality.canonical import exact_key
from zonemelt.tasks.quality.judge import quarantined

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from zonemelt.tasks.datasets import Dataset
    from zonemelt.tasks.records import Record

TOLERANCE: Final = 0.01
"""eV/atom: structures that agree to about 0.01 Å are one, and may differ by so much."""
_VOLUME: Final = 2e-3  # relative: what differs by more is another structure


def without_contradictions(
    records: Sequence[Record], known: Iterable[Record] = (), *, tolerance: float = TOLERANCE
) -> list[Record]:
    """New records; those that contradict another one are in quarantine, which is named.

    What is known stays as it is: which of the two is wrong, only a person can say.

    Args:
        records: new ones.
        known: earlier ones, of which some may be of the same structures.
        tolerance: largest difference of energies of one structure, eV/atom.
    """
    groups: dict[str, list[tuple[Record, bool]]] = defaultdict(list)
    for new, some in ((True, records), (False, known)):
        for record in some:
            if record.energy_free is not None and (record.quality is None or record.quality.accepted):
                groups[exact_key(record.geometry)].append((record, new))
    reasons: dict[str, list[str]] = defaultdict(list)
    for group in groups.values():
        for one, new in group:
            if new:
                reasons[one.identifier] += _against(one, (other for other, _ in group), tolerance)
    return [quarantined(record, reasons.get(record.identifier, ())) for record in records]


def _against(one: Record, others: Iterable[Record], tolerance: float) -> Iterator[str]:
    for other in others:
        difference = abs(_per_atom(one) - _per_atom(other))
        if other is not one and difference > tolerance:
            yield (
                f"it is the structure of {other.identifier}, and their energies differ by "
                f"{1000 * difference:.1f} meV/atom"
            )


def _per_atom(record: Record) -> float:
    return float(record.energy_free or 0.0) / len(record.geometry.symbols)


def perhaps_the_same(dataset: Dataset, records: Sequence[Record]) -> Iterator[Record]:
    """The records of a dataset that may be of the same structure as one of some others: few are read."""
    import numpy as np
    import pyarrow.compute as pc

    wanted: dict[str, list[float]] = defaultdict(list)
    without_volume: dict[str, set[int]] = defaultdict(set)  # molecules, chains, layers: by their atoms
    for record in records:
        system, atoms = "-".join(sorted(set(record.geometry.symbols))), record.geometry.atoms()
        if all(record.geometry.periodic):
            wanted[system].append(atoms.get_volume() / len(atoms))
        else:
            without_volume[system].add(len(atoms))
    for elements, sizes in without_volume.items():
        where = (pc.field("elements") == elements) & pc.field("volume").is_null()
        yield from dataset.records(where=where & pc.field("natoms").isin(sorted(sizes)))
    for elements, volumes in wanted.items():
        low, high = min(volumes) * (1 - _VOLUME), max(volumes) * (1 + _VOLUME)
        per_atom = pc.field("volume") / pc.field("natoms").cast("double")
        where = (pc.field("elements") == elements) & (per_atom >= low) & (per_atom <= high)
        every = np.sort(volumes)
        for record in dataset.records(where=where):
            atoms = record.geometry.atoms()
            volume = atoms.get_volume() / len(atoms)
            place = np.searchsorted(every, volume)
            near = every[max(0, place - 1) : place + 1]
            if (np.abs(near - volume) <= _VOLUME * volume).any():
                yield record
