"""Fit a linear potential to energies and forces by least squares."""

# A atoms, E edges, F features of an atom, K all weights (F for each element), G structures, R rows

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.potentials.fitting.labels import read_labels, reference_energies
from zonemelt.tasks.potentials.linear import Basis, LinearCard, kinds_of
from zonemelt.tasks.train.model_folder import save_model, versions
from zonemelt.tasks.train.properties import check_split

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from zonemelt.tasks.featurize.graphs import Graphs
    from zonemelt.tasks.potentials.fitting.labels import Labels
    from zonemelt.tasks.theory import Theory
    from zonemelt.tasks.train.properties import Labelled

RIDGES: Final = tuple(10.0**power for power in range(-12, -2))
_TOGETHER: Final = 2  # structures at a time: the slopes of all features along all edges are in memory


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

    Raises:
        InputError: a part is missing or overlaps another, an element is not in the training set, or there are
            no energies or forces.
    """
    import torch

    check_split(split, labelled.names_N)
    if "validation" not in split:
        raise InputError("no validation part", where="split", remedy="give one: the ridge is chosen on it")
    labels = {part: read_labels(labelled, rows) for part, rows in split.items()}
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
    energies_Z = reference_energies(labels["train"].counts_NZ, labels["train"].energies_N).tolist()
    references = dict(zip(elements, energies_Z, strict=True))

    times_N = _drawn(len(split["train"]), seed)
    square_KK, right_K = _normal(labelled, labels["train"], basis, references, energy_weight, times_N)
    judged = {
        part: list(_rows(labelled, labels[part], basis, references)) for part in split if part != "train"
    }
    scales_K = np.sqrt(np.maximum(np.diag(square_KK), 1e-30))
    values_K, vectors_KK = np.linalg.eigh(square_KK / np.outer(scales_K, scales_K))
    turned_K = vectors_KK.T @ (right_K / scales_K)

    def weights(ridge: float) -> NDArray[np.float64]:
        solved: NDArray[np.float64] = (vectors_KK @ (turned_K / (values_K.clip(min=0) + ridge))) / scales_K
        return solved

    def score(ridge: float) -> float:
        found = _errors(judged["validation"], weights(ridge))
        return energy_weight * found["energy rmse (eV/atom)"] ** 2 + found["forces rmse (eV/Å)"] ** 2

    ridge = min(RIDGES, key=score)
    metrics: dict[str, float] = {}
    for part, prefix in (("validation", ""), ("test", "test ")):
        if part in judged:
            own = _errors(judged[part], weights(ridge))
            metrics |= {f"{prefix}{name}": value for name, value in own.items()}
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
        },
        metrics=metrics,
        versions=versions(),
    )
    save_model(directory, {"weights_ZF": torch.from_numpy(weights(ridge).reshape(len(elements), -1))}, card)
    return card


def _drawn(count: int, seed: int | None) -> NDArray[np.int64]:
    """How often each training structure counts (N,)."""
    if seed is None:
        return np.ones(count, np.int64)
    return np.bincount(np.random.default_rng(seed).integers(count, size=count), minlength=count)


def _normal(  # noqa: PLR0917  what the equations are made of
    labelled: Labelled,
    labels: Labels,
    basis: Basis,
    references: Mapping[str, float],
    energy_weight: float,
    times_N: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The normal equations of the training part: means over energies and over components of forces."""
    size = len(basis.elements) * basis.features
    square_KK, right_K = np.zeros((size, size)), np.zeros(size)
    known_N = np.isfinite(labels.forces_N)
    energies = max(int(times_N[np.isfinite(labels.energies_N)].sum()), 1)
    forces = max(int(3 * (times_N * labels.sizes_N)[known_N].sum()), 1)
    for rows in _rows(labelled, labels, basis, references):
        for left, right, place, weight in (
            (rows.energy_GK, rows.energy_G, rows.place_G, energy_weight / energies),
            (rows.forces_RK, rows.forces_R, rows.place_R, 1.0 / forces),
        ):
            weighted = (weight * times_N[place])[:, None] * left
            square_KK += weighted.T @ left
            right_K += weighted.T @ right
    return square_KK, right_K


