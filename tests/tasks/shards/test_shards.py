"""What is read from shards is what was put in, to the last bit; what is broken is said, once and clearly."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from hypothesis import given, settings
from hypothesis import strategies as st

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError, StoreError
from zonemelt.tasks.featurize.graphs import Edges, graphs_of
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.shards.files import Shard, write_shard
from zonemelt.tasks.shards.jobs import shards_of_ranks_job
from zonemelt.tasks.shards.shard_set import INDEX, ShardSet, write_index

EDGES = Edges(cutoff=6.0, k=8)
RNG = np.random.default_rng(0)


def structures(count):
    kinds = [
        bulk("Al"),
        bulk("NaCl", "rocksalt", a=5.6, cubic=True),
        molecule("H2O"),
        Atoms("He"),
        bulk("Si"),
    ]
    found = [kinds[number % 5].copy() for number in range(count)]
    for number, atoms in enumerate(found):
        atoms.rattle(0.05, seed=number)
        atoms.positions += number % 3 * 40.0  # far outside the cell
    return found


ALL = structures(23)
CRYSTALS = Crystals.of_atoms(ALL)
LABELS_G = {"energy": RNG.normal(size=23), "stress": RNG.normal(size=(23, 3, 3)).astype(np.float32)}
LABELS_A = {
    "forces": RNG.normal(size=(len(CRYSTALS.numbers_A), 3)),
    "seen": np.arange(len(CRYSTALS.numbers_A)),
}
WHOLE = graphs_of(CRYSTALS, EDGES, labels_G=LABELS_G, labels_A=LABELS_A)


def part(start, stop):
    rows = slice(int(CRYSTALS.first_G[start]), int(CRYSTALS.first_G[stop]))
    return {
        "crystals": CRYSTALS.take(slice(start, stop)),
        "edges": EDGES,
        "labels_G": {name: values[start:stop] for name, values in LABELS_G.items()},
        "labels_A": {name: values[rows] for name, values in LABELS_A.items()},
    }


def write_all(directory):
    bounds = [0, 7, 8, 20, 23]
    return [write_shard(directory, **part(a, b)) for a, b in pairwise(bounds)]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    directory = tmp_path_factory.mktemp("shards")
    write_index(directory, write_all(directory))
    return directory


@pytest.fixture
def broken(written, tmp_path):
    """A copy to be damaged."""
    import shutil

    return shutil.copytree(written, tmp_path / "copy")


def same(one, other):
    for part_of in ("crystals", "neighbours"):
        mine, theirs = vars(getattr(one, part_of)), vars(getattr(other, part_of))
        for name in mine:
            np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)
            assert mine[name].dtype == theirs[name].dtype, name
    for labels in ("labels_G", "labels_A"):
        mine, theirs = getattr(one, labels), getattr(other, labels)
        assert sorted(mine) == sorted(theirs)
        for name, values in mine.items():
            np.testing.assert_array_equal(values, theirs[name])
            assert values.dtype == theirs[name].dtype


def test_all_of_them(written):
    same(ShardSet(written).read(slice(None)), WHOLE)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 22), max_size=40))
def test_any_of_them_in_any_order(written, indices):
    expected = graphs_of(
        CRYSTALS.take(np.array(indices, np.int64)),
        EDGES,
        labels_G={name: values[np.array(indices, np.int64)] for name, values in LABELS_G.items()},
    )
    found = ShardSet(written).read(indices)
    rows = [np.arange(CRYSTALS.first_G[g], CRYSTALS.first_G[g + 1]) for g in indices]
    chosen = np.concatenate([np.empty(0, np.int64), *rows])
    if indices:
        for name, values in LABELS_A.items():
            np.testing.assert_array_equal(found.labels_A[name], values[chosen])
        same(found, graphs_of(
            expected.crystals, EDGES, labels_G=expected.labels_G,
            labels_A={name: values[chosen] for name, values in LABELS_A.items()},
        ))  # fmt: skip
    assert len(found) == len(indices)


def test_sizes_are_known_without_opening_a_shard(written):
    found = ShardSet(written)
    np.testing.assert_array_equal(found.atoms_G, CRYSTALS.sizes_G)
    np.testing.assert_array_equal(found.edges_G, np.diff(WHOLE.first_edge_G))
    assert not found._shards


def test_arrays_are_views_of_the_file(written):
    shard = ShardSet(written).shard(2)
    assert not shard.crystals.positions_A3.flags.writeable
    assert not shard.crystals.positions_A3.flags.owndata
    np.testing.assert_array_equal(shard.crystals.positions_A3, part(8, 20)["crystals"].positions_A3)


def test_a_set_travels_as_its_directory(written):
    found = ShardSet(written)
    found.read([1, 9])
    data = pickle.dumps(found)
    assert len(data) < 1000
    same(pickle.loads(data).read(slice(None)), WHOLE)


def test_the_same_is_written_once(tmp_path):
    first = write_all(tmp_path)
    name = write_index(tmp_path, first)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.safetensors") if path.name != INDEX}
    assert write_all(tmp_path) == first
    assert write_index(tmp_path, first) == name
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    assert len(times) == 4
    assert not list(tmp_path.glob(".*"))


def test_other_inputs_have_other_names(tmp_path):
    given = part(0, 3)
    moved = CRYSTALS.take(np.array([0, 1, 2]))
    moved.positions_A3[0, 0] = np.nextafter(moved.positions_A3[0, 0], 9)
    energies = {**given["labels_G"], "energy": given["labels_G"]["energy"] + 1e-15}
    entries = [
        write_shard(tmp_path, **given),
        write_shard(tmp_path, **{**given, "crystals": moved}),
        write_shard(tmp_path, **{**given, "edges": Edges(cutoff=6.0, k=None)}),
        write_shard(tmp_path, **{**given, "labels_G": energies}),
        write_shard(tmp_path, **{**given, "labels_A": {}}),
    ]
    assert len({entry.name for entry in entries}) == 5


def test_a_damaged_shard_is_written_again(tmp_path):
    entry = write_shard(tmp_path, **part(0, 3))
    path = entry.path(tmp_path)
    path.write_bytes(path.read_bytes()[:-10])
    assert write_shard(tmp_path, **part(0, 3)) == entry
    Shard(path)


def shard_path(directory, number=2):
    return ShardSet(directory).entries[number].path(directory)


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: b"",
        lambda data: data[:5],
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data + b"\0",
        lambda data: b"\xff" * len(data),
        lambda data: data[:8] + b"[" + data[9:],
        lambda data: data.replace(b"neighbours_E", b"neighbours_X"),
        lambda data: data.replace(b'\\"version\\": 1', b'\\"version\\": 2'),
        lambda data: data.replace(b"zonemelt", b"another!"),
    ],
    ids=["empty", "tiny", "short", "half", "long", "noise", "header", "names", "version", "foreign"],
)
def test_a_broken_shard_is_one_clear_error(broken, harm):
    path = shard_path(broken)
    data = path.read_bytes()
    assert harm(data) != data
    path.write_bytes(harm(data))
    with pytest.raises(StoreError) as caught:
        ShardSet(broken).read(slice(None))
    assert str(path) in str(caught.value)
    assert "write the shards again" in str(caught.value)
    assert len(ShardSet(broken).read([0, 22])) == 2  # the others are sound


def test_numbers_of_a_kind_that_no_shard_has(broken):
    path = shard_path(broken)
    from safetensors.numpy import save

    path.write_bytes(save({"a": np.zeros(3, np.float16)}, metadata={"zonemelt": "{}"}))
    with pytest.raises(StoreError, match="holds a as F16"):
        Shard(path)


def test_ranks_are_told_that_the_first_could_not_write_the_index(tmp_path, monkeypatch):
    told = []
    world = SimpleNamespace(
        Get_rank=lambda: 0, Get_size=lambda: 1, allgather=lambda one: [one],
        bcast=lambda one: told.append(one) or one,
    )  # fmt: skip
    fake = SimpleNamespace(MPI=SimpleNamespace(COMM_WORLD=world))
    monkeypatch.setitem(sys.modules, "mpi4py", fake)
    (tmp_path / INDEX).mkdir()  # where the file should be
    geometry = Geometry.of(bulk("Al")).model_dump(mode="json")
    with pytest.raises(StoreError):
        shards_of_ranks_job.original(
            sources=[{"geometries": [geometry]}], edges={"cutoff": 4.0, "k": 8}, directory=str(tmp_path)
        )
    assert isinstance(told[0], StoreError)


def test_a_missing_shard(broken):
    shard_path(broken).unlink()
    with pytest.raises(StoreError, match="is missing"):
        ShardSet(broken).read([10])


@settings(max_examples=60)
@given(st.integers(0, 2**30), st.integers(1, 255))
def test_a_changed_byte_does_no_harm_and_is_found(written, at, change):
    """Reading raises or returns; it never leaves the arrays. The hash always tells."""
    found = ShardSet(written)
    entry = found.entries[2]
    data = bytearray(entry.path(written).read_bytes())
    at %= len(data)
    data[at] ^= change
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        for other in found.entries:
            os.link(other.path(written), other.path(directory))
        os.link(written / INDEX, directory / INDEX)
        entry.path(directory).unlink()
        entry.path(directory).write_bytes(bytes(data))
        changed = ShardSet(directory)
        try:
            graphs = changed.read(slice(None))
            assert graphs.neighbours.index_2E.min() >= 0
            assert graphs.neighbours.index_2E.max() < len(CRYSTALS.numbers_A)
        except StoreError:
            pass
        with pytest.raises(StoreError):
            changed.verify()


def test_sound_shards_are_verified(written):
    ShardSet(written).verify()


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: data[:-8],
        lambda data: b"",
        lambda data: data.replace(b"atoms_G", b"atoms_H"),
        lambda data: data[:-8] + b"\x99" * 8,
    ],
)
def test_a_broken_index(broken, harm):
    path = broken / INDEX
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(StoreError, match="index"):
        ShardSet(broken)


def test_there_is_no_index(tmp_path):
    with pytest.raises(StoreError, match="is missing"):
        ShardSet(tmp_path)


@pytest.mark.parametrize("indices", [[23], [-1], [0, 99]])
def test_no_such_graph(written, indices):
    with pytest.raises(InputError, match="of 23"):
        ShardSet(written).read(indices)


def test_shards_of_a_set_are_of_one_kind(tmp_path):
    one = write_shard(tmp_path, **part(0, 3))
    other = write_shard(tmp_path, **{**part(3, 6), "edges": Edges(cutoff=5.0)})
    with pytest.raises(InputError, match="not as in the first"):
        write_index(tmp_path, [one, other])
    with pytest.raises(InputError, match="no shards"):
        write_index(tmp_path, [])


def test_what_cannot_be_stored(tmp_path):
    with pytest.raises(InputError, match="no structures"):
        write_shard(tmp_path, Crystals.of([]), EDGES)
    with pytest.raises(InputError, match="label 'name'"):
        write_shard(tmp_path, CRYSTALS, EDGES, labels_G={"name": np.array(["a"] * 23)})
    far = Atoms("H2", positions=[[0, 0, 0], [9e5, 0, 0]], cell=[2, 2, 2], pbc=True)
    with pytest.raises(InputError, match="wrap the atoms"):
        write_shard(tmp_path, Crystals.of_atoms([far]), EDGES)
    assert not list(tmp_path.iterdir())


def test_many_processes_write_one_directory(tmp_path):
    """Two processes write the same and other shards at the same time."""
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]);"
        "import test_shards as t; print([e.name for e in t.write_all(Path(sys.argv[2]))])"
    )
    here = str(Path(__file__).parent)
    running = [
        subprocess.Popen([sys.executable, "-c", code, here, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    found = [process.communicate(timeout=120)[0] for process in running]
    assert found[0] == found[1]
    write_index(tmp_path, write_all(tmp_path))
    same(ShardSet(tmp_path).read(slice(None)), WHOLE)
    assert json.loads(found[0].replace("'", '"')) == [e.name for e in ShardSet(tmp_path).entries]
