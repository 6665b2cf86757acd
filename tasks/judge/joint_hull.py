"""Candidates on a hull that they span themselves, together with the references: each against all others.

Against references alone, every crystal on the way from one new stable crystal to another looks stable. Of
those that are proposed together most are not: they would fall apart into one another. Here each is placed on
the hull of the references and of all other candidates; what is the same crystal does not count as another.
Negative is how much lower it is than all that it could fall apart into: the decomposition energy of C. J.
Bartel et al., npj Comput. Mater. 6, 97 (2020).

The cost is linear in the candidates: of each composition two compete at most, and of a chemical system
within another only what is on its own hull.
"""

# C phases that compete

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.judge.hull import Hull, Placed, mixed, placed_at, systems_within

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from zonemelt.tasks.judge.hull import Phase, References

_EACH: Final = 2  # of a composition: where the lowest is taken away, the next one is the lowest


def placed_together(
    candidates: Iterable[Phase],
    references: References,
    *,
    same: Mapping[str, str] | None = None,
    competing: Collection[str] | None = None,
) -> Iterator[Placed]:
    """Where each candidate lies among the references and all other candidates.

    Args:
        candidates: each with an identifier of its own.
        references: known crystals; energies of formation are from theirs of the elements.
        same: identifier → its group, of those that are the same crystal; its own where it is not named.
        competing: identifiers of those that span the hull, such as those that came to rest; None for all.

    Yields:
        In the order of the chemical systems, small ones first. ``decomposition`` may name candidates.

    Raises:
        InputError: an energy is no number, so that there is no hull.
    """
    group_of = dict(same or {})
    systems: defaultdict[frozenset[str], list[Phase]] = defaultdict(list)
    for one in candidates:
        systems[one.elements].append(one)
    on_hull: dict[frozenset[str], list[Phase]] = {}
    for system in sorted(systems, key=lambda one: (len(one), sorted(one))):
        if reason := references.undefined(system):
            for one in systems[system]:
                yield Placed(identifier=one.identifier, undefined=reason)
            continue
        spanning = [one for one in systems[system] if competing is None or one.identifier in competing]
        within = [one for smaller in systems_within(system, on_hull) for one in on_hull[smaller]]
        own = _lowest(spanning, group_of)
        among = _Among(references, system, within, own, group_of)
        on_hull[system] = among.vertices
        yield from map(among.place, systems[system])


def _lowest(phases: Iterable[Phase], group_of: Mapping[str, str]) -> list[Phase]:
    """The lowest of each composition, and the next one that is another crystal."""
    first: dict[tuple[tuple[str, float], ...], list[Phase]] = {}
    for one in sorted(phases, key=lambda each: (each.energy, each.identifier)):
        kept = first.setdefault(one.shares, [])
        groups = {group_of.get(each.identifier, each.identifier) for each in kept}
        if len(kept) < _EACH and group_of.get(one.identifier, one.identifier) not in groups:
            kept.append(one)
    return [one for kept in first.values() for one in kept]


class _Among:
    """The candidates of one chemical system among all phases within it.

    Args:
        references: all known crystals.
        system: the elements.
        within: candidates of smaller systems that compete.
        own: candidates of this system that compete.
        group_of: identifier → group.
    """

    def __init__(
        self,
        references: References,
        system: Collection[str],
        within: Sequence[Phase],
        own: Sequence[Phase],
        group_of: Mapping[str, str],
    ) -> None:
        self._known, self._rivals = references.within(system), [*within, *own]
        self._of_elements, self._group_of = references.of_elements, group_of
        self._hull = Hull([*self._known, *self._rivals], len(system))
        self.vertices = self._hull.vertices(own)
        self._spanning = {self._group(one) for one in self.vertices}
        self._found: dict[Any, tuple[float, dict[str, float]]] = {}

    def place(self, one: Phase) -> Placed:
        """On the hull of all; of those that its own group spans, on what is left without it."""
        without = group if (group := self._group(one)) in self._spanning else None
        key = (one.shares, without)
        if key not in self._found and without is None:
            self._found[key] = self._hull.at(one)
        elif key not in self._found:
            others = [each for each in self._rivals if self._group(each) != without]
            self._found[key] = mixed(one, [*self._known, *others])
        return placed_at(one, *self._found[key], self._of_elements)

    def _group(self, one: Phase) -> str:
        return self._group_of.get(one.identifier, one.identifier)
