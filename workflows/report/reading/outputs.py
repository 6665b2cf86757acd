"""What the jobs of a campaign returned, read one by one: only what a report shows is kept.

Nothing here asks what kind of campaign it was: an output is known by its form.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from zonemelt.tasks.blobs import MARK, BlobDirectory, hydrate
from zonemelt.workflows.engine.documents import parsed
from zonemelt.workflows.engine.schema import OUTPUTS
from zonemelt.workflows.report.reading.candidates import Best, Candidates

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping
    from pathlib import Path

REFUSED_KEPT: Final = 200  # records in quarantine that are named
_RESULT_ROWS: Final = 200
RECORD: Final = frozenset({"identifier", "geometry", "theory", "provenance"})
"""Keys by which a labelled record is known among outputs."""
VERDICT: Final = frozenset({"identifier", "verdict", "geometry"})
"""And a verdict on a candidate."""
_ROUND: Final = frozenset({"round", "spent", "heldout"})


@dataclass
class Outputs:
    """What a report shows of the outputs.

    Attributes:
        rounds: number of a round → its document, the last one of each.
        stopped: why a loop ended; empty while it goes on.
        candidates: verdicts.
        outcome: what a discovery has come to, see :class:`.Outcome`; of the last round.
        funnels: round of a discovery → its funnel.
        proposed: what explorers and generators counted.
        labels: how many records oracles returned.
        seconds: that the labels took, wall time.
        cpu_seconds: of the processor.
        theories: level of theory as JSON → how many labels.
        elements: symbol → labels with that element.
        best_labels: records of the lowest energy per atom.
        refused: identifier → why, of records in quarantine; not all of very many.
        refused_count: all of them.
        models: cards of what was trained, each once.
        judged: what judges of models returned.
        transfer: the summary of a study of transfer.
        result: what the last job returned, where it is a table or a few numbers; and that job's name.
        unread: outputs that could not be read, and why.
    """

    rounds: dict[int, dict[str, Any]] = field(default_factory=dict)
    stopped: str = ""
    candidates: Candidates = field(default_factory=Candidates)
    outcome: dict[str, Any] | None = None
    funnels: dict[int, dict[str, int]] = field(default_factory=dict)
    proposed: Counter[str] = field(default_factory=Counter)
    labels: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    theories: Counter[str] = field(default_factory=Counter)
    elements: Counter[str] = field(default_factory=Counter)
    best_labels: Best = field(default_factory=Best)
    refused: dict[str, str] = field(default_factory=dict)
    refused_count: int = 0
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    judged: list[dict[str, Any]] = field(default_factory=list)
    transfer: dict[str, Any] | None = None
    result: tuple[str, Any] | None = None
    unread: dict[str, str] = field(default_factory=dict)

    @property
    def history(self) -> list[dict[str, Any]]:
        """The rounds in order."""
        return [self.rounds[number] for number in sorted(self.rounds)]


def read_outputs(
    connection: sqlite3.Connection, directory: Path, *, into: Outputs | None = None, after: int = 0
) -> Outputs:
    """Read the outputs that a campaign keeps.

    Args:
        connection: of the ledger.
        directory: of the campaign.
        into: what was read before.
        after: the row that was read last then.
    """
    found, blobs = into or Outputs(), BlobDirectory(directory / "blobs")
    rows = connection.execute(f"SELECT rowid, doc FROM {OUTPUTS} WHERE rowid > ? ORDER BY rowid", (after,))
    for number, text in rows:
        try:
            document = parsed(text)
            output = document["output"]
            if MARK in text and _worth_hydrating(output):
                output = hydrate(output, blobs)
            any(take(found, str(document.get("name") or ""), output) for take in _TAKERS)
        except Exception as error:  # noqa: BLE001 (one of a strange form must not cost the report)
            found.unread[f"output {number}"] = f"{type(error).__name__}: {error}"[:200]
    return found


# A figure of a report needs no arrays: only what may hold crystals is read from its files.
def _worth_hydrating(output: Any) -> bool:
    first = output[0] if isinstance(output, list) and output else output
    return isinstance(first, dict) and (
        first.keys() >= VERDICT or first.keys() >= RECORD or "verdicts" in first
    )


# ── what an output may be: each takes what it knows, and says whether it did ─────────────────────────


def _verdicts(found: Outputs, _: str, output: Any) -> bool:
    every = output.get("verdicts") if isinstance(output, dict) else output
    if not isinstance(every, list):
        return False
    if not every or not isinstance(every[0], dict) or not every[0].keys() >= VERDICT:
        return False
    for one in every:
        found.candidates.add(one)
    return True


def _record(found: Outputs, _: str, output: Any) -> bool:
    many = output if isinstance(output, list) else [output]
    if not many or not isinstance(many[0], dict) or not many[0].keys() >= RECORD:
        return False
    for one in many:
        _label(found, one)
    return True


def _label(found: Outputs, one: Mapping[str, Any]) -> None:
    symbols = one["geometry"]["symbols"]
    provenance = one.get("provenance") or {}
    found.labels += 1
    found.seconds += provenance.get("seconds") or 0.0
    found.cpu_seconds += provenance.get("cpu_seconds") or 0.0
    found.theories[orjson.dumps(one["theory"], option=orjson.OPT_SORT_KEYS).decode()] += 1
    found.elements.update(set(symbols))
    quality = one.get("quality") or {}
    if quality and not quality.get("accepted", True):
        _refuse(found, one["identifier"], "; ".join(quality.get("reasons") or ()))
    elif (energy := one.get("energy_free")) is not None and symbols:
        per_atom = energy / len(symbols)
        found.best_labels.add(
            per_atom,
            {"identifier": one["identifier"], "geometry": one["geometry"], "energy_per_atom": per_atom},
        )


def _refuse(found: Outputs, name: str, why: str) -> None:
    if name not in found.refused:
        found.refused_count += 1
        if len(found.refused) < REFUSED_KEPT:
            found.refused[name] = why


def _round(found: Outputs, _: str, output: Any) -> bool:
    if not isinstance(output, dict) or not output.keys() >= _ROUND:
        return False
    number = output["round"]
    found.rounds[number] = output
    if isinstance(outcome := output.get("discovery"), dict):
        found.funnels[number] = outcome["funnel"]
        if number == max(found.funnels):
            found.outcome = outcome
    for name, why in (output.get("refused") or {}).items():
        _refuse(found, name, str(why))
    return True


def _loop(found: Outputs, _: str, output: Any) -> bool:
    if not isinstance(output, dict) or not {"stopped", "rounds"} <= output.keys():
        return False
    found.stopped = str(output["stopped"])
    for one in output["rounds"]:
        _round(found, "", one)
    return True


def _explored(found: Outputs, _: str, output: Any) -> bool:
    if not isinstance(output, dict) or not {"candidates", "counts"} <= output.keys():
        return False
    found.proposed.update({key: n for key, n in output["counts"].items() if isinstance(n, int)})
    return True


def _transfer(found: Outputs, _: str, output: Any) -> bool:
    if not isinstance(output, dict) or not {"rows", "pretrained"} <= output.keys():
        return False
    found.transfer = output
    return True


def _trained(found: Outputs, name: str, output: Any) -> bool:
    if not isinstance(output, dict):
        return False
    if isinstance(output.get("properties"), dict) and "model" in output:
        found.judged.append(output)
        return True
    card = output.get("card")
    if not isinstance(card, dict) or "kind" not in card:
        return False
    found.models[str(output.get("folder") or name)] = card
    return True


def _gathered(found: Outputs, _: str, output: Any) -> bool:
    if not isinstance(output, dict) or not {"accepted", "refused", "records"} <= output.keys():
        return False
    for name, why in output["refused"].items():
        _refuse(found, name, str(why))
    return True


def _last(found: Outputs, name: str, output: Any) -> bool:
    rows = output if isinstance(output, list) else [output]
    simple = (str, int, float, bool, type(None))
    if not rows or len(rows) > _RESULT_ROWS:
        return False
    if all(isinstance(row, dict) and row for row in rows):
        plain = [{k: v for k, v in row.items() if isinstance(v, simple) and k[:1] != "@"} for row in rows]
        if all(plain) and not any("@class" in row for row in rows):
            found.result = (name, plain if isinstance(output, list) else plain[0])
            return True
    elif isinstance(output, int | float) and not isinstance(output, bool):
        found.result = (name, {"output": output})
        return True
    return False


_TAKERS: Final[tuple[Callable[[Outputs, str, Any], bool], ...]] = (
    _verdicts, _record, _round, _loop, _explored, _transfer, _trained, _gathered, _last,
)  # fmt: skip
