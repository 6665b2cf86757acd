"""Loops of active learning whose processes are killed again and again."""

from __future__ import annotations

import multiprocessing
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crashing_runs import Chaos
from relabelling_for_tests import Special

from zonemelt.workflows.engine.run import resume, run_flow

if TYPE_CHECKING:
    from zonemelt.flows.relabel_potential import RelabelPotentialMaker

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["crashing_runs", "killed_loops", "warm_loops"])


def drive(directory: str, document: dict[str, Any], site: str) -> None:
    """What a head's process does: start the loop, or go on with it."""
    place = Path(directory)
    try:
        if (place / "begun").exists():
            resume(place, site=site)
        else:
            place.mkdir(exist_ok=True)
            (place / "begun").touch()
            run_flow(Special(**document).make(), site=site, directory=place)
    except BaseException:
        import traceback

        (place / "error.txt").write_text(traceback.format_exc())
        raise


class KilledLoop(Chaos):
    """A loop, its labels counted in a folder of marks.

    Args:
        place: a folder for it.
        maker: the loop.
        seed: of the moments of the kills.
        seconds: of each label.
    """

    def __init__(self, place: Path, maker: RelabelPotentialMaker, *, seed: int, seconds: float = 0.0) -> None:
        super().__init__(place, 0, seconds=seconds, seed=seed)
        self.document = {one.name: getattr(maker, one.name) for one in fields(maker)}
        self.document |= {"marks": str(self.folder), "seconds": seconds}

    def start(self, site: str) -> None:
        """Start a head; one that was killed before the ledger had a job in it starts anew."""
        if not (self.directory / "ledger.db").exists() or self.fact("name") is None:
            (self.directory / "begun").unlink(missing_ok=True)
        self.head = _CONTEXT.Process(target=drive, args=(str(self.directory), self.document, site))
        self.head.start()
