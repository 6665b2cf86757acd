"""How fast crystals are drawn: together in few steps, beside one at a time in 1,000 by the same network."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks import generation_models as models
from benchmarks.data_files import absent
from benchmarks.report import Row, median, spread

if TYPE_CHECKING:
    from collections.abc import Iterator

ANCESTRAL: Final = 1000  # steps of DiffCSP's sampler, which takes two evaluations each
REPEATS: Final = 3


def rows(quick: bool) -> Iterator[Row]:
    """Crystals a second of one core, of cells of 5 atoms."""
    if not models.there("perov"):
        yield absent("speed", "", quick=quick)
        return
    with tempfile.TemporaryDirectory() as scratch:
        generator, _ = models.trained("perov", quick=quick, scratch=Path(scratch))
    alone = [
        _rate(generator, 1, steps=100 if quick else ANCESTRAL, together=1, precision="fp32", seed=seed)
        for seed in range(1 if quick else REPEATS)
    ]
    slow = median(alone) / (ANCESTRAL / 100 if quick else 1)
    for precision in ("fp32", "bf16"):
        for steps in (100, 50):
            began = time.process_time()
            fast = [
                _rate(
                    generator,
                    256,
                    steps=steps // (10 if quick else 1),
                    together=256,
                    precision=precision,
                    seed=seed,
                )
                for seed in range(1 if quick else REPEATS)
            ]
            yield Row(
                name=f"sampling, {steps} steps, 256 together, {precision}", unit="crystals/CPU s",
                ours=median(fast) / (10 if quick else 1), peer=slow,
                peer_name=f"one at a time, {ANCESTRAL:,} steps", target="" if quick else "ratio >= 20",
                spread=spread(fast), seconds=time.process_time() - began, quick=quick,
                note=f"width {models.WIDTH}, {models.LAYERS} layers, cells of 5 atoms",
            )  # fmt: skip


def _rate(generator: Any, number: int, *, steps: int, together: int, precision: Any, seed: int) -> float:
    from zonemelt.tasks.generate.sampling import SampleSettings, sample
    from zonemelt.tasks.generate.wishes import Wish

    settings = SampleSettings(steps=steps, together=together, precision=precision, seed=seed)
    began = time.process_time()
    sample(generator, [Wish()] * number, settings)
    return number / (time.process_time() - began)
