"""A trained model as two files: ``model.safetensors`` and ``card.json``, which says what it is and can do.

Nothing is unpickled: a file of another kind is refused.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.models.registry import AnyArchitecture  # noqa: TC001 (pydantic reads it)
from zonemelt.tasks.train.heads import AnyHead, PointHead
from zonemelt.tasks.train.uncertainty import Uncertainty  # noqa: TC001 (pydantic reads it)
from zonemelt.tasks.whole_files import settle, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import torch
    from numpy.typing import NDArray

WEIGHTS, CARD = "model.safetensors", "card.json"


class Target(BaseModel):
    """A property that a model predicts: what its network gives times ``scale`` plus ``shift``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    unit: str
    shift: float
    scale: float = Field(gt=0)


class Card(Protocol):
    """What every card offers, whatever it is of."""

    @property
    def metrics(self) -> dict[str, float]:
        """How well it does."""
        ...

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        """All that it says, as plain JSON."""
        ...


class ModelCard(BaseModel):
    """What a model is, what it was trained on and how well it does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["network"] = "network"
    network: AnyArchitecture
    head: AnyHead = Field(default=PointHead(), description="what the numbers of the network mean")
    targets: tuple[Target, ...] = Field(min_length=1)
    elements: tuple[str, ...] = Field(description="that it was trained on; others it refuses")
    training: dict[str, Any] = Field(
        default_factory=dict, description="settings, seed, samples, hash of the training set and of the split"
    )
    metrics: dict[str, float] = Field(
        default_factory=dict, description="on validation, or test where they say so; units in their names"
    )
    uncertainty: dict[str, Uncertainty] = Field(
        default_factory=dict, description="by property; none without a validation part"
    )
    versions: dict[str, str] = Field(default_factory=dict)
    hardware: str = ""

    @property
    def outputs(self) -> int:
        """The numbers that the network gives: so many of the first property, then of the next."""
        return len(self.targets) * self.head.outputs

    @property
    def shift_P(self) -> NDArray[np.float64]:
        """Of the properties, in their units."""
        return np.array([target.shift for target in self.targets])

    @property
    def scale_P(self) -> NDArray[np.float64]:
        """Of the properties, in their units."""
        return np.array([target.scale for target in self.targets])


def save_model(folder: Path, weights: Mapping[str, torch.Tensor], card: BaseModel) -> None:
    """Write a model; the card last, so that a folder with a card is whole."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    whole = {name: value.detach().cpu().contiguous().clone() for name, value in weights.items()}
    part = folder / f".{WEIGHTS}.part"
    save_file(whole, part)
    settle(part, folder / WEIGHTS)
    write_whole(folder / CARD, card.model_dump_json(indent=1).encode() + b"\n")


@contextmanager
def reading(folder: Path, kind: str) -> Iterator[None]:
    """Say of a folder that is read within the block what is wrong with it.

    Args:
        folder: of a model.
        kind: of model that it should hold, such as ``potential``.

    Raises:
        InputError: it is not there, of another kind, or damaged.
    """
    from safetensors import SafetensorError

    remedy = f"name a folder with the {WEIGHTS} and {CARD} of a {kind}; pickles are not read"
    try:
        yield
    except OSError as error:
        raise InputError(str(error), where=str(folder), remedy=remedy) from None
    except (ValueError, SafetensorError, RuntimeError, KeyError) as error:  # pydantic's among the first
        said = " ".join(str(error).splitlines()[:3])
        raise InputError(f"it is no {kind} of ours: {said}", where=str(folder), remedy=remedy) from None


def load_model(folder: Path) -> tuple[torch.nn.Module, ModelCard]:
    """Read a model, ready to predict.

    Raises:
        InputError: there is none, or it is of another kind, or damaged.
    """
    from safetensors.torch import load_file

    place = Path(folder)
    with reading(place, "model"):
        card = ModelCard.model_validate_json((place / CARD).read_text(encoding="utf-8"))
        weights = load_file(place / WEIGHTS)
        model = card.network.make(outputs=card.outputs)
        model.load_state_dict(weights)
    return model.eval(), card


def describe_hardware(device: torch.device) -> str:
    """The processor or the accelerator, in words."""
    import platform

    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()}, {torch.get_num_threads()} threads"


def versions() -> dict[str, str]:
    """Of what the numbers depend on."""
    from importlib.metadata import version

    return {name: version(name) for name in ("zonemelt", "torch", "torch-geometric", "numpy")}


def json_of(settings: BaseModel) -> dict[str, Any]:
    """Settings as plain JSON."""
    return settings.model_dump(mode="json")
