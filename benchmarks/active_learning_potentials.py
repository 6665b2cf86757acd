"""Labels that a potential needs: chosen by what a linear model cannot know yet, by a committee, by chance.

The official training parts of mlearn (Y. Zuo et al., J. Phys. Chem. A 124, 731 (2020)) are pools whose
energies and forces are hidden until they are asked for; errors are those on the official test parts. The
potential is linear in its weights, so that a fit solves normal equations that are sums over structures.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from benchmarks.data_files import absent, data, frames, keep
from benchmarks.report import Row, say, spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# K weights, N structures of the pool, R components of forces

ELEMENTS: Final = ("Si", "Cu")
REFERENCES: Final = (20, 40, 80)
COUNTS: Final = (8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80)
"""Labels after each round; the first are drawn at random."""
SEEDS: Final = (0, 1, 2, 3, 4)
CHANCE: Final = 4  # times as many seeds: chance scatters more
STRATEGIES: Final = ("v_optimal", "d_optimal", "top", "conditional_variance")
ENERGY_WEIGHT, MEMBERS, FOLDS = 10.0, 5, 4
RIDGES: Final = 10.0 ** np.arange(-12, -2)
PUBLISHED: Final = 0.9  # diversity-aware selection: 5 to 13 % fewer labels than chance (arXiv:2601.06916)


@dataclass(frozen=True, kw_only=True)
class Design:
    """Structures as a linear potential sees them: known before any label.

    Attributes:
        energy_NK: what weights are multiplied with to give energies per atom.
        forces: the same for the force components (R, K) of each structure.
    """

    energy_NK: Floats
    forces: list[Floats]

    def squares(self, rows: Sequence[int]) -> Floats:
        """The normal matrix (K, K) of some structures: means over energies and over components of forces."""
        components = sum(len(self.forces[row]) for row in rows)
        own = self.energy_NK[list(rows)]
        total: Floats = ENERGY_WEIGHT * own.T @ own / len(rows)
        for row in rows:
            total += self.forces[row].T @ self.forces[row] / components
        return total


@dataclass
class Hidden:
    """Energies (eV/atom) and forces behind a counter: each can be asked for once."""

    energies: Floats
    forces: list[Floats]
    asked: list[int] = field(default_factory=list)

    def ask(self, rows: Sequence[int]) -> dict[int, tuple[float, Floats]]:
        """Labels of some structures.

        Raises:
            ValueError: one was asked for before.
        """
        if set(rows) & set(self.asked):
            raise ValueError(f"asked twice: {set(rows) & set(self.asked)}")
        self.asked += rows
        return {row: (float(self.energies[row]), self.forces[row]) for row in rows}


def weights(design: Design, labels: dict[int, tuple[float, Floats]], rows: Sequence[int]) -> Any:
    """A function from a ridge to the weights that some labelled structures give."""
    reference = np.mean([labels[row][0] for row in rows])
    components = sum(len(design.forces[row]) for row in rows)
    right: Floats = np.zeros(design.energy_NK.shape[1])
    for row in rows:
        energy, forces = labels[row]
        right += ENERGY_WEIGHT * design.energy_NK[row] * (energy - reference) / len(rows)
        right += design.forces[row].T @ forces / components
    squares = design.squares(rows)
    scales = np.sqrt(np.maximum(np.diag(squares), 1e-30))
    values, vectors = np.linalg.eigh(squares / np.outer(scales, scales))
    turned = vectors.T @ (right / scales)
    return lambda ridge: (vectors @ (turned / (values.clip(0) + ridge))) / scales


def fitted(design: Design, labels: dict[int, tuple[float, Floats]]) -> tuple[Floats, float]:
    """Weights and the ridge, chosen on parts of the labelled structures that are left out in turn."""
    rows = np.array(sorted(labels))
    parts = np.array_split(np.random.default_rng(0).permutation(rows), FOLDS)
    losses = np.zeros(len(RIDGES))
    for part in parts:
        found = weights(design, labels, np.setdiff1d(rows, part).tolist())
        every = np.array([found(ridge) for ridge in RIDGES]).T
        for row in part:
            losses += ((design.forces[row] @ every - labels[row][1][:, None]) ** 2).sum(axis=0)
    ridge = float(RIDGES[losses.argmin()])
    return weights(design, labels, rows.tolist())(ridge), ridge


def spreads(design: Design, labels: dict[int, tuple[float, Floats]], ridge: float, *, seed: int) -> Floats:
    """Largest spread of a force component's members over each structure of the pool (N,), eV/Å."""
    generator, rows = np.random.default_rng(seed), sorted(labels)
    members = []
    for _ in range(MEMBERS):
        drawn = generator.choice(rows, size=len(rows), replace=True)
        members.append(weights(design, labels, drawn.tolist())(ridge))
    every = np.array(members).T
    return np.array([(forces @ every).std(axis=1, ddof=1).max() for forces in design.forces])


