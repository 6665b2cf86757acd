"""Classical models beside published numbers: ``python -m benchmarks.learn_shallow [--quick] [--json]``.

Nested cross-validation throughout: settings and weights come from the training rows of each official fold.
The data are looked for in ``$ZONEMELT_DATA``, else in ``../shared/data``.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from benchmarks.data_files import absent, table
from benchmarks.report import Row, as_json, as_table, machine, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LEADERBOARD = "Matbench v0.1 leaderboard"
BLOCKS = ("fractions", "magpie", "ward")
TREES = {"min_samples_leaf": [1, 2], "centre": ["mean", "median"]}
FOREST = {"family": "extra_trees", "settings": {"n_estimators": 100}, "grid": {"max_features": [0.3, 1.0]}}
STEELS: list[Any] = [
    {"name": "extra trees of fractions", "family": "extra_trees", "blocks": ["fractions"], "grid": TREES},
    {"name": "svr", "family": "svr", "blocks": ["fractions"], "grid": {"C": [1.0, 3.0, 10.0]}},
]  # fmt: skip
GAPS: list[Any] = [
    {
        "name": "extra trees", "family": "extra_trees",
        "settings": {"n_estimators": 100, "max_features": 0.3}, "grid": {"centre": ["mean", "median"]},
    },
]  # fmt: skip


def published(task: str) -> list[dict[str, Any]]:
    """The leaderboard of a task."""
    rows = table("02_matbench", "leaderboard_v0.1.csv") or []
    return [
        {
            "algorithm": row["algorithm"],
            "mae": float(row["mean mae"]),
            "std": float(row["std mae"]),
            "source": LEADERBOARD,
        }
        for row in rows
        if row["task"] == f"matbench_{task}" and row["mean mae"]
    ]


def matbench_rows(
    task: str,
    models: list[Any],
    *,
    unit: str,
    limit: float,
    peer: str,
    seeds: int,
    protocol: dict[str, Any],
    quick: bool,
) -> Iterator[Row]:
    """One task of Matbench from compositions: each model, their stack, and the choice among them."""
    from zonemelt.tasks.featurize.fractions import composition_blocks
    from zonemelt.tasks.learn.nested import Protocol
    from zonemelt.tasks.learn.property_table import PropertyTable
    from zonemelt.tasks.learn.studies import compare
    from zonemelt.tasks.metrics.leaderboard import CHOSEN, STACKED

    rows = table("02_matbench", "composition", f"matbench_{task}.csv.gz")
    common: dict[str, Any] = {"unit": unit, "quick": quick}
    if rows is None:
        yield absent(f"matbench_{task}", **common)
        return
    if quick:
        rows, seeds = rows[:: max(1, len(rows) // 300)], 1
        models = [{**models[0], "settings": {**models[0].get("settings", {}), "n_estimators": 30}}]
    began = time.process_time()
    ready = PropertyTable.of(
        {
            **composition_blocks([row["formula"] for row in rows], blocks=BLOCKS),
            "target": [float(row["target"]) for row in rows],
            "folds": [int(row["fold"]) for row in rows],
            "unit": unit,
            "bounds": [0.0, None],
        }
    )
    theirs = published(task)
    summary, _ = compare(
        ready, models, task=task, protocols=[Protocol(**protocol, seed=seed) for seed in range(seeds)],
        published=theirs, stack=len(models) > 1,
    )  # fmt: skip
    say(f"{task}: {time.process_time() - began:.0f} s of processor time")
    quoted = {CHOSEN, STACKED} if len(models) > 1 else {models[0]["name"]}
    known = {one["algorithm"]: one["mae"] for one in theirs}
    for name, one in summary["models"].items():
        mae, doubt = one["mae"], one["uncertainty"]
        yield Row(
            name=f"matbench_{task}, MAE, {name}", ours=mae["mean"], peer=known[peer],
            peer_name=f"{peer} ({LEADERBOARD})", target=f"ours <= {limit}" if name in quoted else "",
            seconds=one["cpu_seconds"],
            note=(
                f"{seeds} seeds, ± {mae['std']:.3g} over folds"
                + (f", ± {mae['seed_std']:.2g} over seeds" if mae["seed_std"] is not None else "")
                + f"; ENCE {doubt['ence']:.3g}, area {doubt['miscalibration_area']:.3g}, Spearman "
                + ("none" if doubt["spearman"] is None else f"{doubt['spearman']:.3g}")
                + f", {doubt['coverage']:.3f} within intervals that promise 0.9"
            ), **common,
        )  # fmt: skip


def vacancy_rows(*, quick: bool) -> Iterator[Row]:
    """Oxygen vacancies by a linear law, as Wexler and others."""
    from zonemelt.tasks.learn.nested import Protocol
    from zonemelt.tasks.learn.property_table import PropertyTable
    from zonemelt.tasks.learn.studies import compare, linear_law, table_of_rows

    rows = table("08_classic_ml", "oxide_vacancy_witman.csv")
    common: dict[str, Any] = {"unit": "eV", "quick": quick}
    if rows is None:
        yield absent("oxygen vacancies", **common)
        return
    document, _ = table_of_rows(
        rows, columns=["Eb_sum", "Vr_max", "Eg", "Ehull"], target="Ev", unit="eV", group="formula"
    )
    ready = PropertyTable.of(document)
    models = ["linear"] if quick else ["linear", FOREST]
    summary, _ = compare(ready, models, task="oxygen vacancies", protocols=[Protocol()])
    law = linear_law(ready)
    text = ", ".join(f"{k} {v['value']:.3f} ± {v['std']:.3f}" for k, v in law["coefficients"].items())
    for name, one in summary["models"].items():
        yield Row(
            name=f"oxygen vacancies, MAE, {name}", ours=one["mae"]["mean"], seconds=one["cpu_seconds"],
            peer=0.45, peer_name="linear, 341 perovskites not at hand (JACS 143, 13212)",
            note=f"{len(ready)} of {len(rows)} rows, compounds whole; {text}, {law['intercept']:.3f}"
            if name == "linear" else "", **common,
        )  # fmt: skip


def hardness_rows(*, quick: bool) -> Iterator[Row]:
    """Vickers hardness by support vectors."""
    from zonemelt.tasks.learn.nested import Protocol
    from zonemelt.tasks.learn.property_table import PropertyTable
    from zonemelt.tasks.learn.studies import compare, table_of_rows

    rows = table("08_classic_ml", "hardness_vickers_330.csv.gz")
    common: dict[str, Any] = {"quick": quick}
    if rows is None:
        yield absent("hardness", "GPa", **common)
        return
    models = ["svr"] if quick else ["svr", FOREST]
    document, _ = table_of_rows(rows, target="Hardness", unit="GPa", group="name")
    ready = PropertyTable.of(document)
    summary, _ = compare(ready, models, task="Vickers hardness", protocols=[Protocol()])
    for name, one in summary["models"].items():
        yield Row(
            name=f"Vickers hardness, MAE, {name}", unit="GPa", ours=one["mae"]["mean"],
            peer=4.20, peer_name="random forest, grouped 5-fold, measured on the same rows",
            seconds=one["cpu_seconds"], note=f"R2 {one['r2']:.3f}, {len(ready)} rows, compounds whole",
            **common,
        )  # fmt: skip


def moduli_rows(*, quick: bool) -> Iterator[Row]:
    """Shear moduli by support vectors on a sample of Matbench's compositions."""
    models = [{"family": "svr", "blocks": ["magpie", "fractions"], "grid": {"C": [1.0, 10.0]}}]
    rows = table("02_matbench", "composition", "matbench_log_gvrh.csv.gz")
    common: dict[str, Any] = {"unit": "log10 GPa", "quick": quick}
    if rows is None:
        yield absent("shear modulus", **common)
        return
    from zonemelt.tasks.featurize.fractions import composition_blocks
    from zonemelt.tasks.learn.nested import Protocol
    from zonemelt.tasks.learn.property_table import PropertyTable
    from zonemelt.tasks.learn.studies import compare

    rows = rows[:: 50 if quick else 8]
    document = {
        **composition_blocks([row["formula"] for row in rows], blocks=["magpie", "fractions"]),
        "target": [float(row["target"]) for row in rows],
        "folds": [int(row["fold"]) for row in rows],
        "unit": "log10 GPa",
    }
    protocols = [Protocol(inner=3)]
    summary, _ = compare(PropertyTable.of(document), models, task="log_gvrh", protocols=protocols)
    one = summary["models"]["svr"]
    yield Row(
        name="matbench_log_gvrh, MAE, svr of compositions", ours=one["mae"]["mean"], peer=0.1040,
        peer_name=f"RF-SCM/Magpie with structures, all 10987 rows ({LEADERBOARD})",
        seconds=one["cpu_seconds"], note=f"R2 {one['r2']:.3f}, {len(rows)} of its rows, official folds",
        **common,
    )  # fmt: skip


def rows(quick: bool) -> list[Row]:
    """All measurements."""
    return [
        *matbench_rows(
            "steels", STEELS, unit="MPa", limit=79.9, peer="TPOT-Mat", seeds=3,
            protocol={"inner": 5}, quick=quick,
        ),
        *vacancy_rows(quick=quick),
        *hardness_rows(quick=quick),
        *matbench_rows(
            "expt_gap", GAPS, unit="eV", limit=0.44, peer="AMMExpress v2020", seeds=1,
            protocol={"inner": 3, "recalibration": "isotonic"}, quick=quick,
        ),
        *moduli_rows(quick=quick),
    ]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.learn_shallow", description=__doc__.split(":")[0]
    )
    parser.add_argument("--quick", action="store_true", help="under a minute; numbers not to be quoted")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    given = parser.parse_args(arguments)
    about = machine()
    found = rows(given.quick)
    print(as_json(found, about=about) if given.json else as_table(found))


if __name__ == "__main__":
    main()
