"""Which structures are the same, exactly or nearly; the cost grows linearly with their number."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.quality.canonical import exact_key
from zonemelt.tasks.quality.composition import reduced_formula
from zonemelt.tasks.quality.same import Alike, Comparable, OneFormula, not_comparable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zonemelt.tasks.records import Geometry

FRAMES: Final = Alike(length=0.01, site=0.02, angle=0.5, scale=False, fingerprint=0.2)  # labels of potentials


@dataclass(frozen=True, kw_only=True)
class Group:
    """Structures that are the same.

    Attributes:
        representative: the one with the fewest atoms; among those the first by name.
        members: all of them, the representative first, the others by name.
        how: ``exact`` if all have one key, else ``near``.
    """

    representative: str
    members: tuple[str, ...]
    how: Literal["exact", "near"]


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """What was found.

    Attributes:
        groups: of two members or more, by representative.
        comparisons: how often the structure matcher was asked.
        only_exact: identifier → why it was compared by its exact key only.
    """

    groups: tuple[Group, ...]
    comparisons: int
    only_exact: Mapping[str, str] = field(default_factory=dict)

    @property
    def surplus(self) -> tuple[str, ...]:
        """All that can be left out: the members but the representatives."""
        return tuple(member for group in self.groups for member in group.members[1:])


def find_duplicates(structures: Iterable[tuple[str, Geometry]], *, alike: Alike | None = None) -> Duplicates:
    """Group the structures that are the same.

    Only structures of one reduced formula are compared. Those with one exact key are the same. Of what
    remains, each is compared with the representatives among its nearest by fingerprint, a fixed number at
    most: the number of comparisons grows linearly. So a near duplicate may be missed where very many
    structures of one formula are more alike than the tolerance of the fingerprint; none is made up.

    Args:
        structures: identifiers and geometries; identifiers must differ.
        alike: when two are the same; ``Alike()`` if None.

    Raises:
        InputError: two structures have one identifier.
    """
    alike = alike or Alike()
    buckets: dict[str, dict[str, Geometry]] = defaultdict(dict)
    seen = set()
    for identifier, geometry in structures:
        if identifier in seen:
            raise InputError(f"two structures are called {identifier}", remedy="give each its own name")
        seen.add(identifier)
        buckets[reduced_formula(geometry.symbols)][identifier] = geometry
    groups: list[Group] = []
    comparisons = 0
    only_exact: dict[str, str] = {}
    for bucket in buckets.values():
        if len(bucket) > 1:
            found = _among(bucket, alike)
            groups += found.groups
            comparisons += found.comparisons
            only_exact |= found.only_exact
    ordered = sorted(groups, key=lambda group: group.representative)
    return Duplicates(groups=tuple(ordered), comparisons=comparisons, only_exact=only_exact)


def _among(bucket: Mapping[str, Geometry], alike: Alike) -> Duplicates:
    """The duplicates among structures of one formula."""
    order = sorted(bucket, key=lambda name: (len(bucket[name].symbols), name))
    by_key: dict[str, list[str]] = defaultdict(list)
    for name in order:
        by_key[exact_key(bucket[name])].append(name)
    firsts = [names[0] for names in by_key.values()]
    only_exact = {name: why for name in firsts if (why := _not_compared(bucket[name], alike))}
    compared = [name for name in firsts if name not in only_exact]
    same, comparisons = _near(compared, bucket, alike) if len(compared) > 1 else ({}, 0)
    together: dict[str, list[str]] = defaultdict(list)
    for names in by_key.values():
        together[same.get(names[0], names[0])] += names
    groups = [
        Group(
            representative=first,
            members=(first, *sorted(set(names) - {first})),
            how="exact"
            if any(len(names) == len(exact) for exact in by_key.values() if exact[0] == first)
            else "near",
        )
        for first, names in together.items()
        if len(names) > 1
    ]
    return Duplicates(groups=tuple(groups), comparisons=comparisons, only_exact=only_exact)


def _not_compared(geometry: Geometry, alike: Alike) -> str:
    if not all(geometry.periodic):
        return "it is not periodic along all three vectors"
    if len(geometry.symbols) > alike.atoms:
        return f"it has {len(geometry.symbols)} atoms, more than {alike.atoms}"
    return not_comparable(np.array(geometry.cell), np.array(geometry.positions))


def _near(order: Sequence[str], bucket: Mapping[str, Geometry], alike: Alike) -> tuple[dict[str, str], int]:
    """Of structures in the order in which they may represent others: each → its representative."""
    crystals = OneFormula(alike)
    leaders: list[str] = []
    same: dict[str, str] = {}
    for name in order:
        one = Comparable.of(bucket[name], scale=alike.scale)
        found = crystals.find(one)
        if found is None:
            crystals.add(one)
            leaders.append(name)
        same[name] = name if found is None else leaders[found]
    return same, crystals.comparisons
