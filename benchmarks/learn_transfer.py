"""Transfer between properties: ``python -m benchmarks.learn_transfer [--quick] [--json] [--only gv-100 …]``.

The published splits of S. Devi, K. T. Butler, G. Sai Gautam, npj Computational Materials 10, 300 (2024):
shear moduli (gv), phonon peaks (ph), dielectric constants (dc) and experimental band gaps (ebg), 100 or 800
labels, five trials, and band gaps of two-dimensional crystals (jarvis2d). Errors are scaled as there.

A network is pre-trained on other properties; a target is learned by forests and Gaussian processes of
compositions, structures and, with transfer, what the network makes of a crystal. *Scratch* is the same
without the network; *with a potential*, the layers of SevenNet-0 describe the crystals, too. Weights of the
models come from predictions of training samples that were left out in turn, pooled over the trials; test
parts are asked once. The data are looked for in ``$ZONEMELT_DATA``, else in ``../shared/data``; models are
kept in ``--directory``, and one that is there is used again.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from benchmarks.data_files import absent, data
from benchmarks.report import Row, as_json, as_table, machine, say, spread
from benchmarks.transfer_data import FOLDER, JARVIS, SIZES, TARGETS, collection, published
from benchmarks.transfer_models import (
    ALL,
    FEW,
    SCRATCH,
    TRANSFER,
    TREES,
    Trial,
    candidates,
    described,
    trials_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

UNIT = "scaled MAE"
OURS = "our scratch"
JARVIS_MPT = "MPT of all seven properties, 0.1246 / 0.671"
STACKS = {"scratch": SCRATCH, "transfer": TRANSFER, "transfer with a potential": ALL}
CELLS = [f"{target}-{size}" for target in TARGETS for size in SIZES] + ["jarvis2d"]


def weighed(
    trials: Sequence[Trial],
    found: Sequence[tuple[Mapping[str, Floats], Mapping[str, Floats]]],
    names: set[str],
) -> dict[str, Any]:
    """The stack of some models: errors on the test part in each trial, and what it was made of."""
    from zonemelt.tasks.learn.stacking import weights_of

    models = [name for name in found[0][0] if name.split(" ", 1)[0] in names]
    y_N = collection(trials[0].target).y_N
    left = np.hstack([[own[name] for name in models] for own, _ in found])
    weights = weights_of(np.concatenate([y_N[trial.learn] for trial in trials]), left)
    errors, r2 = [], []
    for trial, (_, asked) in zip(trials, found, strict=True):
        wanted = y_N[trial.test]
        wrong = weights @ np.array([asked[name] for name in models]) - wanted
        errors.append(float(np.abs(wrong).mean()))
        r2.append(1 - float((wrong**2).sum() / ((wanted - wanted.mean()) ** 2).sum()))
    used = {name: float(weight) for name, weight in zip(models, weights, strict=True) if weight > 0.005}
    return {"errors": errors, "r2": float(np.mean(r2)), "weights": used}


def measured(trials: Sequence[Trial], directory: Path, *, quick: bool) -> list[dict[str, Any]]:
    """The stacks of each of :data:`STACKS`, in their order."""
    target = trials[0].target
    rows = np.concatenate([part for trial in _all_trials(target) for part in (trial.learn, trial.test)])
    given = described(target, directory, rows=rows, quick=quick)
    trees = 20 if quick else TREES[len(trials[0].learn) <= FEW]
    found = [candidates(trial, given, ALL, trees=trees) for trial in trials]
    stacks = []
    for name, blocks in STACKS.items():
        one = weighed(trials, found, set(blocks))
        say(f"{target} {len(trials[0].learn)} {name}: {np.mean(one['errors']):.4f} of {_told(one)}")
        stacks.append(one)
    return stacks


def _told(one: Mapping[str, Any]) -> str:
    return ", ".join(f"{model} {weight:.2f}" for model, weight in one["weights"].items())


def _all_trials(target: str) -> list[Trial]:
    if target == JARVIS:
        return _jarvis_trials()
    return [trial for size in SIZES for trial in trials_of(target, size)]


def _jarvis_trials() -> list[Trial]:
    found = collection(JARVIS)
    return [Trial(target=JARVIS, number=number, learn=found.pool, test=found.test) for number in (1, 2, 3)]


def _row(name: str, one: Mapping[str, Any], **more: Any) -> Row:
    errors = one["errors"]
    return Row(name=name, unit=UNIT, ours=float(np.mean(errors)), spread=spread(errors), **more)


def cell_rows(target: str, size: int, directory: Path, *, quick: bool) -> Iterator[Row]:
    """One target and size: scratch and transfer beside published ones, and transfer beside scratch."""
    began = time.perf_counter()
    reference = published()[target, size]
    stacks = measured(trials_of(target, size)[: 1 if quick else None], directory, quick=quick)
    seconds = time.perf_counter() - began
    cell = f"{target} n={size}"

    def told(one: Mapping[str, Any], peer: Mapping[str, Any]) -> str:
        std = f"± {np.std(one['errors'], ddof=1):.4f}, " if len(one["errors"]) > 1 else ""
        return f"{std}R2 {one['r2']:.3f} (published {peer['r2']:.3f}, ± {peer['std']:.4f}); {_told(one)}"

    scratch, *others = stacks
    yield _row(
        f"{cell}, scratch", scratch, peer=reference["scratch"]["mae"], peer_name="published scratch",
        note=told(scratch, reference["scratch"]), quick=quick,
    )  # fmt: skip
    for name, one in zip(list(STACKS)[1:], others, strict=True):
        yield _row(
            f"{cell}, {name}", one, peer=reference["best"]["mae"],
            peer_name=f"best published: {reference['best']['name']}", target="ratio < 1",
            note=told(one, reference["best"]), seconds=seconds, quick=quick,
        )  # fmt: skip
        wins = sum(b < a for a, b in zip(scratch["errors"], one["errors"], strict=True))
        yield _row(
            f"{cell}, {name} over scratch", one, peer=float(np.mean(scratch["errors"])), peer_name=OURS,
            target="ratio < 1", note=f"better in {wins} of {len(one['errors'])} trials", quick=quick,
        )  # fmt: skip


def jarvis_rows(directory: Path, *, quick: bool) -> Iterator[Row]:
    """The test part of the two-dimensional crystals, 110 of them."""
    began = time.perf_counter()
    scratch, *others = measured(_jarvis_trials()[: 1 if quick else None], directory, quick=quick)
    seconds = time.perf_counter() - began
    yield _row(
        "jarvis2d, scratch", scratch, peer=0.1475, peer_name="published scratch",
        note=f"R2 {scratch['r2']:.3f}", quick=quick,
    )  # fmt: skip
    for name, one in zip(list(STACKS)[1:], others, strict=True):
        yield _row(
            f"jarvis2d, {name}", one, peer=0.1246, peer_name=JARVIS_MPT, target="ours <= 0.125",
            note=_told(one), seconds=seconds, quick=quick,
        )  # fmt: skip
        yield Row(
            name=f"jarvis2d, {name}, R2", unit="", ours=one["r2"], peer=0.671, peer_name=JARVIS_MPT,
            target="ours >= 0.671", quick=quick,
        )  # fmt: skip


def together(rows: Sequence[Row], *, quick: bool) -> Iterator[Row]:
    """How many cells are better than our scratch, and than all that is published."""
    cells = len(TARGETS) * len(SIZES)
    for stack in list(STACKS)[1:]:
        for ending, what, least in (
            (f", {stack} over scratch", "our scratch", cells),
            (f", {stack}", "the best published", 4),
        ):
            found = [row for row in rows if row.name.endswith(ending) and "n=" in row.name]
            if len(found) == cells:
                yield Row(
                    name=f"cells better than {what}, {stack}", unit="cells of 8",
                    ours=float(sum(row.met is True for row in found)), target=f"ours >= {least}", quick=quick,
                    note="pre-trained on up to 21,000 labels of properties here, on up to 132,000 there",
                )  # fmt: skip


def rows(only: Sequence[str], directory: Path, *, quick: bool) -> list[Row]:
    """All measurements asked for."""
    if data(FOLDER, "gv.jsonl.gz") is None:
        return [absent("transfer", UNIT, quick=quick)]
    found: list[Row] = []
    for cell in only:
        target, _, size = cell.partition("-")
        if target == "jarvis2d":
            found += jarvis_rows(directory, quick=quick)
        else:
            found += cell_rows(target, int(size), directory, quick=quick)
    return [*found, *together(found, quick=quick)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and report."""
    import torch

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.learn_transfer", description=__doc__.split(":")[0]
    )
    parser.add_argument(
        "--quick", action="store_true", help="one trial, hardly pre-trained; not to be quoted"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--only", nargs="+", choices=CELLS, help="cells to be measured")
    parser.add_argument("--directory", type=Path, help="of the pre-trained models, to be used again")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    about = machine()
    only = given.only or (["ph-100"] if given.quick else CELLS)
    with tempfile.TemporaryDirectory() as scratch:
        found = rows(only, given.directory or Path(scratch), quick=given.quick)
    print(as_json(found, about=about) if given.json else as_table(found))


if __name__ == "__main__":
    main()
