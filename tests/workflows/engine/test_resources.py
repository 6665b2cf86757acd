"""What a job asks of a machine: read strictly, foreign keys left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.workflows.engine.resources import Resources, in_bytes, quorum_count, read_resources, seconds


def test_nothing_asked_is_the_default():
    assert read_resources({}) == Resources()


def test_all_keys_are_read():
    asked = {
        "pool": "gpu", "nodes": 2, "ranks_per_node": 4, "gpus_per_rank": 1, "threads": 8,
        "walltime": "01:30:00", "memory": "4GB", "priority": -3,
        "quorum": 0.5, "launcher": "torch", "cache": False,
    }  # fmt: skip
    found = read_resources(asked)
    assert (found.ranks, found.slots, found.walltime, found.memory) == (8, 64, 5400.0, 4 * 1024**3)
    assert set(asked) == set(Resources.__dataclass_fields__)


def test_keys_of_other_managers_are_theirs():
    asked = {
        "_fworker": "w",
        "_priority": 3,
        "worker": "slurm",
        "resources": {"nodes": 3},
        "exec_config": "e",
    }
    assert read_resources(asked) == Resources()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"walltme": 3}, "did you mean 'walltime'"),
        ({"nodes": 0}, "below 1"),
        ({"nodes": "two"}, "not a whole number"),
        ({"nodes": True}, "not a whole number"),
        ({"walltime": "1h"}, "HH:MM:SS"),
        ({"walltime": -1}, "not a duration"),
        ({"walltime": float("inf")}, "inf is not a duration"),
        ({"walltime": "1:²:00"}, "not a duration"),
        ({"memory": "lots"}, "e.g. '4GB'"),
        ({"memory": float("inf")}, "inf is not an amount of memory"),
        ({"quorum": -0.1}, "negative"),
        ({"quorum": float("inf")}, "inf is no number of parents"),
        ({"quorum": float("nan")}, "nan is no number of parents"),
        ({"launcher": "mpiexec"}, "did you mean"),
        ({"cache": 1}, "true or false"),
        ({"pool": 3}, "not a text"),
    ],
)
def test_what_cannot_be_read_names_the_field_and_the_remedy(asked, words):
    with pytest.raises(InputError) as caught:
        read_resources(asked, where="job 'relax'")
    (key,) = asked
    assert words in str(caught.value)
    assert "job 'relax'" in str(caught.value)
    assert key in str(caught.value)
    assert isinstance(caught.value, UnknownKeyError) is (key in {"walltme", "launcher"})


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_durations(hours, minutes, rest):
    total = 3600 * hours + 60 * minutes + rest
    assert seconds(f"{hours:02}:{minutes:02}:{rest:02}") == seconds(total) == total


@pytest.mark.parametrize(
    ("text", "size"), [("5", 5), ("1k", 1024), ("1.5 MiB", 1572864), ("2TB", 2 * 1024**4)]
)
def test_amounts_of_memory(text, size):
    assert in_bytes(text) == size


@given(st.integers(1, 1000), st.floats(0.001, 0.999))
def test_a_fraction_is_rounded_up(parents, fraction):
    wanted = quorum_count(fraction, parents)
    assert 1 <= wanted <= parents
    assert wanted >= fraction * parents


def test_a_quorum_as_a_number_is_capped():
    assert [quorum_count(number, 5) for number in (0, 1, 3, 9)] == [5, 1, 3, 5]
