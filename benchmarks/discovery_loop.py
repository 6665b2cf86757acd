"""Whether closing the loop pays: stable crystals per label, beside drawing once and labelling at random.

Aluminium, nickel and platinum with EMT as the oracle, a toy that stands for DFT: all else is a campaign
such as a person runs (`quickstart.yaml`). Aluminium and nickel do not mix, both have compounds with
platinum, so that stable crystals are rare: of 86 relaxed crystals of two to four atoms drawn at random 7 %
are within 10 meV/atom of the hull, 15 % within 25.

Both arms begin with the same labels and draw as many crystals. The control draws them all from the
generator of the first labels, has them relaxed and sifted by the first committee (structures, duplicates,
novelty), and labels some at random. What is stable is decided on one hull: of all labels of both arms and
all seeds.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.report import Row, spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zonemelt.tasks.records import Record

ROUNDS: Final = 3
BATCH: Final = 8
LIMITS: Final = (0.01, 0.025)  # eV/atom above the hull of all labels; the campaigns look for the first
SEEDS: Final = (0, 1, 2)
ARMS: Final = ("closed", "once")
ORACLE: Final = "emt"
CAMPAIGN: Final = "quickstart"
CLOSED: Final[dict[str, Any]] = {
    "oracle": ORACLE, "refine": 0, "batch": BATCH,
    "target": "above_hull < 0.01, at least 2 elements, at most 6 atoms",
    "seeds": [{"orderings": ["Al", "Ni", "Pt"], "lattices": ["fcc", "bcc"], "sizes": [2, 3]}],
    "initial": 120,
    "start": {"displacement": 0.2, "strain": 0.06, "volume": [-0.15, 0.25]},
    "sample": [
        {"count": 60, "atoms": [3, 4, 5, 6], "guided": True}, {"count": 60, "near": 12, "strength": 0.5},
    ],
    "committee": {"members": 3, "kind": "linear", "basis": {"cutoff": 4.5, "radial": 4, "degree": 2}},
    "generator": {
        "architecture": {"width": 64, "layers": 3, "frequencies": 4},
        "settings": {"epochs": 80, "batch_size": 32, "learning_rate": 0.003, "ema": 0.99},
        "within": 0.3, "most_atoms": 6, "cells": 2,
    },
    "relax": {"force": 0.05, "steps": 60, "method": "lbfgs"},
}  # fmt: skip


def rows(*, quick: bool, keep: Path | None = None) -> Iterator[Row]:
    """The rows of this part.

    Args:
        quick: one seed, one round.
        keep: where campaigns lie, ended or not; each may have been run by a process of its own, see
            :func:`main`. None: a directory for the time being.
    """
    seeds = SEEDS[:1] if quick else SEEDS
    with tempfile.TemporaryDirectory() as text:
        place = keep or Path(text)
        arms = {
            arm: [campaign(settings(arm, seed, quick=quick), place / f"{arm}-{seed}") for seed in seeds]
            for arm in ARMS
        }
    every = {
        name: record
        for found in arms.values()
        for one in found
        for name, record in (one.first | one.new).items()
    }
    heights = above_hull(every)
    seconds = sum(one.seconds for found in arms.values() for one in found)
    for limit in LIMITS:
        closed, once = (
            [distinct(one.new, heights, limit) / max(one.labels, 1) for one in arms[arm]] for arm in ARMS
        )
        labels = [one.labels for found in arms.values() for one in found]
        yield row(limit, closed, once, labels=labels, seconds=seconds, quick=quick)


def row(
    limit: float,
    closed: Sequence[float],
    once: Sequence[float],
    *,
    labels: Sequence[int],
    seconds: float,
    quick: bool,
) -> Row:
    """Mean rates of both arms, and how they vary."""
    mean, control = statistics.mean(closed), statistics.mean(once)

    def varied(values: Sequence[float]) -> str:
        return f"{statistics.mean(values):.2f} ± {statistics.stdev(values) if len(values) > 1 else 0.0:.2f}"

    def each(values: Sequence[float]) -> str:
        return ", ".join(f"{value:.3f}" for value in values)

    return Row(
        name=f"Al-Ni-Pt: crystals within {1000 * limit:g} meV/atom of the hull, per label of {ORACLE}",
        unit="", ours=mean, peer=control or None,
        peer_name="drawn once, labelled at random, as many labels", target="ratio >= 2",
        spread=spread(closed), seconds=seconds, quick=quick,
        note=f"{len(closed)} seeds, labels {labels}; {varied(closed)} and {varied(once)}, mean and deviation;"
        f" each seed {each(closed)} and {each(once)}",
    )  # fmt: skip


def settings(arm: str, seed: int, *, quick: bool) -> dict[str, Any]:
    """What a campaign of one arm changes in the file of the catalog."""
    rounds = 1 if quick else ROUNDS
    changes = {**CLOSED, "seed": seed, "stop": {"rounds": rounds}}
    if arm == "closed":
        return changes
    from zonemelt.workflows.campaigns.spec import load_campaign

    drawn = load_campaign(CAMPAIGN, changes).sample  # type: ignore[attr-defined]
    return {
        **changes,
        "sample": [{**one, "count": rounds * one["count"]} for one in drawn],
        "batch": rounds * changes["batch"],
        "stop": {"rounds": 1},
        "acquire": {"strategy": "random", "unsure": 0.0, "reach": 1000.0},
    }


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a campaign came to.

    Attributes:
        labels: that it asked for after the first ones, refused ones included.
        first: labels that it began with, by identifier.
        new: labels of what it proposed.
        seconds: of processor time.
    """

    labels: int
    first: dict[str, Record]
    new: dict[str, Record]
    seconds: float


