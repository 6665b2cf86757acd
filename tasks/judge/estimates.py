"""Properties of crystals by trained models, as a judgement needs them: a value, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.judge.verdict import Estimate
from zonemelt.tasks.train.ask import ask_each
from zonemelt.tasks.train.predictor import open_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonemelt.tasks.records import Geometry
    from zonemelt.tasks.train.predictor import Predictor


@dataclass
class Estimated:
    """What models say of one crystal.

    Attributes:
        properties: name → estimate.
        refused: why a model says nothing; empty where all do.
    """

    properties: dict[str, Estimate] = field(default_factory=dict)
    refused: str = ""


class Models:
    """Several models of properties, opened.

    Args:
        folders: of trained models.
        device: where networks compute.

    Raises:
        InputError: one cannot be opened, or two predict one property.
    """

    def __init__(self, folders: Sequence[str], *, device: str = "cpu") -> None:
        self.units: dict[str, str] = {}
        self._opened: list[Predictor] = []
        for folder in folders:
            opened = open_model(folder, device=device)
            if twice := sorted(set(self.units) & {name for name, _ in opened.properties}):
                raise InputError(
                    f"'{twice[0]}' is predicted by two models", where=folder, remedy="give one of them"
                )
            self.units |= dict(opened.properties)
            self._opened.append(opened)

    def __call__(self, geometries: Sequence[Geometry]) -> list[Estimated]:
        """What they say of each crystal, in the order given."""
        found = [Estimated() for _ in geometries]
        if not geometries:
            return found
        crystals = Crystals.of(geometries)
        for model in self._opened:
            answers = ask_each(model, crystals)
            for place, reason in answers.refused.items():
                found[place].refused = reason
            if (said := answers.predicted) is None:
                continue
            for row, place in enumerate(answers.rows_M.tolist()):
                for column, (name, unit) in enumerate(said.properties):
                    deviation = None if said.deviation_NP is None else float(said.deviation_NP[row, column])
                    found[place].properties[name] = Estimate(
                        value=float(said.mean_NP[row, column]), unit=unit, deviation=deviation
                    )
        return found
