"""Deviations on held-out data after recalibration: how wide they are, against the errors that are made.

A forest of compositions on tasks of Matbench, in five folds: four fifths of the rows train, and are left out
in turn for the recalibration; the last fifth is judged, and all fifths together. (A fifth of the steels, 62
rows, tells nothing: there the ENCE of perfect deviations would be 0.2.) Intervals are Gaussian, but those of
the ``error model`` and of ``intervals``, which are taken from the scores of the rows left out. For Perov-5
also the process of sites, with labels apart for each purpose.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from benchmarks import active_learning_discovery as discovery
from benchmarks.data_files import absent, table
from benchmarks.report import Row, say, spread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TASKS: Final = {
    "perovskites": 6, "log_gvrh": 3, "phonons": 1, "steels": 1, "expt_gap": 1, "mp_e_form": 40,
}  # fmt: skip
"""Task → every how manieth row is used."""
TREES, FOLDS = 40, 5
SEEDS: Final = (0, 1)
TARGETS: Final = {"miscalibration area": "ours <= 0.05", "ENCE": "ours <= 0.15"}
APART: Final = (400, 400)  # labels to train and to recalibrate the process of sites


def judged(errors: Floats, deviations: Floats, promised: Floats | None = None) -> dict[str, float]:
    """Both figures; intervals are Gaussian where nothing else was ``promised``."""
    from zonemelt.tasks.metrics.calibration import area, ence, miscalibration_area

    found = miscalibration_area(errors, deviations) if promised is None else area(promised)
    return {"miscalibration area": found, "ENCE": ence(errors, deviations) or float("nan")}


def by_forest(features: Floats, labels: Floats, *, seed: int) -> dict[str, dict[str, float]]:
    """Kind of recalibration → figures on all rows, each judged by what was fitted without it."""
    from sklearn.model_selection import KFold

    from zonemelt.tasks.metrics.recalibration import KINDS

    folds = KFold(FOLDS, shuffle=True, random_state=seed).split(labels)
    parts = [_fold(features, labels, seen, new, seed) for seen, new in folds]
    errors, promised = (np.concatenate([part[name] for part in parts]) for name in ("errors", "promised"))
    found = {kind: judged(errors, np.concatenate([part[kind] for part in parts])) for kind in ("raw", *KINDS)}
    model = np.concatenate([part["error model"] for part in parts])
    return {**found, "error model": judged(errors, model, promised)}


def _fold(features: Floats, labels: Floats, seen: Any, new: Any, seed: int) -> dict[str, Floats]:
    """Errors of the new rows, their deviations by each kind, and what the error model's intervals promise."""
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.model_selection import KFold

    from zonemelt.tasks.metrics import error_model
    from zonemelt.tasks.metrics.calibration import promised
    from zonemelt.tasks.metrics.deviations import floored
    from zonemelt.tasks.metrics.recalibration import KINDS, recalibrate

    def asked(train: Any, rows: Any) -> tuple[Floats, Floats, Floats]:
        forest = ExtraTreesRegressor(TREES, max_features=0.3, random_state=seed)
        forest.fit(features[train], labels[train])
        each = np.array([tree.predict(features[rows].astype(np.float32)) for tree in forest.estimators_])
        signals = error_model.forest_signals(forest, features[train], labels[train], features[rows])
        return labels[rows] - each.mean(axis=0), each.std(axis=0), signals

    inner = KFold(FOLDS, shuffle=True, random_state=seed).split(seen)
    parts = [asked(seen[train], seen[left]) for train, left in inner]
    errors, raw, signals = (np.concatenate([part[place] for part in parts]) for place in range(3))
    new_errors, new_raw, new_signals = asked(seen, new)
    raw, new_raw = (floored(one, errors, size=len(one)) for one in (raw, new_raw))
    model = error_model.fit(errors, signals, seed=seed)
    deviations = model(new_signals)
    return {
        "errors": new_errors,
        "raw": new_raw,
        **{kind: recalibrate(errors, raw, kind=kind)(new_raw) for kind in KINDS},
        "error model": deviations,
        "promised": promised(new_errors, deviations, model.scores_N),
    }


def by_sites(*, seed: int) -> dict[str, dict[str, float]]:
    """The same for the process of sites on Perov-5: labels to train, to recalibrate and to judge."""
    from zonemelt.tasks.learn.site_process import fit, occupations
    from zonemelt.tasks.metrics.calibration import promised
    from zonemelt.tasks.metrics.recalibration import KINDS, recalibrate

    pool = discovery.pool()
    assert pool is not None
    sites, labels = pool
    train, apart, new = np.split(np.random.default_rng(seed).permutation(len(labels)), np.cumsum(APART))
    model = fit(occupations(sites), train, labels[train])
    mean, raw = model.predict(apart)
    new_mean, new_raw = model.predict(new)
    errors, new_errors = labels[apart] - mean, labels[new] - new_mean
    found = {"raw": judged(new_errors, new_raw)}
    for kind in KINDS:
        found[kind] = judged(new_errors, recalibrate(errors, raw, kind=kind)(new_raw))
    affine = recalibrate(errors, raw, kind="affine")
    scores = np.abs(errors) / affine(raw)
    found["intervals"] = judged(new_errors, affine(new_raw), promised(new_errors, affine(new_raw), scores))
    return found


def rows(quick: bool) -> Iterator[Row]:
    """Both figures of every data set."""
    from zonemelt.tasks.featurize.fractions import composition_blocks

    seeds = SEEDS[:1] if quick else SEEDS
    for task, step in dict(list(TASKS.items())[:1] if quick else TASKS).items():
        given = table("02_matbench", "composition", f"matbench_{task}.csv.gz")
        if given is None:
            yield absent(f"calibration, matbench_{task}", "", quick=quick)
            continue
        given = given[:: step * (4 if quick else 1)]
        began = time.process_time()
        document = composition_blocks([one["formula"] for one in given], blocks=["fractions", "magpie"])
        features = np.asarray(document["values"], float)
        features = features[:, np.isfinite(features).all(axis=0) & (features.std(axis=0) > 0)]
        labels = np.array([float(one["target"]) for one in given])
        found = [by_forest(features, labels, seed=seed) for seed in seeds]
        seconds = time.process_time() - began
        yield from _rows(f"matbench_{task}, forest", "error model", found, seconds, len(labels), quick=quick)
    if discovery.pool() is None:
        yield absent("calibration, Perov-5", "", quick=quick)
        return
    began = time.process_time()
    found = [by_sites(seed=seed) for seed in seeds]
    seconds = time.process_time() - began
    yield from _rows("Perov-5, process of sites", "intervals", found, seconds, 7572, quick=quick)


def _rows(
    name: str, kind: str, found: list[dict[str, dict[str, float]]], seconds: float, size: int, *, quick: bool
) -> Iterator[Row]:
    for figure, target in TARGETS.items():
        means = {one: float(np.mean([each[one][figure] for each in found])) for one in found[0]}
        others = ", ".join(f"{one} {value:.3f}" for one, value in means.items() if one != kind)
        say(f"{name}, {figure}: {kind} {means[kind]:.3f}; {others}")
        yield Row(
            name=f"calibration, {name}, {figure}, {kind}", unit="", ours=means[kind], target=target,
            peer=means["scale"], peer_name="a factor, same run", seconds=seconds, quick=quick,
            spread=spread([each[kind][figure] for each in found]),
            note=f"{size} rows, {len(found)} splits; {others}",
        )  # fmt: skip
