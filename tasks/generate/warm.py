"""Begin the training of a generator with the weights of another: what is new to it begins at random."""

# K species, F features

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.generate.generator import load_generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from zonemelt.tasks.models.denoiser import DenoiserArchitecture

_OF_SPECIES: Final = {"tokens.weight": True, "to_species.weight": False, "to_species.bias": False}
"""Weights with a row for each species; whether one more row stands for a hidden one."""


def begin_with(
    network: torch.nn.Module, start: str, architecture: DenoiserArchitecture, elements: Sequence[str]
) -> None:
    """Give a network the weights of a generator; rows of elements that this does not know stay as they are.

    Args:
        network: to be trained.
        start: folder of the generator.
        architecture: of the network.
        elements: of its species (K,), in their order.

    Raises:
        InputError: there is no such generator, or its network is another.
    """
    earlier = load_generator(start)
    if earlier.card.network != architecture:
        raise InputError(
            f"its network is {earlier.card.network}, and {architecture} is to be trained",
            where=f"start of a generator, {start}",
            remedy="train the same architecture, or begin at random",
        )
    weights, own = earlier.network.state_dict(), network.state_dict()
    rows = {symbol: row for row, symbol in enumerate(earlier.card.elements)}
    for name, with_hidden in _OF_SPECIES.items():
        old, new = weights[name], own[name].clone()
        for row, symbol in enumerate(elements):
            if symbol in rows:
                new[row] = old[rows[symbol]]
        if with_hidden:
            new[-1] = old[-1]
        weights[name] = new
    network.load_state_dict(weights)
