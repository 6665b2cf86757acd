"""What a model has seen: the records that it was trained on, so that nobody is judged on them unknowingly."""

# G structures

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.whole_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.datasets import Dataset

SEEN: Final = "seen.json"
_DIGITS: Final = 3  # of lengths in Å: what differs by less is the same structure


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The records of the training and validation parts.

    Attributes:
        dataset: hash of the version that they are of.
        identifiers: of each.
        geometries: a digest of each, in the same order; see :func:`geometry_digests`.
    """

    dataset: str
    identifiers: tuple[str, ...]
    geometries: tuple[str, ...]

    def among(self, identifiers: Sequence[str], geometries: Sequence[str]) -> dict[str, list[str]]:
        """Which records the model has seen.

        Args:
            identifiers: of the records, and
            geometries: their digests.

        Returns:
            ``same_structure``: identifiers of records with elements, cell and positions of one that was seen,
            whatever that was called; ``same_name``: of those that are called as one that was seen, but have
            another structure, which may be chance.
        """
        structures, names = set(self.geometries), set(self.identifiers)
        same = [one for one, digest in zip(identifiers, geometries, strict=True) if digest in structures]
        known = set(same)
        return {
            "same_structure": same,
            "same_name": [one for one in identifiers if one in names and one not in known],
        }


def geometry_digests(crystals: Crystals) -> list[str]:
    """A short hash of each structure (G,): elements, cell, positions to 0.001 Å, in the order of the atoms.

    The same structure in another cell or order has another digest: what finds it there costs thousands of
    times as much (:mod:`zonemelt.tasks.quality.canonical`).
    """
    positions_A3 = np.round(crystals.positions_A3, _DIGITS) + 0.0  # no negative zeros
    cells_G33 = np.round(crystals.cells_G33, _DIGITS) + 0.0
    first = crystals.first_G.tolist()
    return [
        hashlib.sha256(
            crystals.numbers_A[begin:end].tobytes()
            + cells_G33[number].tobytes()
            + positions_A3[begin:end].tobytes()
            + crystals.periodic_G3[number].tobytes()
        ).hexdigest()[:16]
        for number, (begin, end) in enumerate(pairwise(first))
    ]


def digests_of(dataset: Dataset) -> list[str]:
    """The digests of all structures of a dataset, in the order of its rows."""
    return [digest for crystals in dataset.crystals() for digest in geometry_digests(crystals)]


def write_seen(folder: Path, seen: Seen) -> None:
    """Keep beside a model what it has seen.

    Raises:
        StoreError: it cannot be written.
    """
    document = {
        "dataset": seen.dataset,
        "identifiers": list(seen.identifiers),
        "geometries": list(seen.geometries),
    }
    write_whole(folder / SEEN, json.dumps(document).encode())


def read_seen(folder: Path | str) -> Seen | None:
    """What a model has seen; None where nobody has written it down.

    Raises:
        InputError: the file is damaged.
    """
    path = Path(folder) / SEEN
    if not path.exists():
        return None
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Seen(
            dataset=document["dataset"],
            identifiers=tuple(document["identifiers"]),
            geometries=tuple(document["geometries"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"it cannot be read: {error}",
            where=str(path),
            remedy="train the model again, or get its files anew",
        ) from None
