"""Potentials of acetylacetone: ``python -m benchmarks.potentials --only acac``.

Trained on 500 geometries at 300 K, judged on others at 300 K and, to extrapolate, at 600 K (Batatia et al.,
arXiv 2205.06643). A seeded tenth of the training part is held back to choose the ridge or the epoch by.
Published: table 3 of the MACE paper (NeurIPS 2022), with networks many times as large, trained for hours on
an accelerator; ours is what some minutes of one core reach.
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
    from collections.abc import Iterator, Mapping

    from zonemelt.tasks.featurize.graphs import Edges
    from zonemelt.tasks.potentials.potential import Potential

HELD, SEED = 50, 0
EPOCHS = 450
FILES: Final = {"train": "train_300K", "300 K": "test_MD_300K", "600 K": "test_MD_600K"}
# Root mean square errors of energies, meV, and forces, meV/Å: of NequIP, and of MACE for the notes.
PUBLISHED: Final = {"300 K": (0.81, 5.90), "600 K": (6.04, 27.8)}
MACE: Final = {"300 K": (0.9, 5.1), "600 K": (4.6, 22.4)}


def rows(quick: bool) -> Iterator[Row]:
    """Errors of the network and of the linear potential."""
    places = {part: data("05_acac", f"{name}.extxyz.gz") for part, name in FILES.items()}
    if None in places.values():
        yield absent("acac", "meV/Å", quick=quick)
        return
    parts = {
        part: frames(place)[:: 25 if quick else 1] for part, place in places.items() if place is not None
    }
    for name, fit in FITS.items():
        say(f"acac: {name}")
        with tempfile.TemporaryDirectory() as folder:
            began = time.process_time()
            potential, about = fit(parts["train"], Path(folder), quick=quick)
            seconds = time.process_time() - began
            yield from _judged(name, potential, parts, seconds, about, quick=quick)


def _judged(
    name: str, potential: Potential, parts: Mapping[str, Any], seconds: float, about: str, *, quick: bool
) -> Iterator[Row]:
    from zonemelt.tasks.crystals import Crystals

    for part, (energy, force) in PUBLISHED.items():
        some = parts[part]
        said = potential.evaluate(Crystals.of_atoms(some))
        errors = (
            said.energies_G - [one.get_potential_energy() for one in some],
            said.forces_A3 - np.concatenate([one.get_forces() for one in some]),
        )
        for what, unit, error, published, mace in (
            ("energy", "meV", errors[0], energy, MACE[part][0]),
            ("forces", "meV/Å", errors[1], force, MACE[part][1]),
        ):
            yield Row(
                name=f"acac {part}, {name}, {what}, RMSE", unit=unit,
                ours=1000 * float(np.sqrt(np.mean(error**2))), peer=published, peer_name="NequIP",
                target=f"ours <= {published}" if what == "forces" else "", seconds=seconds, quick=quick,
                note=f"{about}; {len(parts['train'])} training geometries, {seconds:.0f} CPU s; MACE {mace}",
            )  # fmt: skip


def network(train: Any, folder: Path, *, quick: bool) -> tuple[Potential, str]:
    """A small equivariant network."""
    from zonemelt.tasks.potentials.architecture import PotentialArchitecture
    from zonemelt.tasks.potentials.fitting.objective import Terms
    from zonemelt.tasks.potentials.fitting.training import train_potential
    from zonemelt.tasks.potentials.load import load_potential
    from zonemelt.tasks.theory import Theory
    from zonemelt.tasks.train.ranks import joined
    from zonemelt.tasks.train.settings import TrainSettings

    architecture = PotentialArchitecture(cutoff=5.0, channels=(32, 32, 32), layers=3)
    settings = TrainSettings(
        seed=SEED, epochs=2 if quick else EPOCHS, batch_size=5, learning_rate=1e-2, schedule="linear",
        optimizer="adam", weight_decay=0.0, ema=0.99,
    )  # fmt: skip
    terms = Terms(weights={"energy": 1.0, "forces": 1.0}, final_weights={"energy": 100.0, "forces": 1.0})
    labelled, split = _split(train, folder, architecture.edges)
    with joined(device="cpu") as ranks:
        train_potential(
            labelled, split, architecture, settings, terms,
            theory=Theory(code="orca", functional="PBE"), ranks=ranks, directory=folder / "potential",
        )  # fmt: skip
    found = load_potential(str(folder / "potential"), dtype="float64")
    return found, f"{settings.epochs} epochs of a network of {architecture.layers} layers"


def linear(train: Any, folder: Path, *, quick: bool) -> tuple[Potential, str]:
    """Products of up to four sums over neighbours, fitted by least squares."""
    from zonemelt.tasks.featurize.graphs import Edges
    from zonemelt.tasks.potentials.fitting.linear_fit import fit_linear
    from zonemelt.tasks.potentials.linear import Basis
    from zonemelt.tasks.potentials.load import load_potential
    from zonemelt.tasks.theory import Theory

    basis = Basis(cutoff=4.5, radial=6, degree=3, higher=(5, 3))
    if quick:
        basis = Basis(cutoff=4.5, radial=4, degree=2)
    labelled, split = _split(train, folder, Edges(cutoff=basis.cutoff, k=None))
    card = fit_linear(
        labelled, split, basis, theory=Theory(code="orca", functional="PBE"), directory=folder / "potential",
        energy_weight=1000.0, refit=True,
    )  # fmt: skip
    functions = len(card.basis.elements) * card.basis.features
    return load_potential(str(folder / "potential"), dtype="float64"), f"{functions} functions"


def _split(train: Any, folder: Path, edges: Edges) -> tuple[Any, dict[str, Any]]:
    kept, held = held_out(len(train), min(HELD, len(train) // 5), SEED)
    return collection(train, edges, folder / "graphs"), {"train": kept, "validation": held}


FITS: Final = {"network": network, "linear": linear}
