"""Crystals of up to 20 atoms drawn after training on binary and ternary ones of the Materials Project."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks import generation_models as models
from benchmarks import generation_sun
from benchmarks.data_files import absent
from benchmarks.report import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBER: Final = 1000
STEPS: Final = 100
DIFFCSP: Final = "DiffCSP on MP-20 whole, as reprinted in EquiCSP (ICML 2024)"


def rows(quick: bool) -> Iterator[Row]:
    """Validity, uniqueness, speed and stability."""
    if not models.there("mp"):
        yield absent("MP, up to 20 atoms", "", quick=quick)
        return
    from zonemelt.tasks.generate.sampling import SampleSettings, sample
    from zonemelt.tasks.generate.wishes import Wish
    from zonemelt.tasks.judge.novelty import unique
    from zonemelt.tasks.judge.validity import valid

    with tempfile.TemporaryDirectory() as scratch:
        generator, about = models.trained("mp", quick=quick, scratch=Path(scratch))
    number = 32 if quick else NUMBER
    began = time.process_time()
    drawn = sample(
        generator, [Wish()] * number,
        SampleSettings(steps=10 if quick else STEPS, precision="bf16", together=128),
    )  # fmt: skip
    took = time.process_time() - began
    validity = valid(drawn)
    for name, share, peer, target in (
        ("structural validity", validity.structure_G, 1.0, ""),
        ("compositional validity", validity.composition_G, 0.8325, "ours >= 0.83"),
        ("uniqueness", unique(drawn).first_G, None, "ours >= 0.95"),
    ):
        yield Row(
            name=f"MP, up to 20 atoms: {name}", unit="", ours=float(share.mean()), peer=peer,
            peer_name=DIFFCSP if peer else "", target="" if quick else target, quick=quick, seconds=took,
            note=f"{number:,} crystals; {models.said_of(about)}",
        )  # fmt: skip
    yield Row(
        name="MP, up to 20 atoms: sampling", unit="crystals/CPU s", ours=number / took,
        seconds=took, quick=quick,
        note=f"{10 if quick else STEPS} steps, 128 together, bf16",
    )  # fmt: skip
    yield from generation_sun.rows(drawn, quick=quick)
