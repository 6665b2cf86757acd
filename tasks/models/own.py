"""Make a network of a person's own, and see that it gives what a training needs of it."""

# G graphs, O outputs

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.own_code import MODELS, own_function
from zonemelt.tasks.whole_files import sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.models.registry import OwnArchitecture

READS = "z, pos, edge_index (neighbour, centre), edge_length, edge_vector, batch, ptr, cell"


def source_of(path: str) -> str:
    """A hash of the file that a network is written in; empty where there is none.

    Raises:
        InputError: the network is not listed, or cannot be imported.
    """
    found = own_function(path, variable=MODELS, where=f"network {path}")
    try:
        file = inspect.getsourcefile(found)
    except TypeError:
        file = None
    return sha256_of(Path(file))[:16] if file else ""


def own_network(path: str, arguments: Mapping[str, Any], *, outputs: int, source: str) -> nn.Module:
    """A network with random weights, which refuses to give anything but numbers (G, O).

    Args:
        path: ``module:name`` of what makes it; listed in ``$ZONEMELT_MODELS``.
        arguments: of that, besides ``outputs``.
        outputs: O, numbers it gives of each graph.
        source: hash of its file when it was trained; empty where it was not.

    Raises:
        InputError: it is not listed, cannot be imported or made, or is no network with weights.
    """
    from torch import nn

    where = f"network {path}"
    make: Callable[..., Any] = own_function(path, variable=MODELS, where=where)
    if source and source_of(path) != source:
        warnings.warn(
            f"{path} is not written as it was when the model was trained: its predictions may be others",
            stacklevel=2,
        )
    try:
        made = make(outputs=outputs, **arguments)
    except Exception as error:
        raise InputError(
            f"it cannot be made: {type(error).__name__}: {error}",
            where=where,
            remedy=f"it is called as {path.partition(':')[2]}(outputs={outputs}, **arguments)",
        ) from error
    if not isinstance(made, nn.Module) or not any(one.requires_grad for one in made.parameters()):
        raise InputError(
            f"it is no torch module with weights to train, but {type(made).__name__}",
            where=where,
            remedy="name a subclass of torch.nn.Module, or a function that makes one",
        )

    def check(_: nn.Module, given: tuple[Any, ...], raw: Any) -> None:
        right = (given[0].num_graphs, outputs)
        shape = tuple(getattr(raw, "shape", ()))
        if shape != right:
            raise InputError(
                f"it gives {f'the shape {shape}' if shape else type(raw).__name__}, not {right}",
                where=where,
                remedy="forward(batch) gives as many rows as graphs, as many columns as outputs",
            )

    made.register_forward_hook(check)
    return made


def try_on(architecture: OwnArchitecture, crystals: Crystals, *, outputs: int) -> None:
    """Ask an untrained network about some crystals, before anything is spent on its training.

    Raises:
        InputError: it fails, gives another shape, or numbers that are none.
    """
    import torch

    from zonemelt.tasks.featurize.graphs import graphs_of

    where = f"network {architecture.network}"
    network = architecture.make(outputs=outputs).eval()
    batch = architecture.batch(graphs_of(crystals, architecture.edges), dtype="float32")
    try:
        with torch.inference_mode():
            raw_GO = network(batch)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"it fails on {len(crystals)} crystals: {type(error).__name__}: {error}",
            where=where,
            remedy=f"it is given a batch of PyTorch Geometric with {READS}",
        ) from error
    if not raw_GO.isfinite().all():
        raise InputError(
            f"untrained, it gives {raw_GO.flatten().tolist()[:4]}",
            where=where,
            remedy="begin with smaller weights, and divide by nothing that may be zero",
        )
