"""Parts of a data set for training, validation and test, so that none has seen another."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from pydantic import Field, model_validator

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.theory import Document

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

SUM: Final = 1e-9  # fractions may miss 1 by so much
SHOWN: Final = 5  # culprits that an error names


class Split(Document):
    """Who belongs to which part: a small document to be kept with the version of the data set."""

    kind: Literal["random", "group", "time", "given"]
    by: str = Field(default="", description="what its groups are: composition, prototype, duplicates …")
    seed: int | None = Field(default=None, description="of the order of the groups; None where none is drawn")
    dataset: str | None = Field(default=None, description="hash of the version that it splits")
    parts: dict[str, tuple[str, ...]] = Field(description="name of the part → identifiers, sorted")

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if twice := repeated(self.parts):
            raise ValueError(f"more than once: {', '.join(sorted(twice)[:SHOWN])}")
        return self

    @property
    def hash(self) -> str:
        """SHA-256 of the parts and of the version of the data set, in short."""
        said = {"dataset": self.dataset, "parts": {k: sorted(v) for k, v in self.parts.items()}}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def part_of(self) -> dict[str, str]:
        """Identifier → name of its part."""
        return {one: name for name, members in self.parts.items() for one in members}


def repeated(parts: Mapping[str, Iterable[Any]]) -> dict[Any, tuple[str, ...]]:
    """Whoever is in the parts more than once → the parts, in their order."""
    places: dict[Any, list[str]] = defaultdict(list)
    for part, members in parts.items():
        for one in members:
            places[one].append(part)
    return {one: tuple(found) for one, found in places.items() if len(found) > 1}


class Leak(Document):
    """A group of which members are in more than one part."""

    group: str
    members: dict[str, tuple[str, ...]] = Field(description="name of the part → members of the group in it")

    @property
    def described(self) -> str:
        """In words."""
        where = "; ".join(f"{part}: {', '.join(names[:SHOWN])}" for part, names in self.members.items())
        return f"{self.group} ({where})"


def find_leaks(split: Split, groups: Mapping[str, str]) -> list[Leak]:
    """The groups that straddle parts, sorted by name.

    Args:
        split: to be checked.
        groups: identifier → its group; who has none is alone.
    """
    seen: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for one, part in split.part_of.items():
        if one in groups:
            seen[groups[one]][part].append(one)
    return [
        Leak(group=group, members={part: tuple(sorted(names)) for part, names in sorted(parts.items())})
        for group, parts in sorted(seen.items())
        if len(parts) > 1
    ]


def check_leaks(split: Split, groups: Mapping[str, str]) -> None:
    """Refuse a split that leaks.

    Raises:
        InputError: a group straddles parts; the first few are named with their members.
    """
    if leaks := find_leaks(split, groups):
        shown = "; ".join(leak.described for leak in leaks[:SHOWN])
        raise InputError(
            f"{len(leaks)} groups are in more than one part: {shown}",
            where=f"split {split.hash}",
            remedy="split by these groups (split_groups), or leave their surplus members out",
        )


def joined(*groupings: Mapping[str, str]) -> dict[str, str]:
    """The finest groups that no grouping straddles: who shares a group in one of them shares one here.

    Args:
        groupings: identifier → group. Duplicates and compositions, say.

    Returns:
        Identifier → group, called after its first member.
    """
    parent: dict[str, str] = {}

    def root(one: str) -> str:
        parent.setdefault(one, one)
        while parent[one] != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        return one

    for grouping in groupings:
        first: dict[str, str] = {}
        for one in sorted(grouping):
            a, b = root(first.setdefault(grouping[one], one)), root(one)
            parent[max(a, b)] = min(a, b)
    return {one: root(one) for one in sorted(parent)}


def split_groups(
    identifiers: Collection[str],
    fractions: Mapping[str, float],
    *,
    seed: int,
    groups: Mapping[str, str] | None = None,
    by: str = "",
    dataset: str | None = None,
) -> Split:
    """Draw parts at random, whole groups at a time.

    Groups are put into the part that lacks most, the largest first and equal ones in a random order: a part
    misses its fraction by no more than one group.

    Args:
        identifiers: of all records.
        fractions: name of the part → its fraction; together 1.
        seed: of the order.
        groups: identifier → group; who has none is alone, and without any the split is random.
        by: what the groups are.
        dataset: hash of the version that is split.

    Raises:
        InputError: the fractions are not positive or not 1 together, or an identifier comes twice.
    """
    _check_fractions(fractions)
    blocks = _shuffled(identifiers, groups or {}, seed)
    total = sum(len(block) for block in blocks)
    parts: dict[str, list[str]] = {name: [] for name in fractions}
    for block in blocks:
        name = max(parts, key=lambda part: fractions[part] * total - len(parts[part]))
        parts[name] += block
    return Split(
        kind="group" if groups else "random", by=by, seed=seed, dataset=dataset, parts=_sorted(parts)
    )


def split_time(
    times: Mapping[str, float],
    fractions: Mapping[str, float],
    *,
    groups: Mapping[str, str] | None = None,
    dataset: str | None = None,
) -> Split:
    """The past learns, the future tests: parts in the order in which they are named, by time.

    A group belongs where its earliest member does: what was known is no news. Equal times stay together.

    Args:
        times: identifier → year, or any other number that grows with time.
        fractions: name of the part → its fraction, the earliest first; together 1.
        groups: identifier → group; who has none is alone.
        dataset: hash of the version that is split.

    Raises:
        InputError: the fractions are not positive or not 1 together, or a time is not a number.
    """
    _check_fractions(fractions)
    if unknown := [one for one, time in times.items() if time != time]:  # noqa: PLR0124 - NaN
        raise InputError(
            f"no time for {unknown[0]}", where="split by time", remedy="leave it out, or say when"
        )
    blocks = _blocks(times, groups or {})
    by_time: dict[float, list[str]] = defaultdict(list)
    for block in blocks:
        by_time[min(times[one] for one in block)] += block
    total, placed = len(times), 0
    names = list(fractions)
    parts: dict[str, list[str]] = {name: [] for name in names}
    ends = [sum(fractions[name] for name in names[: i + 1]) * total for i in range(len(names))]
    for _, block in sorted(by_time.items()):
        middle = placed + len(block) / 2
        place = next((i for i, end in enumerate(ends) if middle <= end + SUM), len(names) - 1)
        parts[names[place]] += block
        placed += len(block)
    return Split(kind="time", by="time", dataset=dataset, parts=_sorted(parts))


def split_given(
    parts: Mapping[str, Iterable[str]], identifiers: Collection[str], *, dataset: str | None = None
) -> Split:
    """An official split: the parts are given, and must be parts of the data set.

    Raises:
        InputError: a part names what the data set does not hold.
    """
    told = {name: sorted(members) for name, members in parts.items()}
    known = set(identifiers)
    strangers = [one for members in told.values() for one in members if one not in known]
    if strangers:
        raise InputError(
            f"{len(strangers)} that the data set does not hold: {', '.join(strangers[:SHOWN])}",
            where="official split",
            remedy="ingest the whole data set first, and look whether its identifiers are those of the split",
        )
    return Split(kind="given", dataset=dataset, parts=_sorted(told))


def folds(
    identifiers: Collection[str],
    count: int,
    *,
    seed: int,
    groups: Mapping[str, str] | None = None,
    validation: float = 0.0,
    by: str = "",
    dataset: str | None = None,
) -> list[Split]:
    """Cross-validation: each record is tested on in exactly one of the splits.

    Args:
        identifiers: of all records.
        count: of folds.
        seed: of the order of the groups.
        groups: identifier → group; who has none is alone.
        validation: fraction of what is not tested on that is kept for choosing (nested cross-validation).
        by: what the groups are.
        dataset: hash of the version that is split.

    Returns:
        Splits with the parts ``train``, ``validation`` (if asked for) and ``test``.

    Raises:
        InputError: there are fewer groups than folds.
    """
    blocks = _blocks(identifiers, groups or {})
    if not 1 < count <= len(blocks):
        raise InputError(
            f"{count} folds of {len(blocks)} groups",
            where="folds",
            remedy="ask for two folds or more, and no more than there are groups",
        )
    names = [f"{i:04d}" for i in range(count)]
    tests = split_groups(identifiers, dict.fromkeys(names, 1 / count), seed=seed, groups=groups)
    found = []
    for fold, test in enumerate(tests.parts.values()):
        held = set(test)
        rest = [one for one in identifiers if one not in held]
        inner: dict[str, tuple[str, ...]] = {"train": tuple(sorted(rest))}
        if validation:
            shares = {"train": 1 - validation, "validation": validation}
            inner = split_groups(rest, shares, seed=seed + 1 + fold, groups=groups).parts
        found.append(
            Split(
                kind="group" if groups else "random",
                by=by,
                seed=seed,
                dataset=dataset,
                parts=inner | {"test": test},
            )
        )
    return found


def _check_fractions(fractions: Mapping[str, float]) -> None:
    if not fractions or min(fractions.values()) <= 0 or abs(sum(fractions.values()) - 1) > SUM:
        raise InputError(
            f"fractions {dict(fractions)}", where="split", remedy="make them positive, and 1 together"
        )


def _blocks(identifiers: Iterable[str], groups: Mapping[str, str]) -> list[list[str]]:
    """The groups among the identifiers, in an order that depends on neither's."""
    told = sorted(identifiers)
    blocks: dict[Any, list[str]] = defaultdict(list)
    for one in told:
        blocks[(True, groups[one]) if one in groups else (False, one)].append(one)
    if len(set(told)) < len(told):
        twice = next(one for one, count in Counter(told).items() if count > 1)
        raise InputError(f"{twice} comes twice", where="split", remedy="name each record once")
    return [blocks[key] for key in sorted(blocks)]


def _shuffled(identifiers: Iterable[str], groups: Mapping[str, str], seed: int) -> list[list[str]]:
    """The groups, the largest first, equal ones in a random order."""
    import numpy as np

    blocks = _blocks(identifiers, groups)
    order = np.random.default_rng(seed).permutation(len(blocks))
    return sorted((blocks[i] for i in order), key=len, reverse=True)


def _sorted(parts: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(sorted(members)) for name, members in parts.items()}
