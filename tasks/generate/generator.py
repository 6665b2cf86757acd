"""A trained generator as two files: weights, and a card that says what it draws and was trained on."""

# G crystals, K species

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from zonemelt.tasks.generate.padded import Standard
from zonemelt.tasks.models.denoiser import DenoiserArchitecture  # noqa: TC001 (pydantic reads it)
from zonemelt.tasks.train.model_folder import CARD, WEIGHTS, Target, reading

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zonemelt.tasks.models.denoiser import Denoiser


class GeneratorCard(BaseModel):
    """What a generator is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["generator"] = "generator"
    network: DenoiserArchitecture
    elements: tuple[str, ...] = Field(description="that it draws, by atomic number", min_length=1)
    sizes: dict[int, int] = Field(description="atoms of a crystal → how often among the training crystals")
    stretch_mean: tuple[float, ...] = Field(min_length=6, max_length=6, description="of the cells")
    stretch_deviation: float = Field(gt=0)
    target: Target | None = Field(default=None, description="the property that can be wished for")
    target_range: tuple[float, float] | None = Field(
        default=None, description="lowest and highest value of the property among the training crystals"
    )
    training: dict[str, Any] = Field(
        default_factory=dict, description="settings, seed, samples, hash of the training set"
    )
    metrics: dict[str, float] = Field(default_factory=dict, description="losses on the validation part")
    versions: dict[str, str] = Field(default_factory=dict)
    hardware: str = ""

    @property
    def standard(self) -> Standard:
        """How stretches are standardized."""
        return Standard(mean_6=np.array(self.stretch_mean), deviation=self.stretch_deviation)

    @property
    def numbers_K(self) -> NDArray[np.int64]:
        """The species as atomic numbers (K,)."""
        from ase.data import atomic_numbers

        return np.array([atomic_numbers[symbol] for symbol in self.elements], np.int64)


@dataclass(frozen=True, kw_only=True)
class Generator:
    """A network with its card, ready to draw crystals."""

    name: str
    network: Denoiser
    card: GeneratorCard


def load_generator(folder: Path | str) -> Generator:
    """Read one from its folder.

    Raises:
        InputError: there is none, or it is of another kind, or damaged.
    """
    from safetensors.torch import load_file

    place = Path(folder)
    with reading(place, "generator"):
        card = GeneratorCard.model_validate_json((place / CARD).read_text(encoding="utf-8"))
        network = card.network.make(species=len(card.elements))
        network.load_state_dict(load_file(place / WEIGHTS))
    return Generator(name=str(folder), network=network.eval(), card=card)
