"""A file is the old one, the new one or an error, and nothing else is left beside it."""

from __future__ import annotations

import hashlib
import stat

import pytest

from zonemelt.tasks.errors import StoreError
from zonemelt.tasks.whole_files import make_private, sha256_of, whole_file, write_whole


def test_a_file_and_the_directories_above_it(tmp_path):
    path = tmp_path / "a" / "b" / "some.txt"
    write_whole(path, b"one")
    write_whole(path, b"other")
    assert path.read_bytes() == b"other"
    assert [p.name for p in path.parent.iterdir()] == ["some.txt"]
    assert sha256_of(path) == hashlib.sha256(b"other").hexdigest()


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "some.txt"
    path.write_text("old")

    def fail():
        with whole_file(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        fail()
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("some.txt", "old")]


def test_a_file_below_a_file_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written") as caught:
        write_whole(tmp_path / "file" / "inner", b"")
    assert caught.value.where == str(tmp_path / "file" / "inner")


def test_a_private_file_is_so_from_its_first_byte_on(tmp_path):
    make_private(tmp_path / "a" / "b")
    assert [stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "a", tmp_path / "a" / "b")] == [0o700] * 2
    path = tmp_path / "a" / "b" / "secret"
    with whole_file(path, private=True) as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
        temporary.write_text("hush")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("hush", 0o600)
    tmp_path.chmod(0o755)
    make_private(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755  # what is there stays as it is
