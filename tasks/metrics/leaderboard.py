"""Put our results over folds and seeds beside published ones."""

# K folds, S seeds

from __future__ import annotations

from collections import defaultdict
from statistics import fmean, pstdev, stdev
from typing import TYPE_CHECKING, Any, Final

from jobflow import job

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Result = Mapping[str, Any]

CHOSEN: Final = "chosen by inner error"
STACKED: Final = "stacked"  # its inner error is that of the data its weights were fitted to
METRICS: Final = ("ence", "miscalibration_area", "sharpness", "spearman", "nll", "coverage", "mean_width")


def summarize(
    results: Sequence[Result], *, task: str, unit: str, published: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Mean and spread of each model, and a table with published numbers.

    The error of a model is the mean over folds, each the mean over seeds; ``std`` is the population standard
    deviation over folds, as the Matbench leaderboard has it (A. Dunn et al., npj Computational Materials 6,
    138 (2020)). ``chosen by inner error`` takes in every fold the model whose error *within the training
    rows* is least: the honest price of having tried several. The stacked one does not take part, and there is
    no such row where a model was not judged within its training rows.

    Args:
        results: one for each model, fold and seed; the seed of a mean over all seeds is None.
        task: name of the benchmark.
        unit: of the property.
        published: rows with ``algorithm``, ``mae``, ``source``, and ``std`` where it is known.

    Returns:
        ``task``, ``unit``, ``folds``, ``seeds``, ``models`` (by name), and ``leaderboard``, best first.

    Raises:
        InputError: there are no results, a model lacks a fold or seed that another has or has two of one, or
            a published number has no source.
    """
    for row in published:
        if not row.get("source") or "algorithm" not in row or "mae" not in row:
            raise InputError(
                f"{dict(row)}", where="published", remedy="give algorithm, mae and the source of each number"
            )
    by_model: dict[str, dict[tuple[int, int | None], Result]] = defaultdict(dict)
    for one in results:
        if (place := (one["fold"], one["seed"])) in by_model[one["model"]]:
            raise InputError(
                f"'{one['model']}' has two results of fold {place[0]} with seed {place[1]}",
                where="results", remedy="give each model a name of its own",
            )  # fmt: skip
        by_model[one["model"]][place] = one
    places = sorted({(one["fold"], one["seed"]) for one in results if one["seed"] is not None})
    folds = sorted({fold for fold, _ in places})
    over_seeds = {name for name, found in by_model.items() if all(seed is None for _, seed in found)}
    for name, found in by_model.items():
        wanted = [(fold, None) for fold in folds] if name in over_seeds else places
        if missing := [place for place in wanted if place not in found]:
            raise InputError(
                f"'{name}' has no result of fold {missing[0][0]} with seed {missing[0][1]}",
                where="results", remedy="a mean over some of the folds does not compare: run all of them",
            )  # fmt: skip
    if not places:
        raise InputError("there are no results", where="results", remedy="give one model or more")
    single = [found for name, found in by_model.items() if name not in {STACKED, *over_seeds}]
    judged_inside = all(one["inner_mae"] is not None for found in single for one in found.values())
    if len(single) > 1 and judged_inside:
        by_model[CHOSEN] = {
            place: min((found[place] for found in single), key=lambda one: float(one["inner_mae"]))
            for place in places
        }
    models = {name: _model(found) for name, found in by_model.items()}
    ours = [
        {"algorithm": name, "mae": one["mae"]["mean"], "std": one["mae"]["std"], "source": "", "ours": True}
        for name, one in models.items()
    ]
    theirs = [
        {**{key: row.get(key) for key in ("algorithm", "mae", "std", "source")}, "ours": False}
        for row in published
    ]  # fmt: skip
    return {
        "task": task,
        "unit": unit,
        "folds": folds,
        "seeds": sorted({seed for _, seed in places}),
        "models": models,
        "leaderboard": sorted([*ours, *theirs], key=lambda row: float(row["mae"])),
    }


def _model(found: Mapping[tuple[int, int | None], Result]) -> dict[str, Any]:
    """What one model reached."""
    listed = [found[place] for place in sorted(found)]
    return {
        "family": listed[0]["family"] if len({one["model"] for one in listed}) == 1 else "several",
        "mae": _spread({place: float(one["mae"]) for place, one in found.items()}),
        "rmse": _spread({place: float(one["rmse"]) for place, one in found.items()}),
        "r2": _mean(one["r2"] for one in listed),
        "inner_mae": _mean(one["inner_mae"] for one in listed),
        "uncertainty": {key: _mean(one["uncertainty"][key] for one in listed) for key in METRICS},
        "chosen": [
            {key: one[key] for key in ("fold", "seed", "model", "settings", "inner_mae", "mae")}
            for one in listed
        ],
        "strange_rows": sum(len(one["strange_rows"]) for one in listed),
        "warnings": sum(sum(one["warnings"].values()) for one in listed),
        "cpu_seconds": sum(one["cpu_seconds"] for one in listed),
    }  # fmt: skip


def _spread(errors: Mapping[tuple[int, int | None], float]) -> dict[str, Any]:
    """Mean over folds, the spread over folds, and the spread that the seed alone makes."""
    folds = sorted({fold for fold, _ in errors})
    seeds = sorted({seed for _, seed in errors}, key=lambda seed: -1 if seed is None else seed)
    by_fold = [fmean(errors[fold, seed] for seed in seeds) for fold in folds]
    by_seed = [fmean(errors[fold, seed] for fold in folds) for seed in seeds]
    return {
        "mean": fmean(by_fold),
        "std": pstdev(by_fold),
        "folds": by_fold,
        "seeds": by_seed,
        "seed_std": stdev(by_seed) if len(by_seed) > 1 else None,
    }


def _mean(values: Iterable[float | None]) -> float | None:
    """The mean; None where one of them is not known."""
    known = list(values)
    return None if any(value is None for value in known) else fmean(map(float, known))  # type: ignore[arg-type]


@job
def summarize_benchmark_job(
    *, results: list[dict[str, Any]], task: str, unit: str, published: list[dict[str, Any]]
) -> dict[str, Any]:
    """Our results beside published ones; see :func:`summarize`."""
    return summarize(results, task=task, unit=unit, published=published)
