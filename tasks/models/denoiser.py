"""The network of a generator: from a crystal in noise to the way out of it.

A dense message-passing network over all pairs of atoms, after CSPNet (R. Jiao et al., DiffCSP, NeurIPS 2023):
it sees differences of fractional coordinates and the stretch of the cell, so that what it says does not
change when the crystal is turned or moved, and follows a permutation of the atoms.
"""

# G crystals, N atoms of the largest, K species, F features

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping


class DenoiserArchitecture(BaseModel):
    """What can be said about it; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(default=128, ge=1, description="features of an atom")
    layers: int = Field(default=4, ge=1)
    frequencies: int = Field(default=16, ge=1, description="of the waves that describe differences")

    def make(self, *, species: int) -> Denoiser:
        """The network, with random weights."""
        return Denoiser(species=species, width=self.width, layers=self.layers, frequencies=self.frequencies)


class Denoiser(nn.Module):
    """Says how a cell and atoms move, and which species are hidden.

    Args:
        species: K, how many there are; token K stands for one that is hidden.
        width: features of an atom.
        layers: of messages.
        frequencies: waves in each direction.
    """

    waves: torch.Tensor

    def __init__(self, *, species: int, width: int, layers: int, frequencies: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(species + 1, width)
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.cell = nn.Linear(6, width)
        self.size = nn.Linear(1, width)
        self.wish = nn.Sequential(nn.Linear(1, width), nn.SiLU(), nn.Linear(width, width))
        self.layers = nn.ModuleList([_Layer(width, 6 * frequencies) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.to_cell = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 6))
        self.to_places = nn.Linear(width, 3, bias=False)
        self.to_species = nn.Linear(width, species)
        self.register_buffer("waves", torch.arange(1.0, frequencies + 1), persistent=False)

    def forward(self, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The way out of the noise.

        Args:
            batch: ``tokens`` (G, N), ``places`` (G, N, 3) fractional, ``cells`` (G, 6) standardized
                stretches, ``there`` (G, N) bool, ``time`` (G,), ``wish`` (G,) standardized values of the
                property, NaN for none.

        Returns:
            ``cells`` (G, 6) and ``places`` (G, N, 3), velocities; ``species`` (G, N, K), logits.
        """
        there_GN1 = batch["there"][..., None].to(batch["cells"].dtype)
        sizes_G1 = there_GN1.sum(dim=1)
        whole_GF = self._whole(batch, sizes_G1)
        pairs_GNNW = self._pairs(batch["places"])
        atoms_GNF = self.tokens(batch["tokens"])
        shares_GNN = (there_GN1 / sizes_G1[:, None]).transpose(1, 2).expand(-1, there_GN1.shape[1], -1)
        for layer in self.layers:
            atoms_GNF = layer(atoms_GNF, pairs_GNNW, whole_GF, shares_GNN)
        atoms_GNF = self.norm(atoms_GNF)
        places_GN3 = self.to_places(atoms_GNF) * there_GN1
        common_G13 = places_GN3.sum(dim=1, keepdim=True) / sizes_G1[..., None]
        return {
            "cells": self.to_cell((atoms_GNF * there_GN1).sum(dim=1) / sizes_G1),
            "places": (places_GN3 - common_G13) * there_GN1,
            "species": self.to_species(atoms_GNF),
        }

    def _whole(self, batch: Mapping[str, torch.Tensor], sizes_G1: torch.Tensor) -> torch.Tensor:
        """What concerns the crystal as a whole (G, F)."""
        wish_G1 = batch["wish"][:, None]
        asked_G1 = wish_G1.isfinite()
        wish_GF = self.wish(torch.where(asked_G1, wish_G1, 0.0)) * asked_G1
        times_GF = _sinusoids(batch["time"], self.tokens.embedding_dim)
        found: torch.Tensor = (
            self.time(times_GF) + self.cell(batch["cells"]) + self.size(sizes_G1.log()) + wish_GF
        )
        return found

    def _pairs(self, places_GN3: torch.Tensor) -> torch.Tensor:
        """Waves of the differences between all atoms (G, N, N, 6 W): whole turns do not change them."""
        turns = (places_GN3[:, None] - places_GN3[:, :, None])[..., None] * self.waves
        phases = 2 * math.pi * turns
        pairs_GNNW = torch.cat([phases.sin(), phases.cos()], dim=-1).flatten(start_dim=-2)
        # Once for all layers; where all is done in fp32 this does nothing.
        kind = pairs_GNNW.device.type
        return (
            pairs_GNNW.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else pairs_GNNW
        )


class _Layer(nn.Module):
    """Messages between all pairs of atoms, and what an atom makes of their mean."""

    def __init__(self, width: int, waves: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        # The first layer of the message, in parts: what does not depend on the pair is worked out once.
        self.receiver, self.sender = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.pair, self.whole = nn.Linear(waves, width, bias=False), nn.Linear(width, width, bias=False)
        # The second layer is linear and so follows the mean: once an atom and not once a pair.
        self.message = nn.Linear(width, width)
        self.update = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(
        self,
        atoms_GNF: torch.Tensor,
        pairs_GNNW: torch.Tensor,
        whole_GF: torch.Tensor,
        shares_GNN: torch.Tensor,
    ) -> torch.Tensor:
        seen_GNF = self.norm(atoms_GNF)
        own_GNF = self.receiver(seen_GNF) + self.whole(whole_GF)[:, None]
        messages_GNNF = nn.functional.silu(
            self.pair(pairs_GNNW) + own_GNF[:, :, None] + self.sender(seen_GNF)[:, None]
        )
        shares_GN1N = shares_GNN[:, :, None].to(messages_GNNF.dtype)
        mean_GNF = self.message((shares_GN1N @ messages_GNNF)[:, :, 0])
        found: torch.Tensor = atoms_GNF + self.update(
            torch.cat([seen_GNF.to(mean_GNF.dtype), mean_GNF], dim=-1)
        )
        return found


def _sinusoids(time_G: torch.Tensor, width: int) -> torch.Tensor:
    """Time as waves from slow to fast (G, width)."""
    rates = torch.exp(torch.linspace(0.0, math.log(1000.0), (width + 1) // 2, device=time_G.device))
    phases = time_G[:, None] * rates.to(time_G.dtype)
    return torch.cat([phases.sin(), phases.cos()], dim=1)[:, :width]
