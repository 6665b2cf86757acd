"""Which levels of theory a set of records holds, and in what they differ."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zonemelt.tasks.records import Record
    from zonemelt.tasks.theory import Theory


@dataclass(frozen=True, kw_only=True)
class Level:
    """One level of theory.

    Attributes:
        key: of the level, without what differs with the elements present.
        theory: of the first record that has it.
        records: how many have it.
        accepted: how many of them quality control has accepted.
        elements: that they hold.
        setups: element → the potentials it was computed with; more than one do not mix.
        hubbard_u: element → its values of U - J, eV; more than one do not mix.
    """

    key: str
    theory: Theory
    records: int
    accepted: int
    elements: tuple[str, ...]
    setups: Mapping[str, tuple[str, ...]]
    hubbard_u: Mapping[str, tuple[float, ...]]

    @property
    def mixed(self) -> tuple[str, ...]:
        """What is not one within this level, in words."""
        told = {"setups": self.setups, "hubbard_u": self.hubbard_u}
        return tuple(
            f"{len(values)} {field} for {element}: {', '.join(str(value) for value in values)}"
            for field, by_element in told.items()
            for element, values in by_element.items()
            if len(values) > 1
        )


def levels(records: Iterable[Record]) -> list[Level]:
    """The levels of theory, the most frequent first; records are read once and not kept."""
    firsts: dict[str, Theory] = {}
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    setups: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    hubbard: dict[str, dict[str, set[float]]] = defaultdict(lambda: defaultdict(set))
    for record in records:
        theory = record.theory
        key = theory.key
        firsts.setdefault(key, theory)
        counts[key][0] += 1
        counts[key][1] += record.quality is not None and record.quality.accepted
        for element in set(record.geometry.symbols):
            hubbard[key][element].add(theory.hubbard_u.get(element, 0.0))
            if element in theory.setups:
                setups[key][element].add(theory.setups[element])
    made = [
        Level(
            key=key,
            theory=theory,
            records=counts[key][0],
            accepted=counts[key][1],
            elements=tuple(sorted(hubbard[key])),
            setups={element: tuple(sorted(found)) for element, found in sorted(setups[key].items())},
            hubbard_u={element: tuple(sorted(found)) for element, found in sorted(hubbard[key].items())},
        )
        for key, theory in firsts.items()
    ]
    return sorted(made, key=lambda level: (-level.records, level.key))


def differing(found: Sequence[Level]) -> dict[str, tuple[Any, ...]]:
    """Field → its values, level by level, for the fields in which the levels differ."""
    whole = [level.theory.model_dump(exclude={"setups", "hubbard_u"}) for level in found]
    names = whole[0] if whole else {}
    values = {name: tuple(theory[name] for theory in whole) for name in names}
    return {name: told for name, told in values.items() if any(one != told[0] for one in told)}


def theory_table(found: Sequence[Level]) -> list[dict[str, Any]]:
    """Rows for people: the key, what it is in words, counts, and the fields in which the levels differ."""
    differences = differing(found)
    return [
        {
            "key": level.key,
            "theory": level.theory.described,
            "records": level.records,
            "accepted": level.accepted,
            **{name: values[i] for name, values in differences.items()},
            "mixed": "; ".join(level.mixed),
        }
        for i, level in enumerate(found)
    ]
