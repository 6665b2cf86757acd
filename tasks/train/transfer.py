"""Begin a training from a trained model: which of its layers go on, which are frozen, which are new.

Strategies of Devi, Butler & Sai Gautam, npj Computational Materials 10, 300 (2024), and the one that needs
no training of a network at all: the features of the trunk for a classical model.
"""

# G graphs of a batch, N crystals, F features, P properties, K numbers a property

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 (pydantic reads it)
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.train.model_folder import WEIGHTS, ModelCard, Target, load_model
from zonemelt.tasks.whole_files import sha256_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.train.heads import Head

HEADS = ("head", "heads")  # what the last layers of a network are called; all else is its trunk
_TOGETHER = 256  # crystals in a batch that only asks


class Transfer(BaseModel):
    """From which model a training begins, and how; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Path = Field(description="folder of the trained model; absolute")
    strategy: Literal["all", "frozen", "new head"] = Field(
        default="all",
        description="all: every layer goes on; frozen: the trunk stays as it is and the head goes on; "
        "new head: the trunk goes on and the head begins anew",
    )
    freeze: bool = Field(default=False, description="with a new head: the trunk stays as it is")
    trunk_rate: float = Field(default=1.0, gt=0, le=1, description="of the head's learning rate")

    @field_validator("model")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        if not path.is_absolute():
            raise ValueError("the path must be absolute: jobs run in directories of their own")
        return path

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.freeze and self.strategy != "new head":
            raise ValueError("freeze belongs to 'new head'; with a head that goes on say 'frozen'")
        if self.frozen and self.trunk_rate != 1.0:
            raise ValueError("a frozen trunk has no learning rate: leave trunk_rate out")
        return self

    @property
    def frozen(self) -> bool:
        """Whether the trunk stays as it is."""
        return self.freeze or self.strategy == "frozen"


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """A trained model, as the beginning of another training.

    Attributes:
        how: it begins.
        card: of the trained model.
        weights: of the trained model.
        digest: of its file of weights.
    """

    how: Transfer
    card: ModelCard
    weights: Mapping[str, torch.Tensor]
    digest: str

    @classmethod
    def read(cls, how: Transfer) -> Self:
        """Read the model.

        Raises:
            InputError: it is no model of ours.
        """
        model, card = load_model(how.model)
        digest = sha256_of(how.model / WEIGHTS)[:16]
        return cls(how=how, card=card, weights=model.state_dict(), digest=digest)

    def targets(self, own: Sequence[Target]) -> tuple[Target, ...]:
        """The properties to learn; one whose head goes on keeps the scale that its head has learned.

        Raises:
            InputError: a property has another unit than in the trained model.
        """
        if self.how.strategy == "new head":
            return tuple(own)
        before = {target.name: target for target in self.card.targets}
        for target in own:
            if target.name in before and before[target.name].unit != target.unit:
                raise InputError(
                    f"in '{target.unit}', where the trained model has '{before[target.name].unit}'",
                    where=f"property '{target.name}'",
                    remedy="convert the labels, or begin with a new head",
                )
        return tuple(
            target.model_copy(update={"shift": before[target.name].shift, "scale": before[target.name].scale})
            if target.name in before
            else target
            for target in own
        )

    def noted(self, card: ModelCard) -> ModelCard:
        """The card of the new model, with where it comes from.

        It predicts for elements of either training. Those that only the pre-training saw are named: the
        trunk knows them, the labels of the new property do not. So are those that it had never seen.
        """
        seen = set(self.card.elements)
        origin = {
            **self.how.model_dump(mode="json"),
            "weights": self.digest,
            "training_set": self.card.training.get("training_set"),
            "targets": [target.name for target in self.card.targets],
            "elements_unseen_in_pretraining": sorted(set(card.elements) - seen),
            "elements_only_in_pretraining": sorted(seen - set(card.elements)),
            "before": self.card.training.get("transfer"),
        }
        return card.model_copy(
            update={
                "elements": tuple(sorted(seen | set(card.elements))),
                "training": {**card.training, "transfer": origin},
            }
        )

    def give(self, network: torch.nn.Module, card: ModelCard) -> None:
        """Put the trained weights into a network with random ones, and freeze what is to be frozen.

        Args:
            network: of the new model.
            card: of the new model.

        Raises:
            InputError: it is another architecture, or a head that should go on is not there.
        """
        if card.network != self.card.network:
            raise InputError(
                f"it is {self.card.network!r}; the new model is {card.network!r}",
                where=str(self.how.model),
                remedy="train with the architecture of the trained model",
            )
        own = network.state_dict()
        given = {name: value for name, value in self.weights.items() if not in_head(name)}
        if self.how.strategy != "new head":
            given |= self._heads(own, card)
        network.load_state_dict({**own, **given})
        if self.how.frozen:
            freeze_trunk(network)

    def rates(self) -> dict[str, float]:
        """Beginning of a parameter's name → its factor of the learning rate; see :func:`.loop.train`."""
        if self.how.trunk_rate == 1.0:
            return {}
        trunk = {name.split(".", 1)[0] for name in self.weights if not in_head(name)}
        return dict.fromkeys(sorted(trunk), self.how.trunk_rate)

    def _heads(self, own: Mapping[str, torch.Tensor], card: ModelCard) -> dict[str, torch.Tensor]:
        """The weights of the heads that go on: that of the same property, or the only one there is."""
        import torch

        before = [target.name for target in self.card.targets]
        places = [before.index(t.name) if t.name in before else _ONLY for t in card.targets]
        if _ONLY in places and len(before) > 1:
            missing = card.targets[places.index(_ONLY)].name
            raise InputError(
                f"it has no head for '{missing}', and not just one but {', '.join(before)}",
                where=str(self.how.model),
                remedy="begin with a new head",
            )
        if not _mean_the_same(self.card.head, card.head):
            raise InputError(
                f"its heads are '{self.card.head.head}', the new ones '{card.head.head}'",
                where=str(self.how.model),
                remedy="train with the loss of the trained model, or begin with a new head",
            )
        numbers = card.head.outputs
        rows = [max(place, 0) * numbers + one for place in places for one in range(numbers)]
        found = {}
        for name in filter(in_head, own):
            kind, *rest = name.split(".")
            if kind == "heads":
                found[name] = self.weights[".".join([kind, str(rows[int(rest[0])]), *rest[1:]])]
            else:
                found[name] = self.weights[name][torch.tensor(rows)]
        return found


