"""Matbench's phonons from the vibrations that foundation potentials predict.

The label is the highest peak of the phonon density of states. Two potentials give the vibrations at Γ;
classical models learn what is missing to the label: the difference to the highest frequency of one of them.
Both were trained on energies, forces and stresses of relaxations of the Materials Project: on no phonons, but
on many of the same crystals. Which families take part was settled after trials whose test errors were seen;
their settings and the weights of the stack come from training rows.
"""

# N structures, F features

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from benchmarks.data_files import absent
from benchmarks.learn_matbench import ORDER, phonon_folds, phonons, published
from benchmarks.report import Row, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from benchmarks.learn_speed_data import Structures
    from numpy.typing import NDArray

POTENTIALS: Final = ("sevennet-l3i5", "sevennet-0")
BASELINE: Final = "highest"  # cm⁻¹, of the first: the column whose difference to the label is learned
_TOGETHER: Final = 8  # structures whose features are written as one file
VIBRATIONS, COMPOSITION = "vibrations", "magpie"
MODELS: Final[list[dict[str, Any]]] = [
    {
        "name": "extra trees", "family": "extra_trees", "blocks": [VIBRATIONS, COMPOSITION],
        "settings": {"n_estimators": 200, "max_features": 0.5}, "grid": {"centre": ["mean", "median"]},
    },
    {"name": "gp of vibrations", "family": "gaussian_process", "blocks": [VIBRATIONS], "grid": {}},
    {"name": "gp of all", "family": "gaussian_process", "blocks": [VIBRATIONS, COMPOSITION], "grid": {}},
    {"name": "svr", "family": "svr", "blocks": [VIBRATIONS, COMPOSITION], "grid": {"C": [1.0, 3.0]}},
]  # fmt: skip


def features(
    found: Structures, name: str, folder: Path
) -> tuple[NDArray[np.float64], tuple[str, ...], float]:
    """The features (N, F) of all structures by a potential, their names, and seconds of processor time.

    What an earlier run has written into the folder is not computed again.
    """
    from safetensors.numpy import load_file, save

    from zonemelt.tasks.atomistic.vibration_features import vibration_features
    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.potentials.load import load_potential
    from zonemelt.tasks.whole_files import write_whole

    potential = load_potential(name)
    folder.mkdir(parents=True, exist_ok=True)
    names: tuple[str, ...] = ()
    parts, seconds = [], 0.0
    for start in range(0, len(found.atoms_G), _TOGETHER):
        place = folder / f"{start:06d}.safetensors"
        if not place.exists():
            began = time.process_time()
            some = Crystals.of_atoms(found.atoms_G[start : start + _TOGETHER])
            values_NF, names = vibration_features(potential, some)
            took = np.array([time.process_time() - began])
            columns = {name: np.ascontiguousarray(values_NF[:, i]) for i, name in enumerate(names)}
            write_whole(place, save({**columns, "seconds": took}))
            if start % (20 * _TOGETHER) == 0:
                say(f"{name}: vibrations of {start} of {len(found.atoms_G)} structures")
        columns = load_file(place)
        seconds += float(columns.pop("seconds")[0])
        names = tuple(sorted(columns))
        parts.append(np.stack([columns[name] for name in names], axis=1))
    return np.concatenate(parts), names, seconds


def rows(quick: bool, work: Path) -> Iterator[Row]:
    """Each model and their stack, by nested cross-validation over the official folds."""
    from zonemelt.tasks.featurize.fractions import composition_blocks
    from zonemelt.tasks.learn.nested import Protocol
    from zonemelt.tasks.learn.property_table import PropertyTable
    from zonemelt.tasks.learn.studies import compare

    common: dict[str, Any] = {"unit": "cm^-1", "quick": quick}
    found = phonons(60 if quick else None)
    if found is None:
        yield absent("matbench_phonons, vibrations", **common)
        return
    each = [features(found, name, work / "vibrations" / name) for name in POTENTIALS]
    values_NF = np.hstack([values for values, _, _ in each])
    names = [f"{called} ({by})" for by, (_, own, _) in zip(POTENTIALS, each, strict=True) for called in own]
    seconds = sum(took for _, _, took in each)
    baseline_N = values_NF[:, each[0][1].index(BASELINE)]
    formulas = [atoms.get_chemical_formula() for atoms in found.atoms_G]
    composition = composition_blocks(formulas, blocks=[COMPOSITION])
    ready = PropertyTable.of(
        {
            "values": np.hstack([values_NF, composition["values"]]),
            "labels": [*names, *composition["labels"]],
            "blocks": {
                VIBRATIONS: (0, len(names)),
                COMPOSITION: (len(names), len(names) + len(composition["labels"])),
            },
            "target": found.values_G - baseline_N,
            "folds": phonon_folds(len(formulas)),
            "unit": "cm^-1",
        }
    )
    began = time.process_time()
    theirs = published("phonons")
    summary, _ = compare(
        ready, MODELS, task="phonons", protocols=[Protocol(inner=3)], published=theirs, stack=True
    )
    took = seconds + time.process_time() - began
    best = min(theirs, key=lambda one: float(one["mae"]))
    yield Row(
        name="matbench_phonons, highest frequency of the potential itself",
        ours=float(np.abs(ready.target_N).mean()), seconds=each[0][2],
        note=f"{POTENTIALS[0]}, Γ only, nothing learned, {each[0][2]:.0f} s of processor time", **common,
    )  # fmt: skip
    for name, one in summary["models"].items():
        mae, doubt = one["mae"], one["uncertainty"]
        yield Row(
            name=f"matbench_phonons, vibrations, {name}", ours=mae["mean"], peer=best["mae"],
            peer_name=f"{best['algorithm']}, the best ({best['source']})", seconds=took,
            target="ours <= 30" if name in ORDER else "",
            note=(
                f"official folds, ± {mae['std']:.3g} over them; {_doubt(doubt)}; "
                f"with {' and '.join(POTENTIALS)}, {took:.0f} s of processor time in all"
            ), **common,
        )  # fmt: skip


def _doubt(found: Mapping[str, float | None]) -> str:
    """How far deviations and intervals can be trusted; what so few rows do not tell is left out."""
    names = {"ence": "ENCE", "miscalibration_area": "area", "spearman": "Spearman", "coverage": "within 0.9"}
    return ", ".join(f"{said} {found[name]:.3g}" for name, said in names.items() if found[name] is not None)
