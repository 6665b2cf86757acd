"""Potentials of Cu, Ni, Li and Si: ``python -m benchmarks.potentials --only mlearn``.

The official test parts of mlearn (Zuo et al., J. Phys. Chem. A 124, 731 (2020)); one configuration for all. A
seeded part of each training part is held back to choose the ridge, and then joins it; the test part is judged
once. The data are looked for in ``$ZONEMELT_DATA``, else in ``../shared/data``.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from benchmarks.data_files import absent, data, frames
from benchmarks.potentials_data import collection, held_out
from benchmarks.report import Row, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HELD, SEED = 16, 0
BASIS: Final = {"cutoff": 5.0, "radial": 10, "degree": 5, "higher": (10, 8)}
ENERGY_WEIGHT = 100.0
# Least force errors on the test parts among the leaderboard's rows, eV/Å.
PUBLISHED: Final = {
    "Cu": (0.0177, "MatGL"), "Ni": (0.0618, "SNAP"), "Li": (0.0273, "SNAP"), "Si": (0.0694, "ALIGNN-FF"),
}  # fmt: skip
# Energy errors of the moment tensor potential, meV/atom, as the examples of ACEpotentials.jl quote Zuo et al.
MTP: Final = {"Cu": 0.41, "Ni": 0.48, "Li": 0.49, "Si": 2.21}


def rows(quick: bool) -> Iterator[Row]:
    """Force and energy errors of each element."""
    for element in ("Cu",) if quick else PUBLISHED:
        places = [data("04_mlearn", f"{element}_{part}.extxyz.gz") for part in ("train", "test")]
        if None in places:
            yield absent(f"mlearn {element}", "eV/Å", quick=quick)
            continue
        say(f"mlearn {element}")
        yield from _element(element, [place for place in places if place is not None], quick=quick)


def _element(element: str, places: Sequence[Path], *, quick: bool) -> Iterator[Row]:
    from zonemelt.tasks.featurize.graphs import Edges
    from zonemelt.tasks.potentials.fitting.linear_fit import fit_linear
    from zonemelt.tasks.potentials.linear import Basis
    from zonemelt.tasks.theory import Theory

    train, test = (frames(place)[:: 8 if quick else 1] for place in places)
    basis = Basis(**(BASIS | {"radial": 6, "degree": 4, "higher": (6,)} if quick else BASIS))
    kept, held = held_out(len(train), HELD, SEED)
    split = {"train": kept, "validation": held, "test": len(train) + np.arange(len(test))}
    with tempfile.TemporaryDirectory() as folder:
        edges = Edges(cutoff=basis.cutoff, k=None)
        began = time.process_time()
        card = fit_linear(
            collection([*train, *test], edges, Path(folder, "graphs")), split, basis,
            theory=Theory(code="vasp", functional="PBE"), directory=Path(folder, "linear"),
            energy_weight=ENERGY_WEIGHT, refit=True,
        )  # fmt: skip
        seconds = time.process_time() - began
    published, whose = PUBLISHED[element]
    note = (
        f"{len(train)} training and {len(test)} test structures, {card.basis.features} functions, ridge"
        f" {card.ridge:g}, {seconds:.0f} CPU s"
    )
    common: dict[str, Any] = {"seconds": seconds, "quick": quick, "note": note}
    yield Row(
        name=f"mlearn {element}, forces, MAE", unit="eV/Å", ours=card.metrics["test forces mae (eV/Å)"],
        peer=published, peer_name=f"{whose} (JARVIS leaderboard)", target=f"ours <= {published}", **common,
    )  # fmt: skip
    yield Row(
        name=f"mlearn {element}, energy, MAE", unit="meV/atom",
        ours=1000 * card.metrics["test energy mae (eV/atom)"], peer=MTP[element],
        peer_name="MTP (ACEpotentials.jl, zuobench)", target="ours <= 5" if element == "Si" else "", **common,
    )  # fmt: skip
