"""A classical model as two files: its training rows and its settings, from which it is fitted again.

``model.safetensors`` has features, labels and what the model said of its training rows; ``card.json`` has
the rest. Fitting is deterministic, so the model that is opened predicts as the one that was saved, to the
last bit, unless libraries have changed: then it says so. Nothing is unpickled.
"""

# N training rows, M rows asked about, F columns

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.learn.shallow import ModelSpec
from zonemelt.tasks.metrics.deviations import predict
from zonemelt.tasks.train.model_folder import CARD, WEIGHTS, reading
from zonemelt.tasks.train.said import Said
from zonemelt.tasks.train.uncertainty import Uncertainty  # noqa: TC001 (pydantic reads it)
from zonemelt.tasks.whole_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.train.predictor import Predictor

    Floats = NDArray[np.float64]


class ClassicalCard(BaseModel):
    """What a classical model is, what it was trained on and how well it does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["classical"] = "classical"
    property: str
    unit: str
    model: dict[str, Any] = Field(description="name, family, settings as chosen, what is done about gaps")
    columns: tuple[str, ...] = Field(min_length=1, description="that it sees, in order")
    formulas: tuple[str, ...] = Field(
        default=(), description="blocks of features that formulas give; none where features were given"
    )
    bounds: tuple[float | None, float | None] = (None, None)
    seed: int
    uncertainty: Uncertainty | None = Field(
        description="from training rows that were left out in turn; none with fewer than 10"
    )
    training: dict[str, Any] = Field(description="samples, hash of the table, inner folds, warnings")
    metrics: dict[str, float] = Field(
        description="on left-out training rows, by which the settings were chosen too; units in their names"
    )
    versions: dict[str, str]

    def spec(self) -> ModelSpec:
        """The model, with nothing left to choose."""
        return ModelSpec.of({**self.model, "grid": {}})


@dataclass(frozen=True, kw_only=True)
class ClassicalModel:
    """A fitted classical model.

    Attributes:
        card: what it is.
        pipeline: of scikit-learn, fitted.
        x_NF: features of its training rows.
        y_N: their labels, in the unit of the card.
        differences: what is not as it was when it was saved, in words; empty where nothing is.
    """

    card: ClassicalCard
    pipeline: Any
    x_NF: Floats
    y_N: Floats
    differences: str = ""

    def said(self, x_MF: Floats) -> Said:
        """What it says of rows of features (M, F), in the unit of the card, before calibration.

        Raises:
            InputError: there are other columns, or a feature is infinite or not known.
        """
        x_MF = np.asarray(x_MF, dtype=np.float64)
        self._check(x_MF)
        spec = self.card.spec()
        mean_M, deviation_M = predict(self.pipeline, x_MF, kind=spec.deviations)
        low, high = self.card.bounds
        if (low, high) != (None, None):
            mean_M = np.clip(mean_M, low, high)
        return Said(
            mean_NP=mean_M[:, None], deviation_NP=None if deviation_M is None else deviation_M[:, None]
        )

    def features_of(self, formulas: Sequence[str]) -> Floats:
        """The features (M, F) of formulas.

        An element without a training row is noticed where ``fractions`` are among the blocks.

        Raises:
            InputError: a formula cannot be read or has an element without a training row, or the model was
                trained on other features than formulas have.
        """
        from zonemelt.tasks.featurize.fractions import composition_blocks

        if not self.card.formulas:
            raise InputError(
                "it reads features, not formulas", where=f"model of {self.card.property}",
                remedy=f"give the columns {', '.join(self.card.columns[:5])}, …",
            )  # fmt: skip
        found = composition_blocks(formulas, blocks=self.card.formulas)
        at = {label: column for column, label in enumerate(found["labels"])}
        known = set(self.card.columns)
        strange = [label for label in at if label.startswith("fraction ") and label not in known]
        if strange and any(label.startswith("fraction ") for label in known):
            row = int(np.flatnonzero(found["values"][:, at[strange[0]]])[0])
            raise InputError(
                f"the model has not seen {', '.join(label.removeprefix('fraction ') for label in strange)}",
                where=f"row {row}, {formulas[row]}",
                remedy="leave these rows out, or train on some with these elements",
            )
        x_MF = np.zeros((len(formulas), len(self.card.columns)))  # none of an element is a fraction of zero
        for column, label in enumerate(self.card.columns):
            if label in at:
                x_MF[:, column] = found["values"][:, at[label]]
        return x_MF

    def save(self, folder: Path) -> None:
        """Write the two files; the card last, so that a folder with a card is whole."""
        from safetensors.numpy import save

        arrays = {"x_NF": self.x_NF, "y_N": self.y_N, "said_N": self.said(self.x_NF).mean_NP[:, 0]}
        write_whole(folder / WEIGHTS, save({k: np.ascontiguousarray(v) for k, v in arrays.items()}))
        write_whole(folder / CARD, self.card.model_dump_json(indent=1).encode() + b"\n")

    def _check(self, x_MF: Floats) -> None:
        if x_MF.ndim != 2 or x_MF.shape[1] != len(self.card.columns):  # noqa: PLR2004 (rows and columns)
            raise InputError(
                f"features of shape {x_MF.shape} for {len(self.card.columns)} columns", where="features",
                remedy=f"give rows of {', '.join(self.card.columns[:5])}, …",
            )  # fmt: skip
        bad = np.isinf(x_MF) if self.card.model["missing"] != "refuse" else ~np.isfinite(x_MF)
        if bad.any():
            row, column = np.argwhere(bad)[0].tolist()
            raise InputError(
                f"'{self.card.columns[column]}' is {x_MF[row, column]}", where=f"row {row}",
                remedy="leave the row out, or give a number",
            )  # fmt: skip


def load_classical(folder: Path) -> ClassicalModel:
    """Read a model and fit it again.

    Warns:
        UserWarning: it does not say of its training rows what it said when it was saved, because libraries
            are of other versions, or this is another machine.

    Raises:
        InputError: there is none, or it is of another kind, or damaged.
    """
    from safetensors.numpy import load_file

    place = Path(folder)
    with reading(place, "classical model"):
        card = ClassicalCard.model_validate_json((place / CARD).read_text(encoding="utf-8"))
        arrays = load_file(place / WEIGHTS)
        x_NF, y_N, said_N = (arrays[name] for name in ("x_NF", "y_N", "said_N"))
    if x_NF.shape != (len(y_N), len(card.columns)) or said_N.shape != y_N.shape:
        raise InputError(
            f"features {x_NF.shape}, labels {y_N.shape} and {len(card.columns)} columns do not fit",
            where=str(place), remedy="save the model again",
        )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what was complained of is in the card
        pipeline = card.spec().pipeline(seed=card.seed).fit(x_NF, y_N)
    model = ClassicalModel(card=card, pipeline=pipeline, x_NF=x_NF, y_N=y_N)
    off_N = model.said(x_NF).mean_NP[:, 0] - said_N
    differences = _differences(card, off_N)
    if off_N.any():
        warnings.warn(f"{place}: {differences}", UserWarning, stacklevel=2)
    return replace(model, differences=differences)


def open_classical(folder: Path, *, device: str) -> Predictor:  # noqa: ARG001 (of networks)
    """Open a model for crystals, of which it reads the formulas; see :func:`.open_model`.

    Raises:
        InputError: there is no model, it is damaged, or it reads other features than formulas.
    """
    from zonemelt.tasks.train.predictor import Predictor

    model = load_classical(folder)
    card = model.card
    if not card.formulas:
        raise InputError(
            "it was trained on features that crystals alone do not give", where=str(folder),
            remedy="use load_classical, and give its columns to `said`",
        )  # fmt: skip
    return Predictor(
        card=card,
        properties=((card.property, card.unit),),
        uncertainty={} if card.uncertainty is None else {card.property: card.uncertainty},
        said_of=lambda crystals: model.said(model.features_of(formulas_of(crystals))),
    )


def formulas_of(crystals: Crystals) -> list[str]:
    """The formula of each crystal, elements in the order of their numbers."""
    from ase.data import chemical_symbols

    from zonemelt.tasks.featurize.compositions import Compositions

    found = Compositions.of_crystals(crystals)
    parts = [
        f"{chemical_symbols[number]}{amount:.0f}"
        for number, amount in zip(found.numbers_E.tolist(), found.amounts_E.tolist(), strict=True)
    ]
    return ["".join(parts[start:stop]) for start, stop in pairwise(found.first_N.tolist())]


def _differences(card: ClassicalCard, off_N: Floats) -> str:
    """In words, how a model that was fitted again is another one; empty where nothing is."""
    here = versions()
    others = [f"{k} {here.get(k)} and not {v}" for k, v in card.versions.items() if here.get(k) != v]
    if not off_N.any():
        return f"here is {', '.join(others)}; its predictions of training rows are the same" if others else ""
    return (
        f"here is {', '.join(others) or 'another machine'}: fitted again, its predictions of training rows "
        f"differ by up to {np.abs(off_N).max():.2g} {card.unit}"
    )


def versions() -> dict[str, str]:
    """Of what the numbers depend on."""
    from importlib.metadata import version

    return {name: version(name) for name in ("zonemelt", "scikit-learn", "scipy", "numpy")}
