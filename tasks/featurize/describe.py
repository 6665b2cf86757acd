"""Turn crystals into rows of numbers, by the name of a kind of features."""

# F features, G structures

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from zonemelt.tasks.errors import UnknownKeyError
from zonemelt.tasks.featurize import structural as structure
from zonemelt.tasks.featurize.acsf import acsf, acsf_labels
from zonemelt.tasks.featurize.compositions import Compositions
from zonemelt.tasks.featurize.magpie import labels as magpie_labels
from zonemelt.tasks.featurize.magpie import magpie
from zonemelt.tasks.featurize.pairs import pairs, pairs_labels
from zonemelt.tasks.featurize.soap import soap, soap_labels
from zonemelt.tasks.featurize.table import Features, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of features.

    Attributes:
        about: what it says of a crystal.
        compute: the features of crystals, given the elements of the system and a cutoff (Å).
    """

    about: str
    compute: Callable[[Crystals, Sequence[str], float], Features]


def _pairs(crystals: Crystals, elements: Sequence[str], cutoff: float) -> Features:
    values = pairs(crystals, elements=elements, cutoff=cutoff)
    return _all(pairs_labels(elements=elements, cutoff=cutoff), values)


def _soap(crystals: Crystals, elements: Sequence[str], cutoff: float) -> Features:
    return _all(soap_labels(elements=elements), soap(crystals, elements=elements, cutoff=cutoff))


def _acsf(crystals: Crystals, elements: Sequence[str], cutoff: float) -> Features:
    values = acsf(crystals, elements=elements, cutoff=cutoff, average="centres")
    return _all(acsf_labels(elements=elements, cutoff=cutoff, average="centres"), values)


def _magpie(crystals: Crystals, _elements: Sequence[str], _cutoff: float) -> Features:
    return _all(magpie_labels(), magpie(Compositions.of_crystals(crystals)))


def _structural(crystals: Crystals, _elements: Sequence[str], _cutoff: float) -> Features:
    return structure.structural(crystals)


def _all(labels: tuple[str, ...], values: NDArray[np.float64]) -> Features:
    return Features(labels=labels, rows_N=np.arange(len(values)), values_NF=values)


FEATURES: Final = {
    "pairs": Kind(about="neighbours of each pair of elements at each distance", compute=_pairs),
    "soap": Kind(about="mean SOAP power spectrum", compute=_soap),
    "acsf": Kind(about="symmetry functions, by the element of the centre", compute=_acsf),
    "magpie": Kind(about="composition alone: statistics of its elements", compute=_magpie),
    "structural": Kind(
        about="density, symmetry, coordination, bond lengths; of no element", compute=_structural
    ),
}


def table(crystals: Crystals, *, kind: str, elements: Sequence[str], cutoff: float) -> Features:
    """Features of crystals with their labels; crystals that cannot be described are refused with reasons.

    Args:
        crystals: G structures.
        kind: a key of ``FEATURES``.
        elements: the elements of the system; ``magpie`` and ``structural`` do not need them.
        cutoff: radius, Å; ``magpie`` and ``structural`` have none.

    Raises:
        InputError: there is no such kind, or a crystal has another element.
    """
    if kind not in FEATURES:
        raise UnknownKeyError.of(kind, FEATURES, where="features")
    found = FEATURES[kind].compute(crystals, elements, cutoff)
    known_N = np.isfinite(found.values_NF).all(axis=1)
    if known_N.all():
        return found
    gaps = [
        Refused(
            row=int(found.rows_N[place]),
            value=structure.formula(crystals, int(found.rows_N[place])),
            reason=f"'{found.labels[int(np.isfinite(found.values_NF[place]).argmin())]}' is not known of it",
            remedy="choose other features, or leave it out",
        )
        for place in np.flatnonzero(~known_N)
    ]
    return Features(
        labels=found.labels,
        rows_N=found.rows_N[known_N],
        values_NF=found.values_NF[known_N],
        refused=tuple(sorted([*found.refused, *gaps], key=lambda refused: refused.row)),
    )
