"""What a campaign of active learning has come to, from the documents of its rounds."""

from __future__ import annotations

from typing import Any

from jobflow import job


def summarise_rounds(rounds: list[dict[str, Any]], *, stopped: str, name: str, oracle: str) -> dict[str, Any]:
    """Sum up.

    Args:
        rounds: their documents, see :func:`.judge.round_document`.
        stopped: why it ended.
        name: of the campaign.
        oracle: name of the oracle.

    Returns:
        ``kind``, ``name``, ``oracle``, ``stopped``; ``dataset``, ``version`` and ``committee``, the last;
        ``labels``, how many; ``refused``, identifier → why; ``failed``, whose jobs did; ``rounds``.
    """
    last = rounds[-1]
    return {
        "kind": "relabel",
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


@job
def summary_job(*, rounds: list[dict[str, Any]], stopped: str, name: str, oracle: str) -> dict[str, Any]:
    """Sum up; see :func:`summarise_rounds`."""
    return summarise_rounds(rounds, stopped=stopped, name=name, oracle=oracle)
