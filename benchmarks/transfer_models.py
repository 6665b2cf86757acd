"""What ``learn_transfer`` trains: networks on several properties, and classical models of what they learned.

One small network is pre-trained twice: first on formation energies and band gaps of the Materials Project,
which is the network for gaps and dielectric constants; then, for shear moduli and for phonon peaks, on all
properties but the one that it is for. Structures have 24 atoms at most. What has the composition of a test
structure of the target is left out; of the first pre-training, what has that of any test structure.

Apart from these, the layers of a potential that others have trained (SevenNet-0: energies, forces and
stresses of the Materials Project) describe the crystals. It has seen many of them, but none of the labels.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from benchmarks.data_files import keep
from benchmarks.transfer_data import FILES, JARVIS, TARGETS, TRIALS, collection, labelled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from zonemelt.tasks.train.labelled import Labelled

    Floats = NDArray[np.float64]
    Rows = NDArray[np.int64]

LARGEST: Final = 24  # atoms of a structure that is pre-trained on
FIRST: Final = ("fe", "bg")
EPOCHS: Final = {"first": 12, "gv": 6, "ph": 6}
HELD: Final = {"first": (*TARGETS, JARVIS), "gv": ("gv",), "ph": ("ph",)}  # what each never sees
LOGARITHM: Final = {"dc": (137.85, 139.85), "ph": (1.0, 1.1)}  # log(a y + b) is learned instead of y
FOLDS: Final = {True: 5, False: 3}  # within a trial: of few labels, of many
TREES: Final = {True: 100, False: 40}  # of a forest: for few labels, for many
FEW: Final = 200  # labels; no more are needed to fit a kernel
SCRATCH: Final = ("CS",)
TRANSFER: Final = (*SCRATCH, "CST", "ST", "T")
ALL: Final = (*TRANSFER, "CSF", "SF", "F")
POTENTIAL: Final = "sevennet-0"
MODELS: Final = {
    "CS": ("forest", "process"),
    "CST": ("forest", "process"),
    "ST": ("process",),
    "T": ("forest",),
    "CSF": ("forest", "process"),
    "SF": ("process",),
    "F": ("forest", "process"),
}


def network() -> Any:
    """The architecture of all networks here."""
    from zonemelt.tasks.models.registry import CognArchitecture

    return CognArchitecture(width=64, depth=3, k=12, cutoff=8.0)


def learned(name: str, y_N: Floats) -> Floats:
    """Labels as models learn them: logarithms of those that spread over decades."""
    if name not in LOGARITHM:
        return y_N
    factor, offset = LOGARITHM[name]
    logarithm_N: Floats = np.log(factor * y_N + offset)
    return logarithm_N


def unlearned(name: str, value_N: Floats) -> Floats:
    """Back, and within what labels can be."""
    factor, offset = LOGARITHM.get(name, (1.0, 0.0))
    back_N = (np.exp(value_N) - offset) / factor if name in LOGARITHM else value_N
    return np.clip(back_N, -1.0, 1.0)


def pretrained(name: str, directory: Path, *, quick: bool) -> Path:
    """The folder of a model, trained if it is not there.

    Args:
        name: of :data:`HELD`; ``first`` is the one that the others begin from.
        directory: of all models.
        quick: a few structures and one epoch.
    """
    from zonemelt.tasks.train.apart import rows_apart
    from zonemelt.tasks.train.joined import join, join_splits
    from zonemelt.tasks.train.model_folder import CARD
    from zonemelt.tasks.train.properties import train_properties
    from zonemelt.tasks.train.ranks import joined
    from zonemelt.tasks.train.settings import TrainSettings
    from zonemelt.tasks.train.transfer import Transfer

    first = name == "first"
    place = directory / ("a" if first else f"b_{name}")
    if (place / CARD).exists():
        return place
    own = {one: _scaled(one, directory) for one in (FIRST if first else FILES) if one not in HELD[name]}
    rows = {key: (one, _small(key, quick=quick)) for key, one in own.items()}
    for tested in HELD[name]:
        judged = (labelled(tested, directory, edges=network().edges), collection(tested).test)
        kept = rows_apart(rows, judged, by="composition")
        rows = {key: (own[key], found) for key, found in kept.items()}
    transfer = None if first else Transfer(
        model=pretrained("first", directory, quick=quick).absolute(), strategy="new head"
    )  # fmt: skip
    settings = TrainSettings(
        seed=0, epochs=1 if quick else EPOCHS[name], batch_size=64, keep=1, clip_norm=1.0,
        learning_rate=2e-3 if first else 1.5e-3, weight_decay=1e-5,
    )  # fmt: skip
    split = join_splits(own, {key: {"train": found} for key, (_, found) in rows.items()})
    with joined(device="cpu") as ranks:
        train_properties(
            join(own), split, network(), settings,
            ranks=ranks, directory=place, each="label", transfer=transfer,
        )  # fmt: skip
    return place


def _scaled(name: str, directory: Path) -> Labelled:
    one = labelled(name, directory, edges=network().edges)
    return replace(
        one,
        values_NP=learned(name, one.values_NP),
        properties=((name, "log" if name in LOGARITHM else "scaled"),),
    )


def _small(name: str, *, quick: bool) -> Rows:
    found = collection(name)
    rows = found.pool[found.crystals.sizes_G[found.pool] <= LARGEST]
    return rows[:: max(1, len(rows) // 60)] if quick else rows


@dataclass(frozen=True, kw_only=True)
class Described:
    """The samples of a target that take part, with their features.

    Attributes:
        rows: of the collection, ascending.
        blocks: ``C`` of compositions, ``S`` of structures, ``T`` of a pre-trained trunk and its heads,
            ``F`` of the layers of a potential.
    """

    rows: Rows
    blocks: dict[str, Floats]

    def places(self, rows: Rows) -> Rows:
        """Where samples are among these."""
        return np.searchsorted(self.rows, rows)


def described(target: str, directory: Path, *, rows: Rows, quick: bool) -> Described:
    """Features of some samples of a target; those of compositions and structures are kept."""
    from zonemelt.tasks.featurize.fractions import composition_blocks
    from zonemelt.tasks.featurize.structural import structural
    from zonemelt.tasks.potentials.latent import latent_features
    from zonemelt.tasks.potentials.load import load_potential
    from zonemelt.tasks.train.model_folder import load_model
    from zonemelt.tasks.train.transfer import features_of_graphs

    rows = np.unique(rows)
    found = collection(target)
    kept = directory / f"features_{target}_{len(rows)}.npz"
    if not kept.exists():
        values = structural(found.crystals.take(rows))
        structures = np.full((len(rows), len(values.labels)), np.nan)
        structures[values.rows_N] = values.values_NF
        compositions = composition_blocks([found.formulas[row] for row in rows.tolist()])["values"]
        layers, _ = latent_features(load_potential(POTENTIAL), found.crystals.take(rows))
        keep(kept, rows=rows, C=compositions, S=structures, F=layers)
    file = np.load(kept, allow_pickle=False)
    if (file["rows"] != rows).any():
        raise RuntimeError(f"{kept} is of other samples: remove it")
    model, card = load_model(pretrained(target if target in HELD else "first", directory, quick=quick))
    source = labelled(target, directory, edges=network().edges).source
    trunk = []
    for start in range(0, len(rows), 256):
        graphs = source.read(rows[start : start + 256])
        trunk.append(np.hstack([features_of_graphs(model, card, graphs), _heads(model, card, graphs)]))
    blocks = {name: file[name] for name in "CSF"} | {"T": np.concatenate(trunk)}
    return Described(rows=rows, blocks=blocks)


def _heads(model: Any, card: Any, graphs: Any) -> Floats:
    """What the model says of the other properties, scaled."""
    import torch

    with torch.inference_mode():
        said: Floats = model(card.network.batch(graphs, dtype="float32")).double().numpy()
    return said


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trial of a target: what is learned from, and what is asked for in the end."""

    target: str
    number: int
    learn: Rows
    test: Rows