_ONLY = -1  # a property that the trained model does not have


def in_head(name: str) -> bool:
    """Whether a weight belongs to a head."""
    return name.split(".", 1)[0] in HEADS


def _mean_the_same(one: Head, other: Head) -> bool:
    """Whether the numbers of two heads are of the same things: both a mean and a variance, say."""
    return type(one) is type(other) and getattr(one, "levels", None) == getattr(other, "levels", None)


def freeze_trunk(network: torch.nn.Module) -> None:
    """Let nothing of the trunk change: neither its weights, nor what its normalisations have seen."""
    for name, parameter in network.named_parameters():
        if not in_head(name):
            parameter.requires_grad = False
    for name, child in network.named_modules():
        if name and not in_head(name):
            child.register_forward_pre_hook(_stay_still)


def _stay_still(module: torch.nn.Module, _given: Any) -> None:
    module.eval()  # the trainer calls train() before each step


def trunk_features(
    model: torch.nn.Module, card: ModelCard, crystals: Crystals, *, device: str = "cpu"
) -> NDArray[np.float64]:
    """What the trunk of a trained model makes of crystals: features for a classical model.

    The cheapest transfer, and for a hundred labels often the best: nothing of the network is trained. An
    element that the model has not seen has a random vector; look at ``card.elements``.

    Args:
        model: and
        card: as :func:`.model_folder.load_model` reads them.
        crystals: N structures.
        device: where to compute.

    Returns:
        Features (N, F), dimensionless.

    Raises:
        InputError: a structure without neighbours, or the network has no trunk of its own.
    """
    from zonemelt.tasks.featurize.graphs import graphs_of

    found: list[NDArray[np.float64]] = []
    for start in range(0, len(crystals), _TOGETHER):
        graphs = graphs_of(crystals.take(slice(start, start + _TOGETHER)), card.network.edges)
        found.append(features_of_graphs(model, card, graphs, device=device))
    return np.concatenate(found)


def features_of_graphs(
    model: torch.nn.Module, card: ModelCard, graphs: Any, *, device: str = "cpu"
) -> NDArray[np.float64]:
    """As :func:`trunk_features`, of graphs with the edges of the model (G, F)."""
    import torch

    trunk: Any = getattr(model, "trunk", None)
    if trunk is None:
        raise InputError(
            f"'{card.network.architecture}' has no trunk apart from its head",
            where="model", remedy="pre-train a cogn",
        )  # fmt: skip
    model = model.to(device).eval()
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    with torch.inference_mode():
        features_GF: NDArray[np.float64] = (
            trunk(card.network.batch(graphs, dtype=dtype).to(device)).double().cpu().numpy()
        )
    return features_GF
