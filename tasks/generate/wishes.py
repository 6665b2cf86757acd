"""What a drawn crystal shall be like, and where it begins in the noise."""

# N atoms, K species

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 (pydantic reads it)
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.generate.noise import Draws, Noise, gumbel
from zonemelt.tasks.generate.padded import CrystalSet
from zonemelt.tasks.generate.pairing import paired

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.generate.generator import Generator

    Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Of one crystal; nothing for whatever the generator draws.

    Attributes:
        composition: element → atoms in the cell, as in structure prediction.
        system: elements that it may have.
        value: of the generator's property, in its unit.
        atoms: of the cell; drawn as among the training crystals where nothing says so.
    """

    composition: Mapping[str, int] = field(default_factory=dict)
    system: frozenset[str] = frozenset()
    value: float | None = None
    atoms: int | None = None


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where one crystal begins.

    Attributes:
        tokens_N: species that are known (N,), K where they are hidden.
        allowed_K: species that may be chosen (K,).
        cell_6: standardized stretch (6,).
        places_N3: fractional (N, 3).
        shown_N: when the species of each atom is chosen, where it is hidden (N,).
        gumbel_NK: for that choice (N, K).
        time: of the beginning.
        wish: standardized value of the property, NaN for none.
    """

    tokens_N: NDArray[np.int64]
    allowed_K: NDArray[np.bool_]
    cell_6: Floats
    places_N3: Floats
    shown_N: Floats
    gumbel_NK: Floats
    time: float = 0.0
    wish: float = np.nan


def start_of(generator: Generator, wish: Wish, number: int, *, seed: int) -> Start:
    """The beginning of crystal ``number`` for a wish.

    Raises:
        InputError: an element that the generator does not know, a value of a property that it was not trained
            for, or a wish that contradicts itself.
    """
    card, where = generator.card, f"wish {number}"
    check_wish(generator, wish, where=where)
    known = [symbol for symbol, count in wish.composition.items() for _ in range(count)]
    size = len(known) or wish.atoms or _size(card.sizes, [seed, number])
    hidden = len(card.elements)
    draws = Draws([seed], np.array([number]))
    noise = Noise.drawn(draws, atoms=size)
    allowed = wish.system or frozenset(card.elements)
    value = np.nan
    if wish.value is not None and card.target is not None:
        value = (wish.value - card.target.shift) / card.target.scale
    return Start(
        tokens_N=np.array([card.elements.index(symbol) for symbol in known] or [hidden] * size, np.int64),
        allowed_K=np.array([symbol in allowed for symbol in card.elements]),
        cell_6=noise.cells_G6[0],
        places_N3=noise.places_GN3[0],
        shown_N=noise.shown_GN[0],
        gumbel_NK=gumbel(draws, atoms=size, species=hidden)[0],
        wish=value,
    )


def start_near(
    generator: Generator, one: Crystals, number: int, *, seed: int, strength: float, species: bool
) -> Start:
    """The beginning of crystal ``number`` in the noise around a known one.

    Raises:
        InputError: an element that the generator does not know.
    """
    card = generator.card
    seen = CrystalSet(one, elements=card.numbers_K, standard=card.standard)
    time, hidden, sizes_1 = 1 - strength, len(card.elements), seen.sizes_M
    draws = Draws([seed], np.array([number]))
    noise = Noise.drawn(draws, atoms=int(sizes_1[0]))
    kinds_1N = np.full_like(seen.species_MN, -1) if species else seen.species_MN
    order_1N, way_1N3 = paired(noise.places_GN3, seen.places_MN3, kinds_1N, sizes_1)
    known_N = (noise.shown_GN[0] < time) | (not species)
    return Start(
        tokens_N=np.where(known_N, seen.species_MN[0, order_1N[0]], hidden),
        allowed_K=np.ones(hidden, bool),
        cell_6=(1 - time) * noise.cells_G6[0] + time * seen.cells_M6[0],
        places_N3=noise.places_GN3[0] + time * way_1N3[0],
        shown_N=noise.shown_GN[0],
        gumbel_NK=gumbel(draws, atoms=int(sizes_1[0]), species=hidden)[0],
        time=time,
    )


def _size(sizes: Mapping[int, int], seed: Sequence[int]) -> int:
    """Atoms of a crystal, drawn as they are among the training crystals."""
    counts = np.array([*sizes.values()], float)
    return int(np.random.default_rng(seed).choice([*sizes], p=counts / counts.sum()))


def check_seen(generator: Generator, wish: Wish) -> None:
    """Refuse a wish for what lies beyond all that the generator has seen: what it would draw is a guess.

    Campaigns may ask for it nonetheless: they judge what is drawn.

    Raises:
        InputError: more atoms than in any crystal that was seen, a value more than a standard deviation
            beyond those that were seen, or what :func:`start_of` refuses.
    """
    check_wish(generator, wish, where="wish")
    card, where = generator.card, generator.name
    asked, largest = sum(wish.composition.values()) or wish.atoms or 0, max(card.sizes, default=0)
    if asked > largest:
        raise InputError(
            f"{asked} atoms, and it has seen {largest} in a cell at most",
            where=where,
            remedy="wish for fewer, or train one with larger crystals",
        )
    if wish.value is None or card.target is None or card.target_range is None:
        return
    target, (low, high) = card.target, card.target_range
    if not low - target.scale <= wish.value <= high + target.scale:
        raise InputError(
            f"{target.name} {wish.value:g} {target.unit}, and crystals with {low:g} to {high:g} were seen",
            where=where,
            remedy=f"wish for a value within that range, or beyond it by {target.scale:.2g} at most",
        )


def check_wish(generator: Generator, wish: Wish, *, where: str) -> None:
    """Refuse a wish that cannot be granted.

    Raises:
        InputError: see :func:`start_of`.
    """
    card, composition = generator.card, dict(wish.composition)
    atoms = sum(composition.values())
    if strange := sorted({*composition, *wish.system} - set(card.elements)):
        raise InputError(
            f"{generator.name} does not know {', '.join(strange)}",
            where=where,
            remedy=f"it draws {', '.join(card.elements)}",
        )
    if wish.value is not None and card.target is None:
        raise InputError(
            "a value is wished for, and the generator was trained for none",
            where=where,
            remedy="train one with a property, or wish for no value",
        )
    if any(count < 1 for count in composition.values()):
        what = f"the composition {composition}"
    elif wish.atoms is not None and (wish.atoms < 1 or (composition and wish.atoms != atoms)):
        what = f"{wish.atoms} atoms" + (f", and a composition of {atoms}" if composition else "")
    elif composition and wish.system and not set(composition) <= wish.system:
        what = f"the composition {composition} outside the system {'-'.join(sorted(wish.system))}"
    else:
        return
    raise InputError(what, where=where, remedy="wishes of one crystal must agree, and counts be positive")
