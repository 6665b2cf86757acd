"""Open any trained model by its folder, and ask it: means, deviations, intervals."""

# N crystals, P properties

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.errors import InputError, UnknownKeyError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray
    from pydantic import BaseModel

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.train.said import Said
    from zonemelt.tasks.train.uncertainty import Uncertainty

    Floats = NDArray[np.float64]

CARDS: Final = ("ensemble.json", "card.json")
OPENERS: Final[Mapping[str, str]] = {
    "network": "zonemelt.tasks.train.predictor:open_network",
    "ensemble": "zonemelt.tasks.train.ensemble:open_ensemble",
    "classical": "zonemelt.tasks.learn.classical_model:open_classical",
}
"""``kind`` of a card → the function that opens such a folder: ``(folder, *, device) -> Predictor``."""


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """What a model predicts of crystals.

    Attributes:
        properties: name and unit of each.
        mean_NP: predictions (N, P), in the units; of a quantile network the medians.
        deviation_NP: standard deviations (N, P); calibrated, where the model was; None where it has none.
        said: the same before calibration.
        uncertainty: of the properties that were calibrated, by name.
    """

    properties: tuple[tuple[str, str], ...]
    mean_NP: Floats
    deviation_NP: Floats | None
    said: Said
    uncertainty: Mapping[str, Uncertainty]

    def interval(self, coverage: float = 0.9) -> tuple[Floats, Floats]:
        """Lower and upper ends (N, P) of intervals that hold a label with this probability, or with more.

        The promise is for crystals like those of the validation part. It is one for all of them together: not
        for each, nor for those of a kind that is rare among them.

        Raises:
            InputError: a property was not calibrated, or there were too few samples for this coverage.
        """
        low_NP, high_NP = self.mean_NP.copy(), self.mean_NP.copy()
        for column, (name, _) in enumerate(self.properties):
            if name not in self.uncertainty:
                raise InputError(
                    "the model was not calibrated for it: it had too few validation samples",
                    where=f"property '{name}'",
                    remedy="train with a validation part to have intervals",
                )
            known = self.uncertainty[name].calibration
            raw_NP, lean_NP = self.said.deviation_NP, self.said.lean_NP
            below_N, above_N = known.sides(
                known.floored(None if raw_NP is None else raw_NP[:, column], size=len(self.mean_NP)),
                None if lean_NP is None else lean_NP[:, column],
                coverage=coverage,
            )
            low_NP[:, column] -= below_N
            high_NP[:, column] += above_N
        return low_NP, high_NP


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """A trained model, ready to be asked.

    Attributes:
        card: what it is.
        properties: name and unit of each property.
        uncertainty: of the properties that were calibrated, by name.
        said_of: what it says of crystals, in the units, before calibration.
    """

    card: BaseModel
    properties: tuple[tuple[str, str], ...]
    uncertainty: Mapping[str, Uncertainty]
    said_of: Callable[[Crystals], Said]

    def predict(self, crystals: Crystals) -> Predicted:
        """The properties of crystals.

        Raises:
            InputError: there are none, one has an element that the model was not trained on, or has no
                neighbours.
        """
        said = self.said_of(crystals)
        deviation_NP = None
        if said.deviation_NP is not None:
            deviation_NP = said.deviation_NP.copy()
            for column, (name, _) in enumerate(self.properties):
                if name in self.uncertainty:
                    mended = self.uncertainty[name].calibration.deviation
                    deviation_NP[:, column] = mended(deviation_NP[:, column])
        return Predicted(
            properties=self.properties,
            mean_NP=said.mean_NP,
            deviation_NP=deviation_NP,
            said=said,
            uncertainty=self.uncertainty,
        )


def open_model(folder: Path | str, *, device: str = "cpu") -> Predictor:
    """Open a network, an ensemble or a classical model, whichever the folder holds.

    Args:
        folder: of the model.
        device: where networks compute.

    Raises:
        InputError: there is no model, or it is damaged or of a kind that is not known.
    """
    path, document = card_of(folder)
    module, function = OPENERS[document["kind"]].split(":")
    opened: Predictor = getattr(import_module(module), function)(path.parent, device=device)
    return opened


def card_of(folder: Path | str) -> tuple[Path, dict[str, Any]]:
    """The card of a model as it is written, with its path; the model is not opened.

    Raises:
        InputError: there is no model, or its card is damaged or of a kind that is not known.
    """
    place = Path(folder)
    there = [place / name for name in CARDS if (place / name).is_file()]
    if not there:
        raise InputError(
            "there is no model",
            where=str(place),
            remedy=f"name a folder with {' or '.join(CARDS)}; pickles and checkpoints of others are not read",
        )
    document = read_card(there[0])
    if str(document["kind"]) not in OPENERS:
        raise UnknownKeyError.of(str(document["kind"]), OPENERS, where=f"kind in {there[0]}")
    return there[0], document


def read_card(path: Path, needs: str = "kind") -> dict[str, Any]:
    """What a card says.

    Raises:
        InputError: it cannot be read, or lacks what it needs.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        document[needs]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"it does not say what model it is of: {error!r}", where=str(path), remedy="train the model again"
        ) from None
    return document


def open_network(folder: Path, *, device: str) -> Predictor:
    """Open a network; see :func:`open_model`."""
    from zonemelt.tasks.train.model_folder import load_model
    from zonemelt.tasks.train.predict import said_of_crystals

    model, card = load_model(folder)
    return Predictor(
        card=card,
        properties=tuple((target.name, target.unit) for target in card.targets),
        uncertainty=card.uncertainty,
        said_of=lambda crystals: said_of_crystals(model, card, crystals, device=device),
    )
