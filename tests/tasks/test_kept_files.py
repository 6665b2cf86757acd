"""Files that jobs hand to one another."""

from __future__ import annotations

import json

import pytest
from jobflow import Flow
from jobs_for_mishaps import read_file, write_file
from monty.json import MontyDecoder, MontyEncoder

from zonemelt import run_flow
from zonemelt.tasks.blobs import BlobDirectory
from zonemelt.tasks.errors import StoreError
from zonemelt.tasks.kept_files import keep_file


def test_a_file_travels_from_job_to_job(tmp_path):
    first, second = write_file("model.bin", "weights"), write_file("model.bin", "weights")
    read = [read_file(job.output["file"]) for job in (first, second)]
    responses = run_flow(Flow([first, second, *read]), site="inline", directory=tmp_path / "c")
    assert [responses[job.uuid][1].output for job in read] == [["model.bin", "weights"]] * 2
    assert len(list((tmp_path / "c" / "blobs").glob("??/*"))) == 1


def test_what_is_missing_or_cut_is_an_error(tmp_path):
    blobs = BlobDirectory(tmp_path / "blobs")
    source = tmp_path / "a.txt"
    source.write_text("content")
    with blobs.active():
        text = json.dumps(keep_file(source), cls=MontyEncoder)
        path = MontyDecoder().decode(text)
        assert path.read_text() == "content"
        path.write_text("cut")
        with pytest.raises(StoreError, match="has 3 bytes"):
            MontyDecoder().decode(text)
        path.unlink()
        with pytest.raises(StoreError, match="missing"):
            MontyDecoder().decode(text)
        with pytest.raises(StoreError, match="cannot be kept"):
            keep_file(tmp_path / "nothing")
    with pytest.raises(StoreError, match="no blob directory"):
        keep_file(source)


def test_a_name_cannot_leave_the_directory(tmp_path):
    with BlobDirectory(tmp_path).active(), pytest.raises(StoreError) as caught:
        MontyDecoder().process_decoded(
            {"@module": "zonemelt.tasks.kept_files", "@class": "KeptFile", "sha256": "ab" * 32,
             "name": "../../etc/passwd", "nbytes": 1}
        )  # fmt: skip
    assert caught.value.where.endswith("-passwd")


@pytest.mark.parametrize(
    "damage",
    [{"sha256": "../../etc/passwd"}, {"sha256": None}, {"name": None}, {"name": ""}, {"nbytes": "7"}],
)
def test_a_document_that_is_none_of_ours_is_refused(tmp_path, damage):
    (tmp_path / "a.txt").write_text("content")
    blobs = BlobDirectory(tmp_path / "blobs")
    with blobs.active(), pytest.raises(StoreError, match="malformed kept file"):
        MontyDecoder().process_decoded(keep_file(tmp_path / "a.txt").as_dict() | damage)
