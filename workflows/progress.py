"""How a campaign goes, look by look: jobs by pool, blocks, rounds, the best so far, what is left.

A look reads only what is new since the last one, so that a page or a terminal can look every second.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from zonemelt.workflows.engine.inspect import Summary, fact, open_ledger, summarise
from zonemelt.workflows.engine.schema import SPEC_FILE, pool_name
from zonemelt.workflows.engine.states import JobState

if TYPE_CHECKING:
    import sqlite3

    from zonemelt.workflows.report.reading.outputs import Outputs

BEST: Final = 5
"""Candidates that are named."""
ROUNDS: Final = 4
_MILLI: Final = 1000.0


@dataclass(frozen=True, kw_only=True)
class Pool:
    """How a pool stands.

    Attributes:
        counts: state → jobs, of those that it has any.
        blocks: batch allocations that it holds now.
    """

    name: str
    counts: dict[str, int]
    blocks: int = 0


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One look.

    Attributes:
        summary: how the campaign stands.
        pools: those with jobs.
        rounds: the last ones, each a line of values: ``round``, ``labels``, and what is known of its errors.
        best: what was found so far, the best first: ``name``, ``value`` and ``what``.
        found: a sentence on it; empty where there is nothing to say.
        budget: node-hours it may take; None for no limit.
        hours_left: node-hours that the jobs known now may still take; None where nobody can say.
    """

    summary: Summary
    pools: list[Pool] = field(default_factory=list)
    rounds: list[dict[str, str]] = field(default_factory=list)
    best: list[dict[str, str]] = field(default_factory=list)
    found: str = ""
    budget: float | None = None
    hours_left: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **self.summary.as_dict(),
            "pools": [{"name": p.name, "counts": p.counts, "blocks": p.blocks} for p in self.pools],
            "rounds": self.rounds,
            "best": self.best,
            "found": self.found,
            "budget": self.budget,
            "hours_left": self.hours_left,
        }


class Follower:
    """Looks at a campaign again and again.

    Args:
        directory: of the campaign.
        results: read outputs, too; without, a look costs next to nothing and says nothing of rounds.
    """

    def __init__(self, directory: Path, *, results: bool = True) -> None:
        self.directory = Path(directory)
        self._results = results
        self._outputs: Outputs | None = None
        self._last = 0

    def look(self, *, running: int = 10, failures: int = 5) -> Progress:
        """How it stands now.

        Args:
            running: how many running jobs to name at most.
            failures: how many failures to name at most.

        Raises:
            CampaignError: it is no campaign directory.
        """
        summary = summarise(self.directory, running=running, failures=failures)
        with open_ledger(self.directory) as connection:
            pools = pools_of(connection)
            if self._results:
                self._read(connection)
        said = results_of(self._outputs) if self._outputs is not None else {}
        return Progress(
            summary=summary, pools=pools, budget=budget_of(self.directory), hours_left=_hours(summary), **said
        )

    def _read(self, connection: sqlite3.Connection) -> None:
        from zonemelt.workflows.report.reading.outputs import Outputs, read_outputs

        (last,) = connection.execute("SELECT MAX(rowid) FROM outputs").fetchone()
        if last and last > self._last:
            found = self._outputs or Outputs()
            self._outputs = read_outputs(connection, self.directory, into=found, after=self._last)
            self._last = last


def pools_of(connection: sqlite3.Connection) -> list[Pool]:
    """The pools with their jobs by state.

    Args:
        connection: of the ledger.
    """
    names = {int(state): state.name.lower() for state in JobState}
    counts: dict[str, dict[str, int]] = {}
    for pool, state, count in connection.execute(
        "SELECT pool, state, COUNT(*) FROM jobs GROUP BY state, pool ORDER BY state"
    ):
        counts.setdefault(pool_name(pool), {})[names[state]] = count
    blocks: dict[str, list[str]] = fact(connection, "blocks", {}) or {}
    return [
        Pool(name=name, counts=each, blocks=len(blocks.get(name, ())))
        for name, each in sorted(counts.items())
    ]


def budget_of(directory: Path) -> float | None:
    """The node-hours a campaign may take, as its file has it now."""
    import yaml

    from zonemelt.plain_yaml import read_yaml

    try:
        document = read_yaml(directory / SPEC_FILE)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    found = document.get("budget_node_hours") if isinstance(document, dict) else None
    return float(found) if isinstance(found, int | float) else None


def _hours(summary: Summary) -> float | None:
    """At the cost of a job so far."""
    if not summary.finished or not summary.unfinished or not summary.node_hours:
        return None
    return summary.node_hours * summary.unfinished / summary.finished


# ── what was found so far ────────────────────────────────────────────────────────────────────────────


def results_of(outputs: Outputs) -> dict[str, Any]:
    """Rounds, the best, and a sentence: fields of :class:`Progress`.

    Args:
        outputs: what was read.
    """
    return {"rounds": _rounds(outputs), "best": _best(outputs), "found": _sentence(outputs)}


def _rounds(outputs: Outputs) -> list[dict[str, str]]:
    from zonemelt.workflows.report.rounds import heading, shown

    lines = []
    for one in outputs.history[-ROUNDS:]:
        line = {"round": str(one["round"]), "labels": f"{one['spent']['labels']:,}"}
        for key, value in one["heldout"].items():
            if " mae (" in key:
                line[heading(key)] = shown(key, value)
        for name, value in list((one.get("best") or {}).items())[:1]:
            line["best"] = f"{name} {value:.4g}" if isinstance(value, int | float) else f"{name} {value}"
        lines.append(line)
    return lines


def _best(outputs: Outputs) -> list[dict[str, str]]:
    if outputs.outcome:
        found = sorted(outputs.outcome["discoveries"], key=lambda one: not one["confirmed"])[:BEST]
        return [
            {
                "name": str(one["identifier"]), "what": "confirmed" if one["confirmed"] else "labelled",
                "value": f"{_MILLI * one['above_hull']:.1f} meV/atom above the hull of all labels",
            }
            for one in found
        ]  # fmt: skip
    return [
        {
            "name": str(one["identifier"]), "what": str(one["verdict"]),
            "value": f"{_MILLI * one['above_hull']:.1f} meV/atom above the hull of the references",
        }
        for one in outputs.candidates.best[:BEST]
    ]  # fmt: skip


def _sentence(outputs: Outputs) -> str:
    if outputs.funnels:
        total = {
            key: sum(one.get(key, 0) for one in outputs.funnels.values())
            for key in ("generated", "confirmed")
        }
        return f"{total['generated']:,} candidates, {total['confirmed']:,} confirmed by labels"
    if found := outputs.candidates:
        return f"{len(found):,} candidates, {found.passed['stable']:,} stable and new"
    return f"{outputs.labels:,} labels" if outputs.labels else ""