def learn(
    strategy: str,
    design: Design,
    blocks: list[Floats],
    hidden: Hidden,
    judged: Any,
    *,
    counts: Sequence[int],
    seed: int,
) -> list[tuple[int, float, float]]:
    """Ask round by round; after each how many labels there are, and both errors on the test part."""
    from zonemelt.tasks.acquire.likeness import kernel_of_spread
    from zonemelt.tasks.acquire.select import Pool, Selecting, select

    size = len(design.forces)
    generator = np.random.default_rng(seed)
    labels = hidden.ask(generator.permutation(size)[: counts[0]].tolist())
    own, ridge = fitted(design, labels)
    curve = [(len(labels), *judged(own))]
    for count in counts[1:]:
        left = sorted(set(range(size)) - set(labels))
        names = tuple(f"{row:04d}" for row in left)
        pool = Pool(names=names)
        if strategy in {"d_optimal", "v_optimal"}:
            known = sum(blocks[row].T @ blocks[row] for row in labels)
            known = known + 1e-6 * np.trace(known) / len(known) * np.eye(len(known))
            pool = Pool(names=names, blocks=[blocks[row] for row in left], known_KK=known)
        elif strategy != "random":
            spread_N = spreads(design, labels, ridge, seed=seed)[left]
            means = design.energy_NK / (design.energy_NK.std(axis=0) + 1e-12)
            pool = Pool(
                names=names, scores={"force_spread": spread_N},
                covariance_NN=kernel_of_spread(spread_N, means[left]), noise=0.01,
            )  # fmt: skip
        wanted = count - len(labels)
        found = select(pool, Selecting(strategy=strategy), count=wanted, seed=seed + len(labels))
        labels |= hidden.ask([int(name) for name in found.chosen])
        own, ridge = fitted(design, labels)
        curve.append((len(labels), *judged(own)))
    return curve


def needed(curve: dict[int, float], error: float) -> int | None:
    """The fewest labels with an error that is as small; None where none is."""
    return next((count for count, own in sorted(curve.items()) if own <= error), None)


def rows(quick: bool) -> Iterator[Row]:
    """Labels of each strategy for the error that chance has with a given number."""
    for element in ELEMENTS[:1] if quick else ELEMENTS:
        places = [data("04_mlearn", f"{element}_{part}.extxyz.gz") for part in ("train", "test")]
        if None in places:
            yield absent(f"labels for mlearn {element}", "labels", quick=quick)
            continue
        yield from _element(element, [place for place in places if place is not None], quick=quick)


def _element(element: str, places: Sequence[Path], *, quick: bool) -> Iterator[Row]:
    began = time.process_time()
    pool, test = (_read(element, place, quick=quick) for place in places)
    design, energies, forces = pool
    blocks = [
        np.linalg.qr(np.vstack([np.sqrt(ENERGY_WEIGHT * len(own)) * design.energy_NK[[row]], own]), mode="r")
        for row, own in enumerate(design.forces)
    ]
    every, true = np.vstack(test[0].forces), np.concatenate(test[2])

    def judged(own: Floats) -> tuple[float, float]:
        away = every @ own - true
        return float(np.sqrt((away**2).mean())), float(np.abs(away).mean())

    say(f"{element}: {len(forces)} structures, {design.energy_NK.shape[1]} weights")
    every_count = COUNTS[:4] if quick else COUNTS
    curves: dict[str, list[list[tuple[int, float, float]]]] = {}
    for strategy in ("random", *(STRATEGIES[:1] if quick else STRATEGIES)):
        seeds = range(len(SEEDS[:2] if quick else SEEDS) * (CHANCE if strategy == "random" else 1))
        curves[strategy] = []
        for seed in seeds:
            hidden = Hidden(energies, forces)
            curves[strategy].append(
                learn(
                    strategy, design, blocks, hidden, judged, seed=seed,
                    counts=REFERENCES if strategy == "random" and not quick else every_count,
                )
            )  # fmt: skip
            assert len(hidden.asked) == len(set(hidden.asked)) == curves[strategy][-1][-1][0]
        for count in every_count:
            errors = [[point[1:] for point in one if point[0] == count] for one in curves[strategy]]
            if all(errors):
                mean, away = np.mean(errors, axis=0)[0], np.std(errors, axis=0)[0]
                say(f"  {strategy}, {count}: RMSE, MAE {mean.round(4)} ± {away.round(4)}")
    seconds = time.process_time() - began
    for strategy in list(curves)[1:]:
        for column, kind in ((1, "RMSE"), (2, "MAE")):
            for reference in REFERENCES[:1] if quick else REFERENCES:
                yield _row(
                    element, strategy, kind, reference, curves, column=column, quick=quick, seconds=seconds
                )


