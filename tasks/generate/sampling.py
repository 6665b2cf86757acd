"""Draw crystals: follow a generator out of the noise, freely or with wishes."""

# G crystals of a batch, N atoms of the largest, K species

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from zonemelt.tasks.bounds import COUNT, NOT_NEGATIVE, check_bounds
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.generate.cells import cells_of
from zonemelt.tasks.generate.padded import check_known
from zonemelt.tasks.generate.wishes import check_wish, start_near, start_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch
    from numpy.typing import NDArray

    from zonemelt.tasks.generate.generator import Generator
    from zonemelt.tasks.generate.wishes import Start, Wish

Precision = Literal["fp32", "bf16"]

_BOUNDS: Final = {
    "steps": COUNT, "together": COUNT, "guidance": NOT_NEGATIVE, "hurry": NOT_NEGATIVE,
    "temperature": NOT_NEGATIVE, "seed": NOT_NEGATIVE,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SampleSettings:
    """How crystals are drawn.

    Attributes:
        steps: from noise to crystal.
        guidance: how much more than it would a wish for a value counts (J. Ho & T. Salimans, 2022); 0 for as
            much as it would.
        hurry: atoms move the faster the nearer the end is, by 1 + hurry · t, which leaves less of the noise
            (B. K. Miller et al., FlowMM, ICML 2024: anti-annealing), but in no step beyond where they are
            said to end. 0 draws from what was learned as it is; more draws nearer to its likeliest places.
            While a share s of the species is shown only, it is 1 + hurry · t · s³: atoms that settle before
            they know their neighbours would change which species are drawn.
        temperature: of the choice of species; 0 for the likeliest.
        precision: of the network; ``bf16`` is faster where the processor or accelerator computes in it, and
            numbers of cells and places stay in fp32.
        together: crystals at once.
        seed: of the noise; crystal number i is the same however many are drawn.
    """

    steps: int = 100
    guidance: float = 0.0
    hurry: float = 50.0
    temperature: float = 1.0
    precision: Precision = "fp32"
    together: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        where = "settings of drawing crystals"
        check_bounds(self, _BOUNDS, where=where)
        if self.precision not in get_args(Precision):
            raise InputError(
                f"'{self.precision}' cannot be used", where=f"{where}: precision", remedy="give fp32 or bf16"
            )


def sample(
    generator: Generator,
    wishes: Sequence[Wish],
    settings: SampleSettings,
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> Crystals:
    """One crystal for each wish, in their order.

    Args:
        generator: trained.
        wishes: of each crystal.
        settings: of the way out of the noise.
        progress: told now and then how many are done.

    Raises:
        InputError: see :func:`.start_of`.
    """
    for number, wish in enumerate(wishes):
        check_wish(generator, wish, where=f"wish {number}")

    def begin(number: int) -> Start:
        return start_of(generator, wishes[number], number, seed=settings.seed)

    return _all(generator, begin, len(wishes), settings, progress)


def vary(
    generator: Generator,
    crystals: Crystals,
    settings: SampleSettings,
    *,
    strength: float,
    species: bool,
    progress: Callable[[int], None] = lambda _: None,
) -> Crystals:
    """Crystals like those given: into the noise as far as ``strength`` says, and out again.

    Args:
        generator: trained.
        crystals: to begin with.
        settings: of the way out.
        strength: from 0, as they are, to 1, nothing left of them.
        species: whether elements may change, too.
        progress: told now and then how many are done.

    Raises:
        InputError: an element that the generator does not know, or a strength beyond its bounds.
    """
    if not 0 < strength <= 1:
        raise InputError(
            f"strength {strength}", where="varying crystals", remedy="give one above 0, and 1 at most"
        )
    check_known(crystals, generator.card.numbers_K)

    def begin(number: int) -> Start:
        return start_near(
            generator, crystals.take(slice(number, number + 1)), number,
            seed=settings.seed, strength=strength, species=species,
        )  # fmt: skip

    return _all(generator, begin, len(crystals), settings, progress)


def _all(
    generator: Generator,
    begin: Callable[[int], Start],
    count: int,
    settings: SampleSettings,
    progress: Callable[[int], None],
) -> Crystals:
    """Draw crystals in batches; only one batch's beginnings, 14 kB a crystal, are in memory at a time."""
    found: list[Any] = []
    for first in range(0, count, settings.together):
        batch = range(first, min(first + settings.together, count))
        found += _drawn(generator, [begin(number) for number in batch], settings)
        progress(len(found))
    return Crystals.of_atoms(found)


def _drawn(generator: Generator, starts: Sequence[Start], settings: SampleSettings) -> list[Any]:
    """Crystals as ``ase.Atoms``, drawn together; all have begun at the same time."""
    import torch
    from ase import Atoms

    state = _State(generator, starts, settings)
    times = np.linspace(starts[0].time, 1.0, settings.steps + 1)
    with torch.inference_mode():
        for step, (now, after) in enumerate(pairwise(times.tolist())):
            state.advance(now, after, settings, left=settings.steps - step)
    card = generator.card
    sizes_G = np.array([len(start.tokens_N) for start in starts])
    cells_G33 = cells_of(card.standard.back(state.cells.double().cpu().numpy()), sizes_G)
    tokens, places = state.tokens.cpu().numpy(), state.places.double().cpu().numpy()
    return [
        Atoms(
            card.numbers_K[tokens[row, :size]],
            scaled_positions=places[row, :size] % 1.0,
            cell=cells_G33[row],
            pbc=True,
        )
        for row, size in enumerate(sizes_G.tolist())
    ]


class _State:
    """Several crystals on their way, as dense tensors."""

    def __init__(self, generator: Generator, starts: Sequence[Start], settings: SampleSettings) -> None:
        import torch

        self.bf16 = settings.precision == "bf16"
        self.network, self.hidden = generator.network, len(generator.card.elements)
        first = next(generator.network.parameters())
        most = max(len(start.tokens_N) for start in starts)

        def padded(arrays: Sequence[NDArray[Any]], fill: float) -> torch.Tensor:
            whole = np.full((len(arrays), most, *arrays[0].shape[1:]), fill, np.float64)
            for row, array in enumerate(arrays):
                whole[row, : len(array)] = array
            return torch.from_numpy(whole).to(first)

        self.tokens = padded([start.tokens_N for start in starts], self.hidden).long()
        self.there = padded([np.ones(len(start.tokens_N)) for start in starts], 0).bool()
        self.places = padded([start.places_N3 for start in starts], 0)
        self.shown = padded([start.shown_N for start in starts], 0)
        self.gumbel = padded([start.gumbel_NK for start in starts], 0)
        self.cells = torch.from_numpy(np.array([start.cell_6 for start in starts])).to(first)
        self.wish = torch.tensor([start.wish for start in starts]).to(first)
        allowed = torch.from_numpy(np.array([start.allowed_K for start in starts])).to(first.device)
        self.barred = torch.zeros_like(self.gumbel).masked_fill(~allowed[:, None], -torch.inf)

    def advance(self, now: float, after: float, settings: SampleSettings, *, left: int) -> None:
        """One step of Euler's; a species whose time has come is chosen.

        Of a crystal one at a time, so that each choice knows those before it; more only where fewer steps are
        left than species.
        """
        import torch

        said = self._said(now, self.wish)
        if settings.guidance and bool(self.wish.isfinite().any()):
            without = self._said(now, torch.full_like(self.wish, torch.nan))
            said = {name: value + settings.guidance * (value - without[name]) for name, value in said.items()}
        self.cells = self.cells + (after - now) * said["cells"]
        hidden = self.there & (self.tokens == self.hidden)
        shown_G = 1 - hidden.sum(dim=-1) / self.there.sum(dim=-1)
        # A whole way is 1 - now: more would put atoms on the other side of their place.
        steps_G = ((after - now) * (1 + settings.hurry * now * shown_G**3)).clamp(max=1 - now)
        self.places = self.places + steps_G[:, None, None] * said["places"]
        due = hidden & (self.shown < after)
        sooner = (due[:, None] & (self.shown[:, None] < self.shown[:, :, None])).sum(dim=-1)
        quota = (hidden.sum(dim=-1, keepdim=True) / left).ceil().clamp(min=1)
        due &= sooner < quota
        logits = said["species"] + self.barred + settings.temperature * self.gumbel
        self.tokens = torch.where(due, logits.argmax(dim=-1), self.tokens)

    def _said(self, now: float, wish: torch.Tensor) -> dict[str, torch.Tensor]:
        import torch

        with torch.autocast(self.cells.device.type, torch.bfloat16, enabled=self.bf16):
            found = self.network({
                "tokens": self.tokens, "places": self.places, "cells": self.cells, "there": self.there,
                "time": torch.full_like(self.wish, now), "wish": wish,
            })  # fmt: skip
        return {name: value.to(self.cells.dtype) for name, value in found.items()}