def candidates(
    trial: Trial, given: Described, names: Sequence[str], *, trees: int
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Predictions of each model: of what is learned from, left out in turn, and of the test part.

    Args:
        trial: of a target.
        given: its features.
        names: combinations of blocks, ``CS`` say.
        trees: of a forest.
    """
    y_N = learned(trial.target, collection(trial.target).y_N[given.rows])
    pool, test = given.places(trial.learn), given.places(trial.test)
    folds = FOLDS[len(pool) <= FEW]
    fold_N = np.random.default_rng([trial.number, len(pool)]).permutation(len(pool)) % folds
    left: dict[str, Floats] = {}
    asked: dict[str, Floats] = {}
    for combination in names:
        x_NF = _columns(given, combination, pool)
        for kind in MODELS[combination]:
            fit: Any = {"forest": _forest, "process": _process}[kind]
            state = fit(x_NF[pool], y_N[pool], trees=trees, seed=trial.number, before=None)
            for name, value in state.predict(x_NF[test]).items():
                asked[f"{combination} {name}"] = unlearned(trial.target, value)
            for fold in range(folds):
                own, out = pool[fold_N != fold], pool[fold_N == fold]
                part = fit(x_NF[own], y_N[own], trees=trees, seed=trial.number, before=state)
                for name, value in part.predict(x_NF[out]).items():
                    column = left.setdefault(f"{combination} {name}", np.full(len(pool), np.nan))
                    column[fold_N == fold] = unlearned(trial.target, value)
    return left, asked


def _columns(given: Described, combination: str, pool: Rows) -> Floats:
    """Blocks side by side, scaled on what is learned from; each weighs the same, however many columns."""
    blocks = []
    for name in combination:
        block = given.blocks[name]
        middle = np.nanmedian(block[pool], axis=0)
        block = np.where(np.isnan(block), middle, block)
        deviation = block[pool].std(axis=0)
        varies = deviation > 1e-9
        scaled = (block[:, varies] - block[pool][:, varies].mean(axis=0)) / deviation[varies]
        blocks.append(np.clip(scaled, -10, 10) / np.sqrt(varies.sum()))
    return np.hstack(blocks)


class _Forest:
    def __init__(self, model: Any) -> None:
        self.model = model

    def predict(self, x_MF: Floats) -> dict[str, Floats]:
        """Mean and median of the trees."""
        each = np.array([tree.predict(x_MF.astype(np.float32)) for tree in self.model.estimators_])
        return {"forest": each.mean(axis=0), "forest, median": np.median(each, axis=0)}


def _forest(x_NF: Floats, y_N: Floats, *, trees: int, seed: int, before: Any) -> _Forest:
    del before
    from sklearn.ensemble import ExtraTreesRegressor

    return _Forest(ExtraTreesRegressor(trees, max_features=0.3, random_state=seed).fit(x_NF, y_N))


class _Process:
    def __init__(self, model: Any, mean: float, width: float) -> None:
        self.model, self.mean, self.width = model, mean, width

    def predict(self, x_MF: Floats) -> dict[str, Floats]:
        """The mean of the posterior."""
        return {"process": self.model.predict(x_MF) * self.width + self.mean}


def _process(x_NF: Floats, y_N: Floats, *, trees: int, seed: int, before: Any) -> _Process:
    """A Gaussian process; its kernel is fitted to 200 samples at most, and serves the folds, too."""
    del trees
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    mean, width = float(y_N.mean()), float(y_N.std())
    scaled = (y_N - mean) / width
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a hyperparameter at its bound is an answer here
        if before is None:
            shape = ConstantKernel(1.0, (1e-2, 1e3)) * Matern(1.0, (1e-2, 1e2), nu=1.5) + WhiteKernel(
                0.1, (1e-4, 1e1)
            )
            some = np.random.default_rng(seed).permutation(len(y_N))[:FEW]
            kernel = GaussianProcessRegressor(shape, random_state=seed).fit(x_NF[some], scaled[some]).kernel_
        else:
            kernel = before.model.kernel_
        model = GaussianProcessRegressor(kernel, optimizer=None).fit(x_NF, scaled)
    return _Process(model, mean, width)


def trials_of(target: str, size: int) -> list[Trial]:
    """The published trials of a target; all of a trial is learned from, and cut into folds to choose by."""
    found = collection(target)
    return [
        Trial(target=target, number=number, learn=np.concatenate(found.trial(number, size)), test=found.test)
        for number in TRIALS
    ]
