"""What a round has come to: the committee on held-out labels, its deviations calibrated, what was spent."""

# A atoms, G structures

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jobflow import job

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.datasets import open_dataset
from zonemelt.tasks.metrics.calibration import ence, miscalibration_area
from zonemelt.tasks.metrics.energies_forces import mean_errors
from zonemelt.tasks.potentials.load import load_potential

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zonemelt.tasks.datasets import Dataset
    from zonemelt.tasks.potentials.committee import Committee
    from zonemelt.tasks.records import Record

_LEAST = 1e-6  # eV/Å: a smaller deviation is not believed


def known_to(committee: Committee, records: Iterable[Record]) -> list[Record]:
    """Those whose elements a committee was trained on: the only label with one may be yet to come."""
    return [one for one in records if set(one.geometry.symbols) <= committee.elements]


def judge_committee(committee: Committee, records: list[Record]) -> dict[str, float]:
    """Errors of the mean of a committee on labelled structures, and how well it knows them.

    Returns:
        Mean absolute errors and roots of mean squares of energies per atom and of components of forces, with
        units; ``deviation factor``, what deviations of forces must be multiplied with so that their mean
        square is that of the errors; ``miscalibration`` and ``ence`` after that (see :mod:`.calibration`).
    """
    crystals = Crystals.of(record.geometry for record in records)
    found, spread = committee.evaluate_with_spread(crystals)
    assert found.forces_A3 is not None
    energies_G = np.array([record.energy_free for record in records], float)
    errors_G = (found.energies_G - energies_G) / crystals.sizes_G
    errors_A3 = found.forces_A3 - np.concatenate([np.array(record.forces) for record in records])
    metrics = mean_errors({"energy": errors_G, "forces": errors_A3})
    deviations_A = np.maximum(spread.forces_A, _LEAST)
    factor = float(np.sqrt((errors_A3**2).sum() / (deviations_A**2).sum()))
    metrics["deviation factor"] = factor
    components = np.repeat(factor * deviations_A / np.sqrt(3), 3)
    flat = errors_A3.reshape(-1)
    metrics["miscalibration"] = miscalibration_area(flat, components)
    if (found_ence := ence(flat, components)) is not None:
        metrics["ence"] = found_ence
    return metrics


def surprise(committee: Committee, records: list[Record], factor: float) -> float | None:
    """By how many calibrated deviations labels differ from what a committee said before it had seen them.

    The root of the mean over structures, whose error and deviation are roots of means over atoms. About 1 is
    right; much more: the committee agrees on something that is wrong.
    """
    if not records:
        return None
    crystals = Crystals.of(record.geometry for record in records)
    found, spread = committee.evaluate_with_spread(crystals)
    assert found.forces_A3 is not None
    errors_A = ((found.forces_A3 - np.concatenate([np.array(r.forces) for r in records])) ** 2).sum(axis=1)
    errors_G = np.add.reduceat(errors_A, crystals.first_G[:-1])
    deviations_G = np.add.reduceat((factor * spread.forces_A) ** 2, crystals.first_G[:-1])
    return float(np.sqrt(np.mean(errors_G / np.maximum(deviations_G, _LEAST**2))))


@dataclass(frozen=True, kw_only=True)
class Round:
    """What there is of a round when what it learnt is judged.

    Attributes:
        number: of the round; 0 is what the campaign begins with.
        gathered: labels of the round, what :func:`.gather.gather_job` returned.
        committee: what was trained on them: its ``folder``, and what else was learnt.
        heldout: ``dataset`` and ``version`` of labels that are never learnt from; None where there are none.
        choices: what those returned that were made in the round, the last one last.
        before: the document of the round before.
        steered: values that a person has changed, in effect in this round.
        nodes: of each label.
    """

    number: int
    gathered: Mapping[str, Any]
    committee: Mapping[str, Any]
    heldout: Mapping[str, Any] | None
    choices: Sequence[Mapping[str, Any]]
    before: Mapping[str, Any] | None
    steered: Mapping[str, Any]
    nodes: int = 1

    def labels(self) -> Dataset:
        """All that is labelled now."""
        return open_dataset(self.gathered["dataset"], self.gathered["version"])

    def held(self) -> Dataset | None:
        """The labels that are never learnt from."""
        return (
            None if self.heldout is None else open_dataset(self.heldout["dataset"], self.heldout["version"])
        )


def round_document(
    done: Round, errors: Mapping[str, float], *, surprised: float | None = None
) -> dict[str, Any]:
    """All there is to say about a round: what reports read, and what decides how it goes on.

    Args:
        done: the round.
        errors: on held-out labels, see :func:`judge_committee`.
        surprised: see :func:`surprise`.
    """
    gathered, before, choices = done.gathered, done.before, done.choices
    earlier = before["spent"] if before else {"labels": 0, "node_hours": 0.0, "cpu_hours": 0.0, "asked": 0}
    choice = choices[-1] if choices else None
    labels = len(gathered["accepted"]) + len(gathered["refused"])
    first = labels + len(gathered["failed"]) + len(gathered["pending"])
    deviation = (choice or {}).get("summary", {}).get("deviation_95")
    factor = errors.get("deviation factor")
    return {
        "round": done.number,
        "dataset": gathered["dataset"],
        "version": gathered["version"],
        "records": gathered["records"],
        "quarantine": gathered["quarantine"],
        "accepted": gathered["accepted"],
        "refused": gathered["refused"],
        "failed": gathered["failed"],
        "pending": gathered["pending"],
        "label_seconds": gathered["seconds"],
        "committee": done.committee["folder"],
        "heldout": dict(errors),
        "choice": (choice or {}).get("summary", {}),
        "exhausted": choice is not None and not choice["chosen"],
        "uncertainty": None if deviation is None or factor is None else factor * deviation,
        "surprise": surprised,
        "steered": dict(done.steered),
        "spent": {
            "labels": earlier["labels"] + labels,
            "asked": max(earlier["asked"], (choice or gathered).get("asked", first)),
            "node_hours": earlier["node_hours"] + done.nodes * gathered["seconds"] / 3600,
            "cpu_hours": earlier["cpu_hours"] + gathered["cpu_seconds"] / 3600,
        },
    }


@job
def judge_job(*, done: dict[str, Any]) -> dict[str, Any]:
    """Judge the committee of a round on held-out labels whose elements it knows; see :func:`round_document`.

    Args:
        done: a :class:`Round`.
    """
    this = Round(**done)
    held, before, accepted = this.held(), this.before, set(this.gathered["accepted"])
    assert held is not None
    judged: Any = load_potential(this.committee["folder"], dtype="float64")
    known = known_to(judged, held.records())
    errors = judge_committee(judged, known) if known else dict[str, float]()
    surprised = None
    factor = before["heldout"].get("deviation factor") if before else None
    if before and accepted and factor is not None:
        earlier: Any = load_potential(before["committee"], dtype="float64")
        new = [record for record in this.labels().records() if record.identifier in accepted]
        surprised = surprise(earlier, known_to(earlier, new), factor)
    return round_document(this, errors, surprised=surprised)
