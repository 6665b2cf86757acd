"""The verdicts of a campaign, of screening or discovery, so far: read from its store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from zonemelt.tasks.judge.verdict import Confirmation, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

STEP = "verdicts"


class Found(NamedTuple):
    """A verdict, and the round of the campaign in which it was given; None where there are none."""

    verdict: Verdict
    round: int | None


def read_verdicts(place: Path) -> list[Found]:
    """All verdicts so far; of a candidate that was judged more than once the last.

    Labels that a campaign of discovery has learnt from stand in the verdicts on what was labelled.

    Args:
        place: the campaign directory.
    """
    from zonemelt.tasks.stores import open_store

    store = open_store(None, directory=place)
    store.connect()
    try:
        rows = list(
            store.query(
                {"metadata.step": STEP, "output.verdicts": {"$exists": True}},
                properties=["output", "metadata", "completed_at"], load=True,
            )
        )  # fmt: skip
        rounds = list(
            store.query(
                {"metadata.step": "judge", "output.discovery.discoveries": {"$exists": True}},
                properties=["output.round", "output.discovery"], load=True,
            )
        )  # fmt: skip
    finally:
        store.close()  # type: ignore[no-untyped-call]
    found: dict[str, Found] = {}
    for row in sorted(rows, key=lambda one: str(one.get("completed_at"))):
        for document in row["output"]["verdicts"]:
            one = Verdict.model_validate(document)
            found[one.identifier] = Found(one, row["metadata"].get("round"))
    for row in sorted(rounds, key=lambda one: int(one["output"].get("round", 0))):
        _label(found, row["output"]["discovery"])
    return list(found.values())


def read_refusals(place: Path) -> dict[str, int]:
    """Why proposed structures were refused before they were candidates → how many.

    Args:
        place: the campaign directory.
    """
    from zonemelt.tasks.stores import open_store

    store = open_store(None, directory=place)
    store.connect()
    try:
        asked = {"metadata.step": STEP, "output.explored": {"$exists": True}}
        rows = list(store.query(asked, properties=["output", "completed_at"], load=True))
    finally:
        store.close()  # type: ignore[no-untyped-call]
    last = max(rows, key=lambda one: str(one.get("completed_at")), default=None)
    counts = last["output"]["explored"] if last else {}
    return {key.partition(": ")[2]: int(n) for key, n in counts.items() if key.startswith("refused: ")}


def _label(found: dict[str, Found], outcome: Mapping[str, Any]) -> None:
    """Put what the oracle said of discoveries into their verdicts."""
    for one in outcome["discoveries"]:
        if (before := found.get(one["identifier"])) is None:
            continue
        label = Confirmation(
            oracle=str(outcome["oracle"]),
            energy_per_atom=one["energy_per_atom"],
            max_force=one["force"],
            above_hull=one["above_hull"],
            reasons=tuple(one["reasons"]),
        )
        meant = bool(one["confirmed"])
        found[one["identifier"]] = before._replace(
            verdict=before.verdict.model_copy(update={"label": label, "on_target": meant})
        )
