"""The states of jobs: which comes next, in every case."""

from __future__ import annotations

import itertools

import pytest

from zonemelt.workflows.engine.states import (
    FINISHED,
    PENDING,
    UNFINISHED,
    JobState,
    Outcome,
    next_state,
    outcome,
)

S = JobState


def test_groups_of_states() -> None:
    assert set(S) == FINISHED | UNFINISHED
    assert not FINISHED & UNFINISHED
    assert UNFINISHED - {S.RUNNING} == PENDING
    assert [int(state) for state in S] == list(range(9))  # they are on people's disks


@pytest.mark.parametrize("state", list(S))
@pytest.mark.parametrize("stops", [True, False])
def test_outcomes(state, stops) -> None:
    if state in UNFINISHED:
        with pytest.raises(ValueError, match=state.name):
            outcome(state, stops_children=stops)
        return
    expected = {
        S.DONE: Outcome.ARRIVED,
        S.FAILED: Outcome.FAILED,
        S.SKIPPED: Outcome.FAILED,
        S.STOPPED: Outcome.STOPPED,
        S.CANCELLED: Outcome.STOPPED,
    }
    assert outcome(state, stops_children=stops) is (Outcome.STOPPED if stops else expected[state])


@pytest.mark.parametrize("counts", list(itertools.product(range(3), repeat=4)))
@pytest.mark.parametrize("quorum", [None, 1, 2])
@pytest.mark.parametrize("needs", [True, False])
def test_next_states(counts, quorum, needs) -> None:
    """All cases: a stop wins over a failure, a quorum over both, and nobody starts before his time."""
    waits, arrived, failed, stopped = counts
    state = next_state(
        waits=waits, arrived=arrived, failed=failed, stopped=stopped, quorum=quorum, needs_parents=needs
    )
    if quorum is not None and arrived + (0 if needs else failed) >= quorum:
        assert state is S.READY
    elif waits:
        assert state is S.WAITING
    elif stopped:
        assert state is S.STOPPED
    elif quorum is not None or (failed and needs):
        assert state is S.SKIPPED
    else:
        assert state is S.READY
