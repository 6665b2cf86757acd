"""SevenNet-0, fine-tuned: ``python -m benchmarks.potentials --only finetune``.

A seeded half of ``mpf-alkali-TP`` (alkali chemistries at high temperatures and pressures, shipped with
MatterSim) is trained on, and growing parts of it; the other half and a seeded 100 of ``random-TP`` (other
chemistries) are judged. Nothing is chosen by what comes out.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from benchmarks.data_files import absent, data, frames
from benchmarks.potentials_data import collection
from benchmarks.report import Row, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zonemelt.tasks.potentials.potential import Potential

SEED, EPOCHS, START = 0, 4, "sevennet-0"
SIZES: Final = (50, 115, 230)
SETS: Final = ("mpf-alkali-TP", "random-TP")


def rows(quick: bool) -> Iterator[Row]:
    """Force errors on both sets, before and after training on more and more structures."""
    places = [data("11_universal_mlip", f"{name}.extxyz.gz") for name in SETS]
    if None in places:
        yield absent("fine-tuning of SevenNet-0", "eV/Å", quick=quick)
        return
    from zonemelt.tasks.potentials.load import load_potential

    alkali, others = (frames(place) for place in places if place is not None)
    draw = np.random.default_rng(SEED)
    order, chosen = draw.permutation(len(alkali)), draw.permutation(len(others))
    half = len(alkali) // 2
    judged = {
        "the other half of mpf-alkali-TP": [alkali[place] for place in order[half:]][: 12 if quick else None],
        "random-TP": [others[place] for place in chosen[: 12 if quick else 100]],
    }
    before = {name: force_error(load_potential(START), some) for name, some in judged.items()}
    say(f"before: {before}")
    for size in (8,) if quick else SIZES:
        began = time.process_time()
        potential = tuned([alkali[place] for place in order[:size]], epochs=1 if quick else EPOCHS)
        seconds = time.process_time() - began
        say(f"{size} structures: {seconds:.0f} CPU s")
        for name, some in judged.items():
            yield Row(
                name=f"{START} after {size} structures, forces on {name}, MAE", unit="eV/Å",
                ours=force_error(potential, some), peer=before[name], peer_name="before",
                target="ratio < 1", seconds=seconds, quick=quick,
                note=f"{len(some)} structures judged; trained in {seconds:.0f} CPU s",
            )  # fmt: skip


def tuned(some: Sequence[Any], *, epochs: int) -> Potential:
    """SevenNet-0 after some epochs on structures; it still knows the elements that are not among them."""
    from zonemelt.tasks.potentials.architecture import PotentialArchitecture
    from zonemelt.tasks.potentials.card import read_potential
    from zonemelt.tasks.potentials.fitting.objective import Terms
    from zonemelt.tasks.potentials.fitting.start import start_of
    from zonemelt.tasks.potentials.fitting.training import train_potential
    from zonemelt.tasks.potentials.trained import Trained
    from zonemelt.tasks.theory import Theory
    from zonemelt.tasks.train.ranks import joined
    from zonemelt.tasks.train.settings import TrainSettings

    architecture = PotentialArchitecture(cutoff=5.0)
    settings = TrainSettings(
        seed=SEED, epochs=epochs, batch_size=10, learning_rate=5e-4, optimizer="adam", weight_decay=0.0,
        ema=0.9,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        labelled = collection(some, architecture.edges, Path(folder, "graphs"))
        with joined(device="cpu") as ranks:
            train_potential(
                labelled, {"train": np.arange(len(some))}, architecture, settings,
                Terms(weights={"energy": 1.0, "forces": 1.0}), theory=Theory(code="vasp", functional="PBE"),
                ranks=ranks, directory=Path(folder, "potential"), start=START,
            )  # fmt: skip
        network, card = read_potential(Path(folder, "potential"))
    references = {**start_of(START).references, **card.references}
    return Trained("fine-tuned", network, card.model_copy(update={"references": references}))


def force_error(potential: Potential, some: Sequence[Any]) -> float:
    """Mean absolute error of the components of forces, eV/Å."""
    from zonemelt.tasks.crystals import Crystals

    said = potential.evaluate(Crystals.of_atoms(some)).forces_A3
    assert said is not None
    return float(np.abs(said - np.concatenate([one.get_forces() for one in some])).mean())
