"""Heads as batch jobs: when no further one is submitted."""

from __future__ import annotations

import pytest

from zonemelt.workflows.cli.as_job import futile


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        ([], False),
        ([0], False),
        ([0, 0, 0], False),  # the third has only begun: two have brought nothing
        ([0, 0, 0, 0], True),
        ([5, 9, 9, 9, 9], True),
        ([9, 9, 9, 9, 10], False),
        ([0, 4, 4, 4], False),
    ],
)
def test_three_jobs_in_a_row_that_bring_nothing_end_the_chain(done, expected):
    assert futile(done) is expected
