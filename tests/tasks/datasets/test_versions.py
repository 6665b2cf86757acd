"""Versions: what they share, what is the same, and writers that meet or die."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from datasets_for_tests import record

from zonemelt.tasks.datasets import check_dataset, commit, open_dataset, write_part
from zonemelt.tasks.datasets.history import history
from zonemelt.tasks.datasets.repeated import as_ranges, kept
from zonemelt.tasks.datasets.versions import entries
from zonemelt.tasks.errors import InputError, StoreError


def some(first, end):
    return [record(number) for number in range(first, end)]


def test_a_new_version_shares_the_old_parts(tmp_path):
    one = commit(tmp_path, [write_part(tmp_path, some(0, 10))], message="first")
    before = {path: path.stat().st_ino for path in (tmp_path / "parts").iterdir()}
    two = commit(tmp_path, [write_part(tmp_path, some(10, 15))], message="second")
    assert {path: path.stat().st_ino for path in before} == before
    assert two.parents == (one.hash,)
    assert set(one.parts) < set(two.parts)
    assert (len(open_dataset(tmp_path)), len(open_dataset(tmp_path, one.hash[:8]))) == (14, 9)
    assert two.counts == {"accepted": 14, "quarantined": 1}
    assert list(two.theories) == [record(0).theory.key]


def test_a_commit_is_on_disk_with_its_name(tmp_path, monkeypatch):
    synced = []
    fsync = os.fsync

    def noted(descriptor):
        synced.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    commit(tmp_path, [write_part(tmp_path, some(0, 2))], message="first")
    assert {(tmp_path / folder).stat().st_ino for folder in ("parts", "versions", "log")} <= set(synced)


def test_the_order_of_commits_does_not_count(tmp_path):
    hashes = set()
    for number, order in enumerate([(0, 1, 2), (2, 0, 1), (1, 2, 0)]):
        folder = tmp_path / str(number)
        parts = [write_part(folder, some(5 * place, 5 * place + 8)) for place in range(3)]  # they overlap
        for place in order:
            commit(folder, [parts[place]], message="")
        dataset = open_dataset(folder)
        hashes.add((dataset.version, dataset.info.repeated, tuple(r.identifier for r in dataset.records())))
    assert len(hashes) == 1


def test_equal_records_are_kept_once(tmp_path):
    commit(tmp_path, [write_part(tmp_path, some(0, 20))], message="")
    again = write_part(tmp_path, [*some(10, 30), *some(10, 12), record(3, energy_free=0.0)])
    version = commit(tmp_path, [again], message="again")
    assert version.repeated == 12
    dataset = open_dataset(tmp_path)
    found = sorted([*dataset.records(), *dataset.quarantine.records()], key=lambda r: r.identifier)
    expected = sorted([*some(0, 30), record(3, energy_free=0.0)], key=lambda r: r.identifier)
    assert {r.model_dump_json() for r in found} == {r.model_dump_json() for r in expected}
    assert len(found) == len(expected) == version.records + version.quarantined
    assert (len(dataset), len(dataset.quarantine)) == (28, 3)


def test_committing_what_is_there_already_changes_nothing(tmp_path):
    part = write_part(tmp_path, some(0, 5))
    one = commit(tmp_path, [part], message="first")
    assert commit(tmp_path, [part], message="again") == one
    assert [entry["message"] for entry in entries(tmp_path)] == ["first"]


def test_parts_judged_anew_replace_the_old_ones(tmp_path):
    old, other = write_part(tmp_path, some(0, 10)), write_part(tmp_path, some(10, 20))
    one = commit(tmp_path, [old, other], message="")
    rejected = {"quality": record(7).quality}
    new = write_part(tmp_path, [r.model_copy(update=rejected) for r in some(0, 10)])
    two = commit(tmp_path, [new], message="judged anew", replacing=[old.hash])
    assert two.counts == {"accepted": 9, "quarantined": 11}
    assert open_dataset(tmp_path, one.hash).info.counts == {"accepted": 18, "quarantined": 2}
    with pytest.raises(InputError, match="it has no part"):
        commit(tmp_path, [], message="", replacing=[old.hash])


def test_a_version_aside_leaves_the_newest_alone(tmp_path):
    first = commit(tmp_path, [write_part(tmp_path, some(0, 5))], message="one")
    newest = commit(tmp_path, [write_part(tmp_path, some(5, 7))], message="two")
    aside = commit(tmp_path, [write_part(tmp_path, some(20, 23))], message="aside", parent=first.hash[:10])
    assert open_dataset(tmp_path).version == newest.hash
    assert len(open_dataset(tmp_path, aside.hash)) == 8
    lines = {line["message"]: (line["newest"], line["aside"]) for line in history(tmp_path)}
    assert lines == {"one": (False, False), "two": (True, False), "aside": (False, True)}


def test_a_part_that_was_not_written_cannot_be_committed(tmp_path):
    part = write_part(tmp_path / "a", some(0, 3))
    with pytest.raises(StoreError, match="is missing"):
        commit(tmp_path / "b", [part], message="")


@pytest.mark.parametrize(("version", "said"), [("ffff", "no version begins"), ("", "more than one version")])
def test_versions_are_found_by_the_beginning_of_their_hash(tmp_path, version, said):
    commit(tmp_path, [write_part(tmp_path, some(0, 2))], message="")
    commit(tmp_path, [write_part(tmp_path, some(2, 3))], message="")
    with pytest.raises(InputError, match=said):
        open_dataset(tmp_path, version)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"schema_version": 1}', "\0" * 50])
def test_a_damaged_version_is_an_error_that_names_it(tmp_path, damage):
    version = commit(tmp_path, [write_part(tmp_path, some(0, 2))], message="")
    (tmp_path / "versions" / f"{version.hash}.json").write_text(damage)
    with pytest.raises(StoreError, match=version.hash):
        open_dataset(tmp_path)


@pytest.mark.parametrize("damage", ["", "[]", '{"version": "0"}', "\xff"])
def test_a_damaged_log_is_an_error_that_names_it(tmp_path, damage):
    version = commit(tmp_path, [write_part(tmp_path, some(0, 2))], message="")
    (tmp_path / "log" / "00000000.json").write_text(damage, encoding="latin-1")
    with pytest.raises(StoreError, match=r"00000000\.json"):
        open_dataset(tmp_path)
    assert open_dataset(tmp_path, version.hash).version == version.hash


def test_a_version_with_other_parts_than_its_name_says(tmp_path):
    one = commit(tmp_path, [write_part(tmp_path, some(0, 2))], message="")
    two = commit(tmp_path, [write_part(tmp_path, some(2, 4))], message="")
    (tmp_path / "versions" / f"{two.hash}.json").write_text(one.model_dump_json())
    with pytest.raises(StoreError, match="not what its name says"):
        open_dataset(tmp_path)


def test_versions_of_a_later_program_are_refused(tmp_path):
    version = commit(tmp_path, [write_part(tmp_path, some(0, 2))], message="")
    path = tmp_path / "versions" / f"{version.hash}.json"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 99'))
    with pytest.raises(InputError, match="version 99"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("there", [True, False])
def test_no_dataset(tmp_path, there):
    folder = tmp_path if there else tmp_path / "none"
    with pytest.raises(InputError, match="there is no"):
        open_dataset(folder)


SEVERAL = """
import sys
from datasets_for_tests import record
from zonemelt.tasks.datasets import commit, write_part
folder, first = sys.argv[1], int(sys.argv[2])
sys.stdin.readline()
for number in range(first, first + 5):
    commit(folder, [write_part(folder, [record(number, quality=None)])], message=str(number))
