"""What a generator is trained on: the way out of the noise, for cells, places and species."""

# G crystals, N atoms of the largest, K species

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zonemelt.tasks.train.objective import Batch

TERMS: Final = ("cells", "places", "species")
# One over the variance of a way, so that a network that says nothing has a loss of 1 in each term.
_PLACES: Final = 12.0  # of a uniform difference on the torus
_CELLS: Final = 0.5  # of the difference of two numbers of variance 1


class FlowTerms(BaseModel):
    """Weights of the three terms; each is about 1 for a network that knows nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cells: float = Field(default=1.0, ge=0)
    places: float = Field(default=5.0, ge=0)
    species: float = Field(default=1.0, ge=0)


class FlowObjective:
    """Mean squares of velocities, and the cross-entropy of hidden species; see :class:`.objective.Objective`.

    Args:
        terms: the weights.
    """

    def __init__(self, terms: FlowTerms) -> None:
        self.weights: Mapping[str, float] = terms.model_dump()

    def weights_in(self, epoch: int) -> Mapping[str, float]:  # noqa: ARG002
        """The same weights in every epoch."""
        return self.weights

    def counts(self, batch: Batch) -> dict[str, int]:
        """How many numbers each term is the mean of."""
        return {
            "cells": batch["cells"].numel(),
            "places": 3 * int(batch["there"].sum()),
            "species": int(hidden(batch).sum()),
        }

    def totals(self, model: torch.nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """The summed losses."""
        found = {name: value.float() for name, value in model(batch).items()}
        there_GN1 = batch["there"][..., None]
        entropies = torch.nn.functional.cross_entropy(
            found["species"].flatten(0, 1), batch["species"].flatten(), reduction="none"
        )
        return {
            "cells": _CELLS * ((found["cells"] - batch["way_cells"]) ** 2).sum(),
            "places": _PLACES * ((found["places"] - batch["way_places"]) ** 2 * there_GN1).sum(),
            "species": (entropies * hidden(batch).flatten()).sum(),
        }


def hidden(batch: Batch) -> torch.Tensor:
    """Which atoms have a species that is still hidden (G, N)."""
    return batch["there"] & (batch["tokens"] != batch["species"])
