"""Members that move together, as some arrive others join, and a checkpoint that changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pytest

from zonemelt.tasks.atomistic.fleet import Fleet, Pace, run
from zonemelt.tasks.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Walking:
    left: int
    seen: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class Home:
    seen: np.ndarray


def fleet(lengths, most=3, key="walk", together=None):
    def step(moving):
        if together is not None:
            together.append(tuple(moving))
        return {index: one(index, now) for index, now in moving.items()}

    def one(index, now):
        seen = np.append(np.empty(0) if now.seen is None else now.seen, index / now.left)
        return Home(seen=seen) if now.left == 1 else Walking(left=now.left - 1, seen=seen)

    return Fleet(
        atoms=[1] * len(lengths),
        most=most,
        begin=lambda index: Walking(left=lengths[index]),
        step=step,
        moving=Walking,
        arrived=Home,
        key=key,
    )


LENGTHS = [3, 1, 4, 1, 5, 2]


def test_as_some_arrive_others_join():
    together = []
    moving, arrived = run(fleet(LENGTHS, together=together), checkpoint=None, pace=Pace())
    assert not moving
    assert [len(arrived[index].seen) for index in range(6)] == LENGTHS
    assert together[:2] == [(0, 1, 2), (0, 2, 3)]
    assert max(map(len, together)) == 3


@pytest.mark.parametrize("evaluations", range(8))
def test_stopping_anywhere_changes_nothing(tmp_path, evaluations):
    answers = iter([True] * evaluations)
    path = tmp_path / "a" / "c.npz"
    first: list = []
    run(fleet(LENGTHS, together=first), checkpoint=path, pace=Pace(go_on=lambda: next(answers, False)))
    run(fleet(LENGTHS, together=first), checkpoint=path, pace=Pace())
    whole: list = []
    _, expected = run(fleet(LENGTHS, together=whole), checkpoint=None, pace=Pace())
    _, found = run(fleet(LENGTHS), checkpoint=path, pace=Pace(go_on=pytest.fail))
    assert first == whole
    assert all(np.array_equal(found[index].seen, expected[index].seen) for index in range(6))


def test_a_checkpoint_of_something_else_or_damaged_is_refused(tmp_path):
    path = tmp_path / "c.npz"
    run(fleet([1]), checkpoint=path, pace=Pace())
    with pytest.raises(InputError, match=r"c\.npz: it is of other structures"):
        run(fleet([1], key="run"), checkpoint=path, pace=Pace())
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match=r"c\.npz: it cannot be read"):
        run(fleet([1]), checkpoint=path, pace=Pace())


def test_whatever_byte_is_altered_it_is_one_error_or_the_same(tmp_path):
    path = tmp_path / "c.npz"
    _, expected = run(fleet(LENGTHS), checkpoint=path, pace=Pace())
    whole = path.read_bytes()
    refused = []
    for place in np.random.default_rng(0).integers(len(whole), size=100).tolist():
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            _, found = run(fleet(LENGTHS), checkpoint=path, pace=Pace(go_on=pytest.fail))
        except InputError as error:
            refused.append(error.where)
            continue
        assert all(np.array_equal(found[index].seen, expected[index].seen) for index in range(6))
    assert len(refused) > 30
    assert set(refused) == {str(path)}


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


@dataclass(frozen=True, kw_only=True)
class Anything:
    array: np.ndarray | None
    none: None
    number: float
    flag: bool
    word: Colour


def test_a_checkpoint_holds_anything_and_has_no_more_entries_for_more_members(tmp_path):
    """A file with an entry for each value of each member took 1.4 s for 5000 of them, again and again."""
    entries = []
    for members in (4, 200):
        kept = {
            index: Anything(
                array=None if index % 3 == 0 else np.random.default_rng(index).normal(size=(index % 4, 3)),
                none=None, number=index / 3, flag=index % 2 == 0, word=list(Colour)[index % 2],
            )
            for index in range(members)
        }  # fmt: skip
        ship = Fleet(
            atoms=[1] * members, most=members, begin=kept.__getitem__, step=lambda moving: moving,
            moving=Anything, arrived=Home, key="anything",
        )  # fmt: skip
        path = tmp_path / f"{members}.npz"
        once = iter([True])
        run(ship, checkpoint=path, pace=Pace(go_on=lambda once=once: next(once, False)))
        moving, arrived = run(ship, checkpoint=path, pace=Pace(go_on=lambda: False))
        assert not arrived
        assert list(moving) == list(kept)
        for index, one in kept.items():
            again = moving[index]
            assert (again.none, again.number, again.flag, again.word) == (
                None,
                one.number,
                one.flag,
                one.word,
            )
            assert np.array_equal(again.array, one.array) if one.array is not None else again.array is None
        with np.load(path) as file:
            entries.append(len(file.files))
    assert entries[0] == entries[1]
