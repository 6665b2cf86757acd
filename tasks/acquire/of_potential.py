"""What a potential, or a committee, says of candidates: scores, features, and a linear model's rows."""

# A atoms of all structures, G structures, F features, K weights of a linear potential

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.acquire.likeness import kernel_of_spread
from zonemelt.tasks.acquire.scores import distances
from zonemelt.tasks.acquire.select import Pool
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.featurize.describe import table
from zonemelt.tasks.potentials.committee import Committee
from zonemelt.tasks.potentials.linear import Linear
from zonemelt.tasks.quality.contacts import too_close

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.explore.candidate import Parent
    from zonemelt.tasks.potentials.linear import Basis
    from zonemelt.tasks.potentials.potential import Potential

    Floats = NDArray[np.float64]

SCORES: Final = ("force_spread", "force_spread_mean", "energy_spread", "force", "distance")
_TOGETHER: Final = 4  # structures at a time whose rows are in memory
_RIDGE: Final = 1e-6  # of the mean of the diagonal: what is assumed of a linear model without any label


def pool_of(
    potential: Potential,
    candidates: Sequence[Parent],
    known: Sequence[Parent],
    *,
    features: str = "acsf",
    cutoff: float = 5.0,
    closest: float = 0.5,
    rows: bool = False,
) -> Pool:
    """Ask a potential.

    Args:
        potential: a committee for scores of its spread; one potential has none.
        candidates: to choose among.
        known: what is labelled already.
        features: kind of features that tell structures apart, see :data:`.FEATURES`; none where empty.
        cutoff: of the features, Å.
        closest: of the sum of covalent radii; candidates with closer atoms are refused.
        rows: whether to make the rows of a linear potential, for ``d_optimal`` and ``v_optimal``.

    Returns:
        With the scores ``force_spread`` (the largest on an atom, eV/Å), ``force_spread_mean`` (root mean
        square over the atoms), ``energy_spread`` (eV/atom), ``force`` (the largest predicted, eV/Å) and
        ``distance`` (to the nearest that is labelled, in units of what is usual among those). Candidates with
        elements that the potential does not know are refused.
    """
    refused: dict[str, str] = {}
    for one in candidates:
        if strange := sorted(set(one.geometry.symbols) - potential.elements):
            refused[one.identifier] = f"the potential does not know {', '.join(strange)}"
        elif too_close(one.geometry, closest) is not None:
            refused[one.identifier] = "atoms too close"
    kept = [one for one in candidates if one.identifier not in refused]
    if not kept:
        return Pool(names=(), scores={name: np.empty(0) for name in SCORES}, refused=refused)
    crystals = Crystals.of(one.geometry for one in kept)
    scores = _of_forces(potential, crystals)
    features_NF = known_MF = None
    if features:
        features_NF, known_MF = described(kept, known, kind=features, cutoff=cutoff)
        scores["distance"] = distances(features_NF, known_MF) / _usual(known_MF)
    blocks = known_KK = None
    if rows and (basis := basis_of(potential)) is not None:
        blocks = design_blocks(crystals, basis)
        known_KK = information(Crystals.of(one.geometry for one in known), basis)
    spread_N = scores.get("force_spread")
    return Pool(
        names=tuple(one.identifier for one in kept),
        scores=scores,
        features_NF=features_NF,
        known_MF=known_MF,
        covariance_NN=None
        if spread_N is None or features_NF is None
        else kernel_of_spread(spread_N, features_NF),
        blocks=blocks,
        known_KK=known_KK,
        refused=refused,
    )


