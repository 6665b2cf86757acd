"""Lots hold all of a formula, and all that there is; they are read from files without holding it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from ase.build import bulk
from ase.io import write
from hypothesis import given
from hypothesis import strategies as st

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore.sources import Sources, explore
from zonemelt.tasks.judge.lots import parted, read_lot_job, write_lots


@given(st.dictionaries(st.text("ABCD", min_size=1), st.integers(1, 9)), st.integers(1, 12))
def test_lots_are_as_full_as_whole_formulas_allow(counts, size):
    lot_of = parted(counts, size)
    assert set(lot_of) == set(counts)
    filled: Counter[int] = Counter()
    formulas: Counter[int] = Counter(lot_of.values())
    for formula, lot in lot_of.items():
        filled[lot] += counts[formula]
    assert all(filled[lot] <= size or formulas[lot] == 1 for lot in filled)
    assert sorted(filled) == list(range(len(filled)))
    for lot in range(len(filled) - 1):  # the next formula had no room
        first = min(formula for formula, where in lot_of.items() if where == lot + 1)
        assert filled[lot] + counts[first] > size


@pytest.fixture
def files(tmp_path):
    """Two files of crystals: some are there twice, one is none."""
    made = [bulk(name, "cesiumchloride", a=a) for name in ("NiAl", "CuAl", "CuNi") for a in (2.9, 3.0)]
    squeezed = bulk("NiAl", "cesiumchloride", a=0.9)
    write(tmp_path / "first.extxyz", [*made, squeezed])
    write(tmp_path / "second.extxyz", [made[0], bulk("Al"), made[0].repeat((2, 1, 1))])
    return [Sources(paths=(str(tmp_path / name),)) for name in ("first.extxyz", "second.extxyz")]


def test_all_that_explorers_find_is_in_one_lot(files, tmp_path):
    both = Sources(paths=tuple(path for one in files for path in one.paths))
    expected = explore(both).document()
    for size in (1, 2, 3, 100):
        told = write_lots(files, tmp_path / "lots", size=size)
        assert told == write_lots(files, tmp_path / "lots", size=size)  # done again, it is the same
        assert told["counts"] == expected["counts"]
        lots = [read_lot_job.original(file=file) for file in told["lots"]]
        named = {one["identifier"]: one for lot in lots for one in lot}
        assert sum(map(len, lots)) == len(named)
        assert named == {one["identifier"]: one for one in expected["candidates"]}
        homes: dict[str, set[int]] = {}
        for number, lot in enumerate(lots):
            for one in lot:
                ratio = "".join(sorted(set(one["geometry"]["symbols"])))
                homes.setdefault(ratio, set()).add(number)
        assert all(len(found) == 1 for found in homes.values())
    assert [one["identifier"] for one in lots[0]] == [one["identifier"] for one in expected["candidates"]]
    assert not list(Path(tmp_path / "lots").glob("partial-*"))


def test_what_is_not_there_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no structure in it"):
        write_lots([Sources(paths=(str(tmp_path / "empty"),))], tmp_path / "lots", size=5)