"""


def start(script: str, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )


def test_writers_at_once_do_not_lose_one_another(tmp_path):
    writers = [start(SEVERAL, tmp_path, 10 * n) for n in range(3)]
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=300)
    assert [writer.returncode for writer in writers] == [0] * 3
    found = {r.identifier for r in open_dataset(tmp_path).records()}
    assert found == {record(10 * n + m).identifier for n in range(3) for m in range(5)}
    assert len(entries(tmp_path)) == 15
    assert not [finding for finding in check_dataset(tmp_path) if finding.error or finding.note]


WRITER = """
import sys
from datasets_for_tests import record
from zonemelt.tasks.datasets import commit, write_part
folder, number = sys.argv[1], 0
while True:
    part = write_part(folder, [record(n, quality=None) for n in range(number, number + 40)])
    commit(folder, [part], message="")
    print(number, flush=True)
    number += 40
"""


def test_a_writer_that_is_killed_leaves_a_dataset_that_can_be_read(tmp_path):
    for round_, delay in enumerate([0.0, 0.007, 0.017]):
        folder = tmp_path / str(round_)
        writer = start(WRITER, folder)
        said = [int(writer.stdout.readline()) for _ in range(2)]
        time.sleep(delay)
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.communicate(timeout=30)[0]
        told = len(said) + rest.count("\n")
        dataset = open_dataset(folder)
        dataset.verify()
        assert len(dataset) in {40 * told, 40 * (told + 1)}
        assert [f for f in check_dataset(folder) if f.error] == []
        commit(folder, [write_part(folder, [record(10**6)])], message="it goes on")
        assert len(open_dataset(folder)) == len(dataset) + 1


def test_ranges_of_rows():
    import numpy as np

    mask = np.array([True, False, True, True, False, True])
    assert as_ranges(mask) == ((0, 1), (2, 4), (5, 6))
    assert kept(6, as_ranges(mask)).tolist() == [1, 4]
    assert as_ranges(np.zeros(3, bool)) == ()
