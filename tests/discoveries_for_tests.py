"""Campaigns of discovery in seconds: aluminium and gold by EMT, a tiny generator, linear committees."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
from pathlib import Path
from typing import Any

from waiting import until

from zonemelt.flows.discovery import DiscoveryMaker
from zonemelt.tasks.explore.orderings import ordered_crystals
from zonemelt.workflows.engine.inspect import open_ledger
from zonemelt.workflows.engine.run import resume, run_flow

_CONTEXT = multiprocessing.get_context("spawn")


def small(**more: Any) -> DiscoveryMaker:
    """One round of three labels."""
    return DiscoveryMaker(**{
        "name": "al-au",
        "structures": ordered_crystals(["Al", "Au"], lattices=["fcc"], sizes=[2]),
        "start": {"displacement": 0.1, "strain": 0.04, "volume": (-0.2, 0.2)},
        "initial": 10,
        "oracle": "emt",
        "target": "above_hull < 0.1, at most 2 atoms",
        "committee": {"members": 2, "basis": {"cutoff": 4.5, "radial": 4, "degree": 1}},
        "generator": {
            "architecture": {"width": 16, "layers": 1, "frequencies": 2},
            "settings": {"epochs": 3},
            "within": 1.0,
            "most_atoms": 2,
            "cells": 1,
        },
        "sample": [{"count": 6, "near": 4, "strength": 0.2, "steps": 10}],
        "relax": {"force": 0.2, "steps": 15, "method": "lbfgs"},
        "acquire": {"reach": 1.0},
        "refine": 1,
        "batch": 3,
        "stop": {"rounds": 1},
        **more,
    })  # fmt: skip


def drive(directory: str) -> None:
    """What a head's process does: start the campaign, or go on with it."""
    place = Path(directory)
    if (place / "begun").exists():
        resume(place, site="inline")
    else:
        place.mkdir(exist_ok=True)
        (place / "begun").touch()
        run_flow(small().make(), site="inline", directory=place)


def killed_after(directory: Path, jobs: int) -> None:
    """Start a campaign in a process of its own, and kill that when so many jobs are done."""
    head = _CONTEXT.Process(target=drive, args=(str(directory),))
    head.start()
    until(lambda: done(directory) >= jobs or not head.is_alive(), f"{jobs} jobs are done", seconds=600)
    assert head.is_alive(), "it ended before it could be killed"
    assert head.pid is not None
    os.kill(head.pid, signal.SIGKILL)
    head.join()


def done(directory: Path) -> int:
    """Jobs that have ended so far."""
    if not (directory / "ledger.db").exists():
        return 0
    try:
        with open_ledger(directory) as connection:
            (count,) = connection.execute("SELECT COUNT(*) FROM events WHERE kind = 'done'").fetchone()
    except sqlite3.OperationalError:  # it is being made
        return 0
    return int(count)
