"""What a campaign of active learning has come to, from the documents of its rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobflow import job

from zonemelt.tasks.rounds.discovered import Funnel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def summarise_rounds(rounds: list[dict[str, Any]], *, stopped: str, name: str, oracle: str) -> dict[str, Any]:
    """Sum up.

    Args:
        rounds: their documents, see :func:`.judge.round_document`.
        stopped: why it ended.
        name: of the campaign.
        oracle: name of the oracle.

    Returns:
        ``kind``, ``name``, ``oracle``, ``stopped``; ``dataset``, ``version`` and ``committee``, the last;
        ``labels``, how many; ``refused``, identifier → why; ``failed``, whose jobs did; ``rounds``; and
        ``discovery`` of one that discovers, see :func:`outcome_of`.
    """
    last = rounds[-1]
    found = outcome_of(rounds)
    return {
        **({"discovery": found} if found else {}),
        "kind": "discovery" if found else "relabel",
        "name": name,
        "oracle": oracle,
        "stopped": stopped,
        "dataset": last["dataset"],
        "version": last["version"],
        "committee": last["committee"],
        "records": last["records"],
        "labels": last["spent"]["labels"],
        "failed": [name for one in rounds for name in one["failed"]],
        "refused": {key: why for one in rounds for key, why in one["refused"].items()},
        "rounds": rounds,
    }


def outcome_of(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The :class:`.Outcome` of the last round, with the funnels of all added up; None where there is none."""
    outcomes = [one["discovery"] for one in rounds if "discovery" in one]
    if not outcomes:
        return None
    funnel = Funnel.sum_of(Funnel.model_validate(one["funnel"]) for one in outcomes)
    last: dict[str, Any] = outcomes[-1]
    confirmed = sum(one["confirmed"] for one in last["discoveries"])  # the hull may have moved since
    return {**last, "funnel": {**funnel.model_dump(), "confirmed": confirmed}}


@job
def summary_job(*, rounds: list[dict[str, Any]], stopped: str, name: str, oracle: str) -> dict[str, Any]:
    """Sum up; see :func:`summarise_rounds`."""
    return summarise_rounds(rounds, stopped=stopped, name=name, oracle=oracle)