def _errors(parts: list[_Rows], weights_K: NDArray[np.float64]) -> dict[str, float]:
    energy = np.concatenate([part.energy_GK @ weights_K - part.energy_G for part in parts])
    forces = np.concatenate([part.forces_RK @ weights_K - part.forces_R for part in parts])
    found = {}
    for name, values in (("energy {} (eV/atom)", energy), ("forces {} (eV/Å)", forces)):
        found[name.format("mae")] = float(np.abs(values).mean())
        found[name.format("rmse")] = float(np.sqrt((values**2).mean()))
    return found


def _rows(
    labelled: Labelled, labels: Labels, basis: Basis, references: Mapping[str, float]
) -> Iterator[_Rows]:
    """The equations of a few structures at a time; those without a label are left out."""
    left_N = labels.without(references) / labels.sizes_N
    for start in range(0, len(labels.rows_N), _TOGETHER):
        some = slice(start, start + _TOGETHER)
        graphs = labelled.source.read(labels.rows_N[some])
        energy_GK, forces_AK3 = design(graphs, basis)
        size = energy_GK.shape[1]
        forces_RK = forces_AK3.transpose(0, 2, 1).reshape(-1, size)
        forces_R = np.asarray(graphs.labels_A["forces"], float).reshape(-1)
        known_G, known_R = np.isfinite(left_N[some]), np.isfinite(forces_R)
        place_G = np.arange(start, start + len(graphs))
        place_R = np.repeat(place_G, 3 * graphs.crystals.sizes_G)
        yield _Rows(
            energy_GK=energy_GK[known_G],
            energy_G=left_N[some][known_G],
            place_G=place_G[known_G],
            forces_RK=forces_RK[known_R],
            forces_R=forces_R[known_R],
            place_R=place_R[known_R],
        )


def design(graphs: Graphs, basis: Basis) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What weights are multiplied with to give energies per atom (G, K), and forces (A, K, 3)."""
    import torch

    vectors_E3 = torch.from_numpy(graphs.neighbours.vectors_E3)
    neighbour_E, centre_E = torch.from_numpy(graphs.neighbours.index_2E)
    kind_A = kinds_of(torch.from_numpy(graphs.crystals.numbers_A.astype(np.int64)), basis.elements)
    kinds, atoms = len(basis.elements), len(kind_A)
    sums_ACD = basis.sums(basis.functions(vectors_E3), centre_E, kind_A[neighbour_E], atoms)
    own_AF = basis.of_atoms(sums_ACD)
    forces = torch.zeros(atoms, kinds, basis.features, 3, dtype=torch.float64)
    flat = forces.view(atoms * kinds, basis.features, 3)
    for axis in range(3):
        slopes_EF = _slopes(basis, vectors_E3, sums_ACD, axis, centre_E, kind_A[neighbour_E])
        for atom_E, sign in ((centre_E, 1.0), (neighbour_E, -1.0)):
            flat[:, :, axis].index_add_(0, atom_E * kinds + kind_A[centre_E], slopes_EF, alpha=sign)
    count = len(graphs)
    owner_A = torch.repeat_interleave(torch.arange(count), torch.from_numpy(graphs.crystals.sizes_G))
    energies = torch.zeros(count * kinds, basis.features, dtype=torch.float64)
    energies.index_add_(0, owner_A * kinds + kind_A, own_AF)
    sizes_G: Any = graphs.crystals.sizes_G[:, None]
    return (
        energies.reshape(count, -1).numpy() / sizes_G,
        forces.reshape(atoms, -1, 3).numpy(),
    )


def _slopes(  # noqa: PLR0917  the edges, as arrays
    basis: Basis,
    vectors_E3: torch.Tensor,
    sums_ACD: torch.Tensor,
    axis: int,
    centre_E: torch.Tensor,
    kind_E: torch.Tensor,
) -> torch.Tensor:
    """How the functions of its centre change when an edge changes along an axis (E, F)."""
    import torch

    direction_E3 = torch.zeros_like(vectors_E3)
    direction_E3[:, axis] = 1.0
    change_END: torch.Tensor = torch.func.jvp(basis.functions, (vectors_E3,), (direction_E3,))[1]
    edges = torch.arange(len(vectors_E3))
    change_ECD = basis.sums(change_END, edges, kind_E, len(vectors_E3))
    return torch.cat([change_ECD[:, :, 0], basis.invariants(change_ECD, sums_ACD[centre_E])], dim=1)
