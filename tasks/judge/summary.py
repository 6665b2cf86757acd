"""What a campaign found, as one dictionary: the report and the console read nothing else."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from jobflow import job

from zonemelt.tasks.judge.metrics import spread
from zonemelt.tasks.label.registry import oracle_named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PACKAGES: Final = ("zonemelt", "jobflow", "pymatgen", "ase", "dscribe", "scikit-learn", "numpy")


def learning_curves(arms: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Strategy → one entry a round: labels chosen, held-out error's mean and spread over seeds.

    Errors are mean absolute errors in eV/atom.
    """
    curves = {}
    for strategy in dict.fromkeys(arm["strategy"] for arm in arms):
        histories = [arm["history"] for arm in arms if arm["strategy"] == strategy]
        curves[strategy] = [
            {
                "round": number,
                "labels": entries[0]["labels"],
                "values": [entry["mae"] for entry in entries],
                **spread([entry["mae"] for entry in entries]),
                "heldout_error": sum(entry["mae_error"] for entry in entries) / len(entries),
                "coverage": sum(entry["coverage"] for entry in entries) / len(entries),
            }
            for number, entries in enumerate(zip(*histories, strict=True))
        ]
    return curves


def notes(curves: Mapping[str, Sequence[Mapping[str, Any]]], *, oracle: str) -> list[str]:
    """What a reader must know, said from the numbers."""
    said = []
    chosen = oracle_named(oracle)
    if not chosen.is_dft:
        said.append(f"The oracle was {chosen.title}: the numbers show the machinery, not the materials.")
    main, *controls = curves
    first, last = curves[main][0]["mean"], curves[main][-1]["mean"]
    verb = "fell" if last < first else "did NOT fall"
    said.append(
        f"With {main} selection the error on held-out labels {verb}: from {1000 * first:.1f} to "
        f"{1000 * last:.1f} meV/atom, mean over {len(curves[main][0]['values'])} repetition(s)."
    )
    said.extend(_compared(curves[main][-1], curves[c][-1], main, c) for c in controls)
    said.append(
        "Every crystal keeps its ideal or rattled positions: nothing was relaxed, so energies above the "
        "hull are those of these cells, and the hull is that of fcc orderings of this size only."
    )
    return said


def _compared(main: Mapping[str, Any], control: Mapping[str, Any], name: str, other: str) -> str:
    """Whether the last errors differ by more than their spread over the repetitions."""
    difference = 1000 * (control["mean"] - main["mean"])
    pairs = [c - m for m, c in zip(main["values"], control["values"], strict=True)]
    wins = sum(pair > 0 for pair in pairs)
    text = (
        f"After the last round {name} selection was {abs(difference):.1f} meV/atom "
        f"{'better' if difference > 0 else 'worse'} than {other} selection, and better in {wins} of "
        f"{len(pairs)} repetition(s)"
    )
    if main["std"] is None or control["std"] is None:
        return f"{text}; one repetition tells no spread, so this decides nothing."
    pooled = 1000 * ((main["std"] ** 2 + control["std"] ** 2) / len(pairs)) ** 0.5
    verdict = "more than" if abs(difference) > 2 * pooled else "within"
    return f"{text}; that is {verdict} two standard errors ({2 * pooled:.1f} meV/atom)."


@job
def summarize_job(
    *, maker: dict[str, Any], references: dict[str, Any], plan: dict[str, Any], outcome: dict[str, Any]
) -> dict[str, Any]:
    """Gather the result of an active-learning campaign.

    Args:
        maker: the ActiveLearningMaker as a dictionary.
        references: what ``fit_references_job`` returned.
        plan: what ``enumerate_job`` returned.
        outcome: ``arms`` after their last training, and ``final``: labels and hull.

    Returns:
        A dictionary with energies in eV/atom and times in seconds.
    """
    asked = maker if isinstance(maker, dict) else maker.as_dict()
    arms, labels, hull = outcome["arms"], outcome["final"]["labels"], outcome["final"]["hull"]
    curves = learning_curves(arms)
    oracle = oracle_named(asked["oracle"])
    main = arms[0]
    truth = labels["energies"]
    stable = sorted(hull["labelled"], key=lambda row: (row["above_hull"], row["formation_energy"]))
    seconds = list(labels["seconds"].values())
    return {
        "campaign": asked["name"],
        "kind": "active_learning",
        "oracle": {"name": oracle.name, "title": oracle.title, "is_dft": oracle.is_dft},
        "theory": references["level"] | {"key": references["theory"]},
        "elements": asked["elements"],
        "references": references["elements"],
        "counts": {
            "candidates": len(plan["candidates"]),
            "pool": len(plan["pool"]),
            "heldout": len(plan["heldout"]),
            "references": len(references["seconds"]),
            "labels": len(labels["seconds"]) - len(references["seconds"]),
            "rejected": len(labels["rejected"]),
        },
        "rejected": labels["rejected"],
        "heldout_orderings": plan["heldout_orderings"],
        "pairs_compared": plan["pairs_compared"],
        "learning": curves,
        "parity": {
            name: [
                {"identifier": key, "label": truth[key], "predicted": row[0], "deviation": row[1]}
                for key, row in predictions.items()
            ]
            for name, predictions in (
                ("before", main["first_predictions"]),
                ("after", main["heldout_predictions"]),
            )
        },
        "hull": hull,
        "stable": stable[:8],
        "model": main["card"],
        "notes": notes(curves, oracle=oracle.name),
        "seed": asked["seed"],
        "seconds": {
            "labels": sum(seconds),
            "cpu": sum(labels["cpu_seconds"].values()),
            "slowest": max(seconds),
            "mean": sum(seconds) / len(seconds),
        },
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
    }
