from __future__ import annotations

from dataclasses import dataclass

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
