"""Generators that the benchmarks of generation draw from: trained here, kept where ``--keep`` says.

Perov-5 (I. E. Castelli et al., Energy Environ. Sci. 5, 9034 (2012)) with the official split of CDVAE (T. Xie
et al., ICLR 2022), and the binary and ternary crystals of MP-20's validation and test parts. One core each. A
training that was stopped goes on; one that is finished is not repeated.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from benchmarks.data_files import atoms_of, data, lines
from benchmarks.report import say

if TYPE_CHECKING:
    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.generate.generator import Generator

KEEP: Final = "ZONEMELT_GENERATORS"
SPENT: Final = "processor-seconds.json"
WIDTH, LAYERS, WAVES = 128, 4, 16
AVERAGE: Final = 0.998
EPOCHS: Final = {"perov": 600, "mp": 100}
BATCH: Final = {"perov": 256, "mp": 64}
RATE: Final = {"perov": 3e-3, "mp": 2e-3}
HELD: Final = 500  # crystals of the validation part that the trained network is judged on
FILES: Final = {
    "perov": ("03_generative", "perov_5.jsonl.gz"), "mp": ("06_mp_hull", "mp_20_biternary_val_test.jsonl.gz"),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A set of crystals in its official parts."""

    crystals: Crystals
    names_M: list[str]
    rows: dict[str, np.ndarray]

    def part(self, name: str) -> Crystals:
        """The crystals of a part."""
        return self.crystals.take(self.rows[name])


def there(kind: str) -> bool:
    """Whether the data are on this machine."""
    return data(*FILES[kind]) is not None


@cache
def parts(kind: str) -> Parts:
    """Read a set; MP-20 has no training part here, so what is its validation part is learnt from."""
    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.generate.reduced import reduced

    place = data(*FILES[kind])
    assert place is not None
    found = lines(place)
    crystals = Crystals.of_atoms(map(atoms_of, found))
    split = np.array([one["split"] for one in found])
    rows = {name: np.flatnonzero(split == name) for name in ("train", "val", "test")}
    if kind == "mp":
        crystals = reduced(crystals)
        rows = {"train": rows["val"][HELD:], "val": rows["val"][:HELD], "test": rows["test"]}
    return Parts(crystals=crystals, names_M=[one["id"] for one in found], rows=rows)


def trained(kind: str, *, quick: bool, scratch: Path) -> tuple[Generator, dict[str, Any]]:
    """A generator of a set, and how it was trained: epochs, processor seconds, crystals a second."""
    from zonemelt.tasks.generate.generator import load_generator
    from zonemelt.tasks.generate.objective import FlowTerms
    from zonemelt.tasks.generate.training import train_generator
    from zonemelt.tasks.models.denoiser import DenoiserArchitecture
    from zonemelt.tasks.train.ranks import joined
    from zonemelt.tasks.train.settings import TrainSettings

    kept = os.environ.get(KEEP, "")
    folder = Path(kept) / kind if kept and not quick else scratch / kind
    spent = folder / SPENT
    if not (folder / "card.json").exists():
        given = parts(kind)
        rows = {"train": given.rows["train"][:: 40 if quick else 1], "validation": given.rows["val"][:HELD]}
        if quick:
            rows = {"train": given.rows["train"]}
        settings = TrainSettings(
            seed=0, epochs=1 if quick else EPOCHS[kind], batch_size=BATCH[kind], learning_rate=RATE[kind],
            schedule="cosine", clip_norm=1.0, ema=0.9 if quick else AVERAGE, precision="bf16", keep=1,
        )  # fmt: skip
        say(f"training on {kind}, {settings.epochs} epochs: {folder}")
        before = json.loads(spent.read_text()) if spent.exists() else {"seconds": 0.0, "samples": 0}
        began = time.process_time()
        with joined(device="cpu") as ranks:
            outcome, _ = train_generator(
                given.crystals, given.names_M, rows,
                DenoiserArchitecture(width=WIDTH, layers=LAYERS, frequencies=WAVES),
                settings=settings, terms=FlowTerms(), ranks=ranks, directory=folder,
            )  # fmt: skip
        spent.write_text(
            json.dumps(
                {
                    "seconds": before["seconds"] + time.process_time() - began,
                    "samples": before["samples"] + outcome.samples,
                }
            )
        )
    about = json.loads(spent.read_text())
    found = load_generator(folder)
    return found, about | {"epochs": found.card.training["epochs"]}


def kept_file(name: str) -> Path | None:
    """A file beside what is kept; None where nothing is."""
    kept = os.environ.get(KEEP, "")
    return Path(kept, name) if kept else None


def said_of(about: dict[str, Any]) -> str:
    """How a generator was trained, for a note."""
    return (
        f"width {WIDTH}, {LAYERS} layers, {about['epochs']} epochs in {about['seconds'] / 60:.1f} minutes "
        f"of one core ({about['samples'] / about['seconds']:,.0f} crystals/s)"
    )
