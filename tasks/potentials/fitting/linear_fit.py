"""Fit a linear potential to energies and forces by least squares.

The ridge holds functions down the more, the faster they vary: a weight's square is multiplied with the
roughness of its function (:class:`.cluster_products.Products`), as if the truth were smooth.
"""

# A atoms, E edges, F features of an atom, K all weights (F for each element), G structures, R rows

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.metrics.energies_forces import mean_errors, named
from zonemelt.tasks.potentials.fitting.labels import read_labels, reference_energies
from zonemelt.tasks.potentials.fitting.linear_design import design
from zonemelt.tasks.potentials.linear import Linear, LinearCard
from zonemelt.tasks.train.labelled import check_split
from zonemelt.tasks.train.model_folder import save_model, versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from zonemelt.tasks.potentials.fitting.labels import Labels
    from zonemelt.tasks.potentials.linear import Basis
    from zonemelt.tasks.theory import Theory
    from zonemelt.tasks.train.labelled import Labelled

RIDGES: Final = tuple(10.0**power for power in range(-12, -2))
UNSEEN: Final = 1e-8
"""Of the largest function: what is smaller in all training structures is rounding."""
_TOGETHER: Final = 4  # structures at a time: all that their weights are multiplied with is in memory


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Linear equations of some structures: what the weights are multiplied with, and what it should give."""

    energy_GK: NDArray[np.float64]  # per atom
    energy_G: NDArray[np.float64]
    place_G: NDArray[np.int64]  # of its structure among all
    forces_RK: NDArray[np.float64]
    forces_R: NDArray[np.float64]
    place_R: NDArray[np.int64]


def fit_linear(
    labelled: Labelled,
    split: Mapping[str, NDArray[np.int64]],
    basis: Basis,
    *,
    theory: Theory,
    directory: Path,
    energy_weight: float = 10.0,
    seed: int | None = None,
    refit: bool = False,
) -> LinearCard:
    """Fit one, choose its ridge on the validation part, and write it into the directory.

    Args:
        labelled: a collection whose graphs have all edges within the cutoff of the basis.
        split: rows of ``train`` and ``validation``; of ``test``, to be judged at the end.
        basis: the functions.
        theory: of the labels.
        directory: of the potential.
        energy_weight: of the mean squared error of energies per atom, eV, beside that of forces, eV/Å.
        seed: of a bootstrap (B. Efron, Ann. Stat. 7, 1 (1979)): each training structure counts as often as it
            is drawn, so that fits with several seeds differ by as much as the data leaves them open. None to
            count each once.
        refit: whether the validation part joins the training part once the ridge is chosen; the metrics of
            validation are from before.

    Raises:
        InputError: a part is missing or overlaps another, an element is not in the training set, or there are
            no energies or forces.
    """
    import torch

    check_split(split, labelled.names_N)
    if "validation" not in split:
        raise InputError("no validation part", where="split", remedy="give one: the ridge is chosen on it")
    labels = {part: read_labels(labelled, rows) for part, rows in split.items()}
    _check_labels(labels["validation"])
    scale = labels["train"].scale
    elements = labels["train"].elements
    for part, found in labels.items():
        if strange := sorted(set(found.elements) - set(elements)):
            raise InputError(
                f"{', '.join(strange)} in '{part}', and not in 'train'",
                where="split",
                remedy="move samples, or leave them out",
            )
    basis = basis.model_copy(update={"elements": elements})
    _check_size(basis)
    energies_Z = reference_energies(labels["train"].counts_NZ, labels["train"].energies_N).tolist()
    references = dict(zip(elements, energies_Z, strict=True))

    held = list(_rows(labelled, labels["validation"], basis, references))
    times_N = _drawn(len(split["train"]), seed)
    equations = _Equations.of(labels["train"], basis, energy_weight, times_N)
    equations.add(_rows(labelled, labels["train"], basis, references), times_N)
    scales_K = equations.scales_K * np.tile(np.sqrt(basis.products.roughness_F), len(elements))

    def score(weights_K: NDArray[np.float64]) -> float:
        found = _errors(held, weights_K)
        return energy_weight * found[named("energy", "rmse")] ** 2 + found[named("forces", "rmse")] ** 2

    ridge, weights_K = _least(equations, scales_K, score)
    metrics = _errors(held, weights_K)
    if refit:
        equations.add(held)
        weights_K = equations.solved(scales_K, ridge)
    card = LinearCard(
        basis=basis,
        references=references,
        theory=theory,
        ridge=ridge,
        training={
            "samples": len(split["train"]),
            "seed": seed,
            "energy_weight": energy_weight,
            "force_rms": scale,
            "training_set": labelled.digest(split["train"]),
            "refit": refit,
        },
        metrics=metrics,
        versions=versions(),
    )
    weights_ZF = torch.from_numpy(weights_K.reshape(len(elements), -1))
    if "test" in split:
        fitted = Linear("fitted", card, weights_ZF)
        card = card.model_copy(update={"metrics": metrics | _judged(fitted, labelled, labels["test"])})
    save_model(directory, {"weights_ZF": weights_ZF}, card)
    return card


def _check_labels(held: Labels) -> None:
    """Refuse a validation part on which no ridge can be chosen.

    Raises:
        InputError: it has no energies or no forces.
    """
    for name, values_N in (("energies", held.energies_N), ("forces", held.forces_N)):
        if not np.isfinite(values_N).any():
            raise InputError(
                f"its samples have no {name}",
                where="part 'validation' of the split",
                remedy="move samples that have some there: the ridge is chosen on both",
            )


def _check_size(basis: Basis) -> None:
    """Refuse equations that do not fit into memory, before they are worked out.

    Raises:
        InputError: naming their number.
    """
    import psutil

    size = len(basis.elements) * basis.features
    needed, there = 3 * 8 * size**2, psutil.virtual_memory().available
    if needed > there:
        raise InputError(
            f"{size} weights to fit take {needed / 1e9:.1f} GB, and {there / 1e9:.1f} GB are free",
            where="basis of the linear potential",
            remedy="lower radial, degree or higher; the number of weights grows steeply with the elements",
        )


def _drawn(count: int, seed: int | None) -> NDArray[np.int64]:
    """How often each training structure counts (N,)."""
    if seed is None:
        return np.ones(count, np.int64)
    return np.bincount(np.random.default_rng(seed).integers(count, size=count), minlength=count)


@dataclass(kw_only=True)
class _Equations:
    """Normal equations, to which rows are added.

    Attributes:
        square_KK, right_K: means over energies and over components of forces of the training part.
        energy_share, force_share: the weight of a row of each.
    """

    square_KK: NDArray[np.float64]
    right_K: NDArray[np.float64]
    energy_share: float
    force_share: float

    @classmethod
    def of(cls, labels: Labels, basis: Basis, energy_weight: float, times_N: NDArray[np.int64]) -> _Equations:
        """Of no rows yet, weighted for a training part whose structures count so many times."""
        size = len(basis.elements) * basis.features
        energies = int(times_N[np.isfinite(labels.energies_N)].sum())
        forces = int(3 * (times_N * labels.sizes_N)[np.isfinite(labels.forces_N)].sum())
        return cls(
            square_KK=np.zeros((size, size)), right_K=np.zeros(size),
            energy_share=energy_weight / max(energies, 1),
            force_share=1.0 / max(forces, 1),
        )  # fmt: skip

    def add(self, parts: Iterable[_Rows], times_N: NDArray[np.int64] | None = None) -> None:
        """Add the rows of some structures, each as often as it counts."""
        for rows in parts:
            for left, right, place, share in (
                (rows.energy_GK, rows.energy_G, rows.place_G, self.energy_share),
                (rows.forces_RK, rows.forces_R, rows.place_R, self.force_share),
            ):
                if times_N is None:
                    root_R = np.full(len(right), np.sqrt(share))
                else:
                    root_R = np.sqrt(share * times_N[place])
                weighted = root_R[:, None] * left
                self.square_KK += weighted.T @ weighted
                self.right_K += weighted.T @ (root_R * right)

    @property
    def scales_K(self) -> NDArray[np.float64]:
        """How large what each weight is multiplied with is.

        What vanishes in all structures, as odd functions do where the atoms of a kind form a lattice, is
        rounding: on a scale of its own its weight would be anything. On that of the largest the ridge holds
        it at nothing.
        """
        squares_K = np.diag(self.square_KK)
        largest = max(float(squares_K.max(initial=0.0)), 1e-30)
        found: NDArray[np.float64] = np.sqrt(np.where(squares_K > UNSEEN**2 * largest, squares_K, largest))
        return found

    def solved(self, scales_K: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
        """The weights; times their scales, their squares are held down by the ridge.

        Raises:
            numpy.linalg.LinAlgError: the ridge is too small for the digits of a number.
        """
        from scipy.linalg import cho_factor, cho_solve

        square_KK = self.square_KK / np.outer(scales_K, scales_K)
        square_KK[np.diag_indices_from(square_KK)] += ridge * float(np.trace(square_KK)) / len(square_KK)
        factor = cho_factor(square_KK, overwrite_a=True, check_finite=False)
        found: NDArray[np.float64] = cho_solve(factor, self.right_K / scales_K, check_finite=False) / scales_K
        return found


def _least(
    equations: _Equations, scales_K: NDArray[np.float64], score: Callable[[NDArray[np.float64]], float]
) -> tuple[float, NDArray[np.float64]]:
    """The ridge with the least score and its weights: from the middle of :data:`RIDGES` downhill."""
    scores: dict[int, float] = {}
    weights: dict[int, NDArray[np.float64]] = {}

    def of(place: int) -> float:
        if place not in scores:
            try:
                weights[place] = equations.solved(scales_K, RIDGES[place])
                scores[place] = score(weights[place])
            except np.linalg.LinAlgError:
                scores[place] = np.inf
        return scores[place]

    place = len(RIDGES) // 2
    while (best := min(range(max(place - 1, 0), min(place + 2, len(RIDGES))), key=of)) != place:
        place = best
    return RIDGES[place], weights[place]


def _judged(found: Linear, labelled: Labelled, labels: Labels) -> dict[str, float]:
    """Errors of a potential on some rows; those without a label are left out."""
    energy, forces = [], []
    for start in range(0, len(labels.rows_N), _TOGETHER):
        some = slice(start, start + _TOGETHER)
        graphs = labelled.source.read(labels.rows_N[some])
        said = found.evaluate(graphs.crystals)
        energy.append((said.energies_G - labels.energies_N[some]) / labels.sizes_N[some])
        forces.append((said.forces_A3 - graphs.labels_A["forces"]).reshape(-1))
    errors = {"energy": np.concatenate(energy), "forces": np.concatenate(forces)}
    known = {name: values[np.isfinite(values)] for name, values in errors.items()}
    found_of = mean_errors({name: values for name, values in known.items() if len(values)})
    return {f"test {name}": value for name, value in found_of.items()}


def _errors(parts: list[_Rows], weights_K: NDArray[np.float64]) -> dict[str, float]:
    energy = np.concatenate([part.energy_GK @ weights_K - part.energy_G for part in parts])
    forces = np.concatenate([part.forces_RK @ weights_K - part.forces_R for part in parts])
    return mean_errors({"energy": energy, "forces": forces})


def _rows(
    labelled: Labelled, labels: Labels, basis: Basis, references: Mapping[str, float]
) -> Iterator[_Rows]:
    """The equations of a few structures at a time; those without a label are left out."""
    left_N = labels.without(references) / labels.sizes_N
    for start in range(0, len(labels.rows_N), _TOGETHER):
        some = slice(start, start + _TOGETHER)
        graphs = labelled.source.read(labels.rows_N[some])
        found = design(graphs, basis)
        forces_RK = found.forces_A3K.reshape(-1, found.forces_A3K.shape[2])
        forces_R = np.asarray(graphs.labels_A["forces"], float).reshape(-1)
        known_G, known_R = np.isfinite(left_N[some]), np.isfinite(forces_R)
        place_G = np.arange(start, start + len(graphs))
        place_R = np.repeat(place_G, 3 * graphs.crystals.sizes_G)
        yield _Rows(
            energy_GK=found.energy_GK[known_G],
            energy_G=left_N[some][known_G],
            place_G=place_G[known_G],
            forces_RK=forces_RK[known_R],
            forces_R=forces_R[known_R],
            place_R=place_R[known_R],
        )
