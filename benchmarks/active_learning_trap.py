"""Learning a whole pool with the most uncertain labels first: labels needed, against chance.

Perov-5 again (see ``active_learning_discovery``), four fifths of it as the pool and the rest to be judged: no
runs and no copies, every crystal as likely as the next. A forest is asked where its trees differ most.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import numpy as np
from benchmarks import active_learning_discovery as discovery
from benchmarks.data_files import absent
from benchmarks.report import Row, say, spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TREES, SEEDS = 60, (0, 1, 2)
COUNTS: Final = (100, 200, 300, 400, 500, 600, 700, 800, 900, 1000)
REFERENCE: Final = 500


def curve(
    features: Floats, labels: Floats, strategy: str, *, counts: Sequence[int], seed: int
) -> list[float]:
    """Mean absolute error on the last fifth after each round."""
    from sklearn.ensemble import ExtraTreesRegressor

    from zonemelt.tasks.acquire.select import Pool, Selecting, select

    order = np.random.default_rng(seed).permutation(len(labels))
    pool, judged = np.split(order, [int(0.8 * len(labels))])
    hidden = discovery.Hidden(labels)
    rows = pool[: counts[0]]
    known, errors = hidden.ask(rows.tolist()), []
    for count in (*counts[1:], 0):
        forest = ExtraTreesRegressor(TREES, random_state=seed).fit(features[rows], known)
        errors.append(float(np.abs(forest.predict(features[judged]) - labels[judged]).mean()))
        if count:
            left = np.setdiff1d(pool, rows)
            each = np.array([tree.predict(features[left].astype(np.float32)) for tree in forest.estimators_])
            asked = Pool(names=tuple(f"{row:06d}" for row in left), scores={"spread": each.std(axis=0)})
            found = select(asked, Selecting(strategy=strategy), count=count - len(rows), seed=seed + count)
            new = [int(name) for name in found.chosen]
            known, rows = np.concatenate([known, hidden.ask(new)]), np.concatenate([rows, new])
    return errors


def rows(quick: bool) -> Iterator[Row]:
    """Labels that ``top`` needs for the error that chance has with 500."""
    found = discovery.pool()
    name = f"the trap, Perov-5: labels of 'top' for the MAE of {REFERENCE} at random"
    if found is None:
        yield absent(name, "labels", quick=quick)
        return
    began = time.process_time()
    features, counts = discovery.described(found[0]), COUNTS[:5] if quick else COUNTS
    seeds = SEEDS[:1] if quick else SEEDS
    curves = {
        strategy: np.array([curve(features, found[1], strategy, counts=counts, seed=seed) for seed in seeds])
        for strategy in ("random", "top")
    }
    for strategy, errors in curves.items():
        say(f"{strategy}: {dict(zip(counts, errors.mean(axis=0).round(4).tolist(), strict=True))}")
    place = counts.index(REFERENCE)

    def needed(errors: Floats, error: float) -> float:
        """Between rounds, along a straight line; the last where it is not reached."""
        below = np.flatnonzero(errors <= error)
        if not below.size:
            return float(counts[-1])
        last = int(below[0])
        if not last:
            return float(counts[0])
        share = (errors[last - 1] - error) / (errors[last - 1] - errors[last])
        return float(counts[last - 1] + share * (counts[last] - counts[last - 1]))

    error = float(curves["random"].mean(axis=0)[place])
    reached = bool((curves["top"].mean(axis=0) <= error).any())
    each = [needed(own, error) for own in curves["top"]]
    yield Row(
        name=name, unit="labels", ours=needed(curves["top"].mean(axis=0), error), peer=float(REFERENCE),
        peer_name="at random, same run", spread=spread(each), seconds=time.process_time() - began,
        quick=quick, note=(
            f"a forest; chance has {error:.3f} eV with {REFERENCE} labels, 'top'"
            f" {curves['top'].mean(axis=0)[place]:.3f} eV; {len(seeds)} seeds"
            + ("" if reached else f"; not reached with {counts[-1]}")
        ),
    )  # fmt: skip
