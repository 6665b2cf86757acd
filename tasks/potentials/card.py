"""A trained potential as two files: weights, and a card that says what it is, learnt and can do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from zonemelt.tasks.potentials.architecture import PotentialArchitecture  # noqa: TC001 (pydantic reads it)
from zonemelt.tasks.theory import Theory  # noqa: TC001 (pydantic reads it)
from zonemelt.tasks.train.model_folder import CARD, WEIGHTS, reading

if TYPE_CHECKING:
    from zonemelt.tasks.potentials.equivariant import Equivariant

UNITS = {"energy": "eV", "length": "Å", "forces": "eV/Å", "stress": "eV/Å³"}


class PotentialCard(BaseModel):
    """What a potential is: its energy is ``scale`` times that of the network, plus reference energies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["potential"] = "potential"
    network: PotentialArchitecture
    scale: float = Field(gt=0, description="root mean square of the training forces, eV/Å")
    references: dict[str, float] = Field(
        description="symbol → energy of an atom, eV; elements that are not here are refused"
    )
    theory: Theory = Field(description="of the labels")
    units: dict[str, str] = UNITS
    start: str = Field(default="", description="the potential whose weights training began with")
    licence: str = Field(default="", description="of the weights; that of the start where there is one")
    training: dict[str, Any] = Field(
        default_factory=dict, description="settings, seed, samples, hash of the training set and of the split"
    )
    metrics: dict[str, float] = Field(
        default_factory=dict, description="on validation, or test where they say so; units in their names"
    )
    versions: dict[str, str] = Field(default_factory=dict)
    hardware: str = ""


def read_potential(folder: Path) -> tuple[Equivariant, PotentialCard]:
    """Read a network with its weights, and its card.

    Raises:
        InputError: there is none, or it is of another kind, or damaged.
    """
    from safetensors.torch import load_file

    place = Path(folder)
    with reading(place, "potential"):
        card = PotentialCard.model_validate_json((place / CARD).read_text(encoding="utf-8"))
        weights = load_file(place / WEIGHTS)
        network = card.network.make()
        network.give(weights)
    return network, card
