"""What a trained network says of samples or of crystals."""

# G graphs of a batch, N samples, P properties, K numbers of a network a property

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.train.memory import TooLargeError, give_back, is_out_of_memory
from zonemelt.tasks.train.said import Said, joined_in_turn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch
    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.featurize.graphs import Edges, Graphs
    from zonemelt.tasks.train.graph_samples import GraphSamples, GraphSource
    from zonemelt.tasks.train.heads import Head
    from zonemelt.tasks.train.model_folder import ModelCard
    from zonemelt.tasks.train.ranks import Ranks

_TOGETHER = 64  # graphs in a batch that only asks: more of them leave the cache


def said_of_samples(model: torch.nn.Module, head: Head, samples: GraphSamples, *, ranks: Ranks) -> Said:
    """What a model says of all samples, scaled; every rank computes a share, and has all."""
    import torch

    model.eval()
    batches = np.array_split(np.arange(len(samples)), -(-len(samples) // _TOGETHER))
    found: dict[int, Any] = {}
    with torch.inference_mode():
        for number in range(ranks.rank, len(batches), ranks.world_size):
            found[number] = _raw(model, samples, batches[number], ranks)
    together = {number: rows for each in ranks.gather(found) for number, rows in each.items()}
    raw_NO = np.concatenate([np.asarray(together[number]) for number in range(len(batches))])
    return _said(head, torch.from_numpy(raw_NO))


def _raw(
    model: torch.nn.Module, samples: GraphSamples, rows: NDArray[np.int64], ranks: Ranks
) -> list[list[float]]:
    """The numbers of the network for some samples; for half of them at a time where memory is used up.

    Raises:
        TooLargeError: there is no memory for one of them alone.
    """
    try:
        found: list[list[float]] = model(samples.batch(rows).to(ranks.device)).double().cpu().tolist()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    else:
        return found
    give_back(ranks.device)
    if len(rows) == 1:
        raise TooLargeError(
            f"out of memory on {ranks.device.type} for this sample alone",
            where=samples.name(int(rows[0])),
            remedy="leave it out, or give it more memory",
        )
    middle = len(rows) // 2
    return _raw(model, samples, rows[:middle], ranks) + _raw(model, samples, rows[middle:], ranks)


def said_of_graphs(model: torch.nn.Module, card: ModelCard, graphs: Graphs, *, device: str = "cpu") -> Said:
    """What a model says of graphs, in the units of the card; of all of them at once."""
    import torch

    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    with torch.inference_mode():
        raw_GO = model.to(device).eval()(card.network.batch(graphs, dtype=dtype).to(device)).double().cpu()
    return _said(card.head, raw_GO).times(card.scale_P, plus=card.shift_P)


def said_of_rows(
    model: torch.nn.Module,
    card: ModelCard,
    source: GraphSource,
    rows_N: NDArray[np.int64],
    *,
    device: str = "cpu",
) -> Said:
    """What a model says of some graphs of a source, in the units of the card."""
    parts = np.array_split(rows_N, max(1, -(-len(rows_N) // _TOGETHER)))
    return joined_in_turn([
        said_of_graphs(model, card, source.read(part), device=device) for part in parts
    ])  # fmt: skip


def said_of_crystals(
    model: torch.nn.Module, card: ModelCard, crystals: Crystals, *, device: str = "cpu"
) -> Said:
    """What a model says of crystals, in the units of the card.

    Args:
        model: and
        card: as :func:`.model_folder.load_model` reads them.
        crystals: N structures.
        device: where to compute.

    Raises:
        InputError: there are no structures, one has an element that the model was not trained on, or has no
            neighbours.
    """
    check_elements(crystals, card.elements)
    return joined_in_turn([
        said_of_graphs(model, card, graphs, device=device)
        for graphs in graphs_in_turn(crystals, card.network.edges)
    ])  # fmt: skip


def graphs_in_turn(crystals: Crystals, edges: Edges) -> Iterator[Graphs]:
    """The graphs of crystals, so many at a time that the largest networks have memory for them.

    Raises:
        InputError: there are no structures, or one has no neighbours.
    """
    from zonemelt.tasks.featurize.graphs import graphs_of

    if not len(crystals):
        raise InputError("there are no structures", where="predict", remedy="give one or more")
    for start in range(0, len(crystals), _TOGETHER):
        yield graphs_of(crystals.take(slice(start, start + _TOGETHER)), edges)


def predict(
    model: torch.nn.Module, card: ModelCard, crystals: Crystals, *, device: str = "cpu"
) -> NDArray[np.float64]:
    """The properties of crystals (N, P), in the units of the card; see :func:`said_of_crystals`."""
    return said_of_crystals(model, card, crystals, device=device).mean_NP


def _said(head: Head, raw_NO: torch.Tensor) -> Said:
    return head.said(raw_NO.reshape(len(raw_NO), -1, head.outputs))


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