def campaign(changes: Mapping[str, Any], directory: Path) -> Found:
    """Run one, if it has not run there."""
    from zonemelt.tasks.datasets import open_dataset
    from zonemelt.workflows.campaigns.spec import build_flow, load_campaign
    from zonemelt.workflows.engine.inspect import open_ledger
    from zonemelt.workflows.engine.run import run_flow

    spent = directory.with_suffix(".seconds")
    if not spent.exists():
        began = time.process_time()
        run_flow(
            build_flow(load_campaign(CAMPAIGN, changes)), site="inline", directory=directory,
            ensure_success=True,
        )  # fmt: skip
        spent.write_text(str(time.process_time() - began))
    records = {one.identifier: one for one in open_dataset(directory / "dataset").records()}
    with open_ledger(directory) as connection:
        (text,) = connection.execute(
            "SELECT doc FROM outputs JOIN jobs USING (uuid) WHERE jobs.name = 'loop summary'"
        ).fetchone()
    summary = json.loads(text)["output"]
    new = {one["identifier"] for one in summary["discovery"]["discoveries"]}
    return Found(
        labels=sum(len(one["accepted"]) + len(one["refused"]) for one in summary["rounds"][1:]),
        first={name: one for name, one in records.items() if name not in new},
        new={name: one for name, one in records.items() if name in new},
        seconds=float(spent.read_text()),
    )


def above_hull(records: Mapping[str, Record]) -> dict[str, float]:
    """Identifier → eV/atom above the hull of all of them."""
    from zonemelt.tasks.rounds.near_hull import placed

    return {
        name: one.above_hull for name, one in placed(records.values()).items() if one.above_hull is not None
    }


def distinct(records: Mapping[str, Record], heights: Mapping[str, float], limit: float) -> int:
    """How many different crystals are within the limit."""
    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.judge.novelty import unique

    stable = [one.geometry for name, one in records.items() if heights[name] <= limit]
    return len(set(unique(Crystals.of(stable)).row_G.tolist())) if stable else 0


def main(arm: str, seed: str, keep: str) -> None:
    """Run one campaign in this process: ``python -m benchmarks.discovery_loop closed 0 DIRECTORY``."""
    Path(keep).mkdir(exist_ok=True)
    campaign(settings(arm, int(seed), quick=False), Path(keep, f"{arm}-{seed}"))


if __name__ == "__main__":
    main(*sys.argv[1:])