def _row(
    element: str, strategy: str, kind: str, reference: int, curves: Any, *, column: int, quick: bool,
    seconds: float,
) -> Row:  # fmt: skip
    def mean(name: str) -> dict[int, float]:
        counts = [point[0] for point in curves[name][0]]
        return {
            count: float(np.mean([one[place][column] for one in curves[name]]))
            for place, count in enumerate(counts)
        }

    chance, own = mean("random"), mean(strategy)
    of_chance = [point[column] for one in curves["random"] for point in one if point[0] == reference]
    found = needed(own, chance[reference])
    each = [
        float(count)
        for one in curves[strategy]
        if (count := needed({point[0]: point[column] for point in one}, chance[reference])) is not None
    ]
    later = [count for count, error in own.items() if found is not None and found < count <= reference]
    worse = sum(own[count] > chance[reference] for count in later)
    note = (
        f"chance has {chance[reference]:.4f} ± {np.std(of_chance):.4f} eV/Å with {reference} labels"
        f" ({len(of_chance)} seeds); by seed {', '.join(f'{one:.0f}' for one in each)}"
    )
    if len(each) < len(curves[strategy]):
        note += f"; {len(curves[strategy]) - len(each)} seeds never"
    if worse:
        note += f"; above it again at {worse} of {len(later)} later steps"
    if found is None:
        note += f"; not reached with {max(own)}"
    return Row(
        name=f"labels for mlearn {element}, forces, {kind} of {reference} at random, {strategy}",
        unit="labels",
        ours=None if found is None else float(found), peer=float(reference), peer_name="at random, same run",
        target="ratio <= 0.7" if strategy == "v_optimal" else "", spread=spread(each), seconds=seconds,
        quick=quick, note=note,
    )  # fmt: skip


def _read(element: str, place: Path, *, quick: bool) -> tuple[Design, Floats, list[Floats]]:
    """What is known before the labels, and these: energies and forces."""
    from zonemelt.tasks.potentials.linear import Basis

    some = frames(place)[:: 4 if quick else 1]
    basis = Basis(
        cutoff=4.0 if quick else 5.0, radial=4 if quick else 6, degree=2 if quick else 4, elements=(element,)
    )
    labels = [one.get_forces().reshape(-1) for one in some]
    energies = np.array([one.get_potential_energy() / len(one) for one in some])
    return _designed(some, basis, called=place.name.split(".")[0]), energies, labels


def _designed(some: Sequence[Any], basis: Any, *, called: str) -> Design:
    """The rows of all structures; kept in ``$ZONEMELT_WORK``, if there is one, in single precision."""
    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.featurize.graphs import Edges, graphs_of
    from zonemelt.tasks.potentials.fitting.linear_design import design

    name = f"{called}-{len(some)}-{basis.cutoff:g}-{basis.radial}-{basis.degree}.npz"
    kept = Path(os.environ["ZONEMELT_WORK"], name) if "ZONEMELT_WORK" in os.environ else None
    ends = np.cumsum([3 * len(one) for one in some])[:-1]
    if kept is not None and kept.is_file():
        with np.load(kept, allow_pickle=False) as found:
            forces = np.split(found["forces"].astype(np.float64), ends)
            return Design(energy_NK=found["energy"], forces=forces)
    energy, forces = [], []
    for one in some:
        graphs = graphs_of(Crystals.of_atoms([one]), Edges(cutoff=basis.cutoff, k=None))
        rows = design(graphs, basis)
        energy.append(rows.energy_GK[0])
        forces.append(rows.forces_A3K.reshape(-1, rows.energy_GK.shape[1]))
    if kept is not None:
        keep(kept, energy=np.array(energy), forces=np.concatenate(forces).astype(np.float32))
    return Design(energy_NK=np.array(energy), forces=forces)
