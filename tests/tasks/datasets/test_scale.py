"""Ten and a hundred times as many structures cost as much more, and no more memory."""

import shutil

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from datasets_for_tests import LEVELS, bulk
from pyarrow import parquet

from zonemelt.tasks.datasets import commit, open_dataset
from zonemelt.tasks.datasets.parts import PartWriter
from zonemelt.tasks.errors import StoreError

SIZES = (1_000, 10_000, 100_000)
ATOMS = 3
ROW_GROUP = 5_000


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Datasets of each size; what Arrow held at most while each was written."""
    found = {}
    for size in SIZES:
        folder = tmp_path_factory.mktemp(str(size))
        most = 0
        with PartWriter(folder) as writer:
            for first in range(0, size, ROW_GROUP):
                writer.write(bulk(first, min(ROW_GROUP, size - first), ATOMS), {LEVELS[0].key: LEVELS[0]})
                most = max(most, pa.total_allocated_bytes())
            part = writer.finish()
        commit(folder, [part], message="")
        found[size] = (folder, most)
    return found


def held(batches):
    """Batches, rows, and what Arrow held at most meanwhile."""
    number = rows = most = 0
    for batch in batches:
        number, rows, most = number + 1, rows + len(batch), max(most, pa.total_allocated_bytes())
    return number, rows, most


def test_writing_holds_a_row_group(folders):
    assert folders[100_000][1] < 2 * folders[10_000][1]


@pytest.mark.parametrize("what", ["crystals", "labels"])
def test_reading_holds_one_row_group(folders, what):
    for size in SIZES:
        before = pa.total_allocated_bytes()
        number, rows, most = held(getattr(open_dataset(folders[size][0]), what)(batch=1000))
        assert (number, rows) == (size / 1000, size)
        assert most - before < 4 * ROW_GROUP * ATOMS * 3 * 24  # the largest is twenty row groups


def test_few_are_found_without_reading_all(folders, tmp_path):
    """A filter on a sorted column is compared with the statistics of row groups: a damaged one is not met."""
    shutil.copytree(folders[10_000][0], tmp_path, dirs_exist_ok=True)
    (path,) = (tmp_path / "parts").iterdir()
    group = parquet.ParquetFile(path).metadata.row_group(1)
    chunks = [group.column(number) for number in range(group.num_columns)]
    (chunk,) = [one for one in chunks if one.path_in_schema == "identifier"]
    content = bytearray(path.read_bytes())
    content[(chunk.dictionary_page_offset or chunk.data_page_offset) + chunk.total_compressed_size // 2] ^= (
        255
    )
    path.write_bytes(content)
    dataset = open_dataset(tmp_path)
    (found,) = dataset.batches(["identifier"], where=pc.field("row") == 4_321)
    assert found.column("identifier").to_pylist() == ["b4321"]
    assert [r.identifier for r in dataset.take([4_999, 5])] == ["b4999", "b5"]
    with pytest.raises(StoreError, match=path.name):
        list(dataset.batches(["identifier"]))
    with pytest.raises(StoreError, match=path.name):
        dataset.take([9_999])


def test_files_grow_with_the_records(folders):
    sizes = [sum(p.stat().st_size for p in (folders[size][0] / "parts").iterdir()) for size in SIZES]
    assert sizes[2] / sizes[1] == pytest.approx(10, rel=0.2)