def _of_forces(potential: Potential, crystals: Crystals) -> dict[str, Floats]:
    first_G = crystals.first_G[:-1]
    scores: dict[str, Floats] = {}
    if isinstance(potential, Committee):
        found, spread = potential.evaluate_with_spread(crystals)
        squares_G = np.add.reduceat(spread.forces_A**2, first_G) / crystals.sizes_G
        scores["force_spread"] = np.maximum.reduceat(spread.forces_A, first_G)
        scores["force_spread_mean"] = np.sqrt(squares_G)
        scores["energy_spread"] = spread.energies_G
    else:
        found = potential.evaluate(crystals)
    assert found.forces_A3 is not None
    scores["force"] = np.maximum.reduceat(np.linalg.norm(found.forces_A3, axis=1), first_G)
    return scores


def described(
    candidates: Sequence[Parent], known: Sequence[Parent], *, kind: str, cutoff: float
) -> tuple[Floats, Floats]:
    """Features of candidates (N, F) and of what is labelled (M, F), each column of one standard deviation."""
    every = [one.geometry for one in (*candidates, *known)]
    elements = sorted({symbol for geometry in every for symbol in geometry.symbols})
    found = table(Crystals.of(every), kind=kind, elements=elements, cutoff=cutoff)
    values: Floats = np.full((len(every), found.values_NF.shape[1]), np.nan)
    values[found.rows_N] = found.values_NF
    values = np.where(np.isnan(values), np.nanmean(found.values_NF, axis=0), values)
    deviation = values.std(axis=0)
    varies = deviation > 1e-9 * max(float(deviation.max(initial=0.0)), 1e-300)
    values = values[:, varies] / deviation[varies] / np.sqrt(max(int(varies.sum()), 1))
    return values[: len(candidates)], values[len(candidates) :]


def _usual(known_MF: Floats) -> float:
    """The median distance of what is labelled to the nearest other; 1 where there are fewer than two."""
    from scipy.spatial import cKDTree

    if len(known_MF) < 2:  # noqa: PLR2004  there is no other
        return 1.0
    nearest_M = cKDTree(known_MF).query(known_MF, k=2)[0][:, 1]
    return float(np.median(nearest_M)) or 1.0


def basis_of(potential: Potential) -> Basis | None:
    """The basis of a linear potential, or of a committee whose members all have the same; None otherwise."""
    members = potential.members if isinstance(potential, Committee) else (potential,)
    bases = {member.card.basis for member in members if isinstance(member, Linear)}
    if len(bases) != 1 or not all(isinstance(member, Linear) for member in members):
        return None
    return bases.pop()


def design_blocks(crystals: Crystals, basis: Basis, *, energy_weight: float = 10.0) -> list[Floats]:
    """The rows (1 + 3 atoms, K) that give energy per atom and forces of each structure.

    Rows of energies are weighed as the fit weighs them: see :func:`.fit_linear`. Where a structure has more
    rows than there are weights, a triangle with the same squares stands for them.
    """
    from zonemelt.tasks.featurize.graphs import Edges, graphs_of
    from zonemelt.tasks.potentials.fitting.linear_design import design

    found: list[Any] = []
    for start in range(0, len(crystals), _TOGETHER):
        some = crystals.take(slice(start, start + _TOGETHER))
        rows = design(graphs_of(some, Edges(cutoff=basis.cutoff, k=None)), basis)
        size = rows.energy_GK.shape[1]
        for place in range(len(some)):
            atoms = slice(int(some.first_G[place]), int(some.first_G[place + 1]))
            forces_RK = rows.forces_A3K[atoms].reshape(-1, size)
            weight = np.sqrt(energy_weight * len(forces_RK))
            block = np.vstack([weight * rows.energy_GK[[place]], forces_RK])
            found.append(np.linalg.qr(block, mode="r") if len(block) > size else block)
    return found


def information(crystals: Crystals, basis: Basis) -> Floats:
    """The sum of X'X (K, K) over structures, with a ridge that makes it definite."""
    size = len(basis.elements) * basis.features
    total: Floats = np.zeros((size, size))
    for block in design_blocks(crystals, basis):
        total += block.T @ block
    scale = float(np.trace(total)) / size or 1.0
    return total + _RIDGE * scale * np.eye(size)
