"""Memory is used up: all ranks go on in smaller parts, once, and nobody waits for one that failed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trainings_for_tests as t

from zonemelt.tasks.train import memory
from zonemelt.tasks.train.heads import PointHead
from zonemelt.tasks.train.memory import TooLargeError
from zonemelt.tasks.train.metrics_log import read_metrics
from zonemelt.tasks.train.predict import said_of_samples
from zonemelt.tasks.train.ranks import joined

SETTINGS = {"epochs": 2, "precision": "fp64"}


def close(one, other):
    first, second = t.weights(one), t.weights(other)
    for name, value in first.items():
        assert torch.allclose(value, second[name], rtol=1e-9, atol=1e-12), name
    for same, line in zip(read_metrics(one), read_metrics(other), strict=True):
        assert line == pytest.approx(same | {"at": line["at"], "parts": 2}, rel=1e-9)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    directory = tmp_path_factory.mktemp("undisturbed")
    assert t.run(directory, **SETTINGS).parts == 1
    return directory


@pytest.mark.parametrize("processor", [False, True], ids=["accelerator", "processor"])
@pytest.mark.parametrize("where", ["parts", "forward", "backward"])
def test_one_process_goes_on_in_smaller_parts(tmp_path, undisturbed, where, processor):
    short = t.ShortOfMemory(6, where=where, processor=processor)
    outcome = t.run(tmp_path, short=short, **SETTINGS)
    assert short.times == 1  # from then on every step is in two parts
    assert (outcome.parts, outcome.samples) == (2, 2 * t.SAMPLES)
    close(undisturbed, tmp_path)


@pytest.mark.parametrize(
    ("where", "rank"),
    [
        pytest.param("parts", 1, marks=pytest.mark.slow),
        pytest.param("forward", 0, marks=pytest.mark.slow),
        ("backward", 1),
    ],
)
def test_a_rank_that_fails_alone_takes_the_others_with_it_into_smaller_parts(
    tmp_path, undisturbed, where, rank
):
    said = t.ranks(tmp_path, 2, short={"rows": 3, "rank": rank, "where": where}, **SETTINGS)
    assert all("from here on in 2 parts" in of_rank for of_rank in said)
    assert read_metrics(tmp_path)[-1]["parts"] == 2
    first, second = t.weights(undisturbed), t.weights(tmp_path)
    assert all(torch.allclose(value, second[name], rtol=1e-6, atol=1e-12) for name, value in first.items())


def test_smaller_parts_outlive_a_restart(tmp_path):
    settings = {"epochs": 1, "precision": "fp64"}
    t.run(tmp_path / "whole", short=t.ShortOfMemory(6), **settings)
    short = t.ShortOfMemory(6)
    assert not t.run(tmp_path / "pieces", short=short, deadline=0.0, **settings).finished
    again = t.ShortOfMemory(6)
    assert t.run(tmp_path / "pieces", short=again, **settings).parts == 2
    assert (short.times, again.times) == (1, 0)
    whole, pieces = t.weights(tmp_path / "whole"), t.weights(tmp_path / "pieces")
    assert all(torch.equal(value, pieces[name]) for name, value in whole.items())


def test_the_second_time_it_is_an_error_that_names_the_largest_first(tmp_path):
    with pytest.raises(
        TooLargeError, match=r"(?s)row (\d+) \(\1\), row .*step 0 .* in 2 parts .*accumulate: 8"
    ):
        t.run(tmp_path, short=t.ShortOfMemory(2), **SETTINGS)
    outcome = t.run(tmp_path, short=t.ShortOfMemory(2), accumulate=8, **SETTINGS)
    assert outcome.finished  # as it was told to


def test_a_sample_alone_that_is_too_large_is_said(tmp_path):
    with pytest.raises(TooLargeError, match=r"(?s)a sample alone is too large.*leave the largest out"):
        t.run(tmp_path, rows=t.Rows(2), batch_size=2, short=t.ShortOfMemory(0))


def test_all_ranks_say_the_same_error_and_none_waits(tmp_path):
    said = t.ranks(tmp_path, 2, fails=True, short={"rows": 1, "rank": 1}, **SETTINGS)
    assert all("TooLargeError" in of_rank and "out of memory on cpu in step 0" in of_rank for of_rank in said)


def test_other_errors_are_not_taken_for_it(tmp_path):
    class Broken(t.ShortOfMemory):
        def check(self, where, rows):
            if where == self.where:
                raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        t.run(tmp_path, short=Broken(1))
    assert not memory.is_out_of_memory(RuntimeError("no"))


def test_what_says_that_memory_is_used_up():
    with pytest.raises(RuntimeError) as of_the_processor:
        torch.empty(2**56)
    with pytest.raises(MemoryError) as of_numpy:
        np.empty(2**56)
    for found in (of_the_processor.value, of_numpy.value, torch.OutOfMemoryError("CUDA out of memory")):
        assert memory.is_out_of_memory(found)


class Few:
    """Five samples; a batch of them is their numbers."""

    def __len__(self):
        return 5

    def batch(self, rows):
        return torch.as_tensor(rows, dtype=torch.float64)[:, None]

    def name(self, sample):
        return f"sample {sample}"


class Network(torch.nn.Module):
    """Doubles numbers, as many as it has memory for."""

    def __init__(self, at_most):
        super().__init__()
        self.at_most = at_most

    def forward(self, batch):
        if len(batch) > self.at_most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return 2 * batch


def test_who_only_asks_asks_for_fewer_at_a_time():
    with joined(device="cpu") as alone:
        said = said_of_samples(Network(2), PointHead(), Few(), ranks=alone)
        assert said.mean_NP.ravel().tolist() == [0, 2, 4, 6, 8]
        with pytest.raises(TooLargeError, match="sample 0: out of memory on cpu for this sample alone"):
            said_of_samples(Network(0), PointHead(), Few(), ranks=alone)
