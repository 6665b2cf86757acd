"""Predict properties with a trained network."""

# G graphs of a batch, N samples, P properties

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.train.graph_samples import GraphSamples
    from zonemelt.tasks.train.model_folder import ModelCard
    from zonemelt.tasks.train.ranks import Ranks

_TOGETHER = 256  # graphs in a batch that only asks


def scaled_predictions(model: torch.nn.Module, samples: GraphSamples, *, ranks: Ranks) -> NDArray[np.float64]:
    """What a model gives for all samples (N, P), scaled; every rank computes a share, and has all."""
    import torch

    model.eval()
    batches = np.array_split(np.arange(len(samples)), -(-len(samples) // _TOGETHER))
    found: dict[int, Any] = {}
    with torch.inference_mode():
        for number in range(ranks.rank, len(batches), ranks.world_size):
            found[number] = model(samples.batch(batches[number]).to(ranks.device)).double().cpu().tolist()
    together = {number: rows for each in ranks.gather(found) for number, rows in each.items()}
    return np.concatenate([np.asarray(together[number]) for number in range(len(batches))])


def predict(
    model: torch.nn.Module, card: ModelCard, crystals: Crystals, *, device: str = "cpu"
) -> NDArray[np.float64]:
    """The properties of crystals (N, P), in the units of the card.

    Args:
        model: and
        card: as :func:`.model_folder.load_model` reads them.
        crystals: N structures.
        device: where to compute.

    Raises:
        InputError: an element that the model was not trained on, or a structure without neighbours.
    """
    import torch

    from zonemelt.tasks.featurize.graphs import graphs_of

    check_elements(crystals, card.elements)
    model = model.to(device).eval()
    shift_P, scale_P = np.array([[target.shift, target.scale] for target in card.targets]).T
    found = [np.empty((0, len(card.targets)))]
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    for start in range(0, len(crystals), _TOGETHER):
        graphs = graphs_of(crystals.take(slice(start, start + _TOGETHER)), card.network.edges)
        with torch.inference_mode():
            found.append(model(card.network.batch(graphs, dtype=dtype).to(device)).double().cpu().numpy())
    predicted_NP: NDArray[np.float64] = np.concatenate(found) * scale_P + shift_P
    return predicted_NP


def check_elements(crystals: Crystals, known: Sequence[str]) -> None:
    """Refuse what a model was not trained on.

    Raises:
        InputError: with the elements, and the first structure that has one.
    """
    from ase.data import atomic_numbers, chemical_symbols

    numbers = [atomic_numbers[symbol] for symbol in known]
    strange = ~np.isin(crystals.numbers_A, numbers)
    if strange.any():
        symbols = sorted({chemical_symbols[n] for n in crystals.numbers_A[strange].tolist()})
        first = int(np.searchsorted(crystals.first_G, np.flatnonzero(strange)[0], side="right")) - 1
        raise InputError(
            f"the model has not seen {', '.join(symbols)}",
            where=f"structure {first}",
            remedy="leave these structures out, or train on some with these elements",
        )
