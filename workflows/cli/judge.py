"""The command judge: generated crystals by the metrics of the field."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zonemelt.workflows.cli.app import LEARN, command
from zonemelt.workflows.cli.places import Json  # noqa: TC001 (typer reads the annotations)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zonemelt.tasks.judge.crystal_sets import CrystalSet


@command(
    LEARN,
    "zonemelt judge samples.extxyz --against perov-5 --split perov-5.json --cutoffs perov_5 --known perov-5",
    "zonemelt judge candidates.json --known mp --above-hull verdicts.json --json | jq .metrics.sun",
    "zonemelt judge predicted.extxyz --against test.extxyz --pairs      match rate of predicted structures",
)
def judge(
    crystals: Annotated[
        list[str],
        typer.Argument(
            metavar="CRYSTALS...", help="Files, directories of them, JSON of candidates, datasets."
        ),
    ],
    *,
    against: Annotated[
        list[str] | None,
        typer.Option("--against", metavar="PATH", help="The test set: coverage and distances."),
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="FILE", help="A split file: only a part of the test set is taken.")
    ] = "",
    part: Annotated[str, typer.Option(help="Of the split.")] = "test",
    known: Annotated[
        list[str] | None,
        typer.Option("--known", metavar="PATH", help="What counts as known: novelty. Repeatable."),
    ] = None,
    cutoffs: Annotated[
        str, typer.Option(help="Of coverage: perov_5, carbon_24, mp_20, or two numbers. Else it is left out.")
    ] = "",
    pairs: Annotated[
        bool, typer.Option("--pairs", help="They are predictions of the test set, in its order: match rate.")
    ] = False,
    above_hull: Annotated[
        str,
        typer.Option(
            "--above-hull", metavar="FILE", help="JSON, name → eV/atom, or verdicts: stability and S.U.N."
        ),
    ] = "",
    stable: Annotated[float, typer.Option(help="eV/atom above the hull that count as stable.")] = 0.1,
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="A trained model: distances of its properties.")
    ] = "",
    each: Annotated[
        str, typer.Option("--each", metavar="FILE", help="Write a line of JSON for each crystal.")
    ] = "",
    kept: Annotated[
        str, typer.Option("--kept", metavar="FILE", help="Keep fingerprints there, and read them from there.")
    ] = "",
    processes: Annotated[int, typer.Option(min=1, help="That compute fingerprints.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the 1,000 crystals drawn for distances.")] = 0,
    as_json: Json = False,
) -> None:
    """Judge generated crystals: validity, novelty, coverage, matches.

    What cannot be read, or is no crystal, counts as invalid, with its reason. Coverage takes about 0.1 s a
    crystal the first time.
    """
    from zonemelt.tasks.errors import InputError
    from zonemelt.tasks.judge.crystal_sets import above_hull_of, read_set
    from zonemelt.tasks.judge.generated import Beside, judge_generated
    from zonemelt.tasks.judge.generated_jobs import cutoffs_of, each_of
    from zonemelt.workflows.cli.judge_tables import print_judged
    from zonemelt.workflows.paper import console, print_json

    if not against and (
        missing := [o for o, given in _need_a_test_set(cutoffs, pairs, model, split) if given]
    ):
        raise InputError(
            f"{missing[0]} without a test set", where="zonemelt judge", remedy="name it with --against"
        )
    sizes = cutoffs_of(cutoffs)
    energies = _energies(above_hull) if above_hull else None
    made = read_set(crystals)
    true = read_set(against, only=_part(split, part) if split else None) if against else None
    if pairs and true is not None and true.unreadable:
        row, why = next(iter(true.unreadable.items()))
        raise InputError(why, where=true.names[row], remedy="--pairs needs every crystal of the test set")
    there = read_set(known) if known else None
    with _progress(quiet=as_json) as tell:
        judged = judge_generated(
            made.crystals,
            Beside(
                true=None if true is None else true.readable,
                known=None if there is None else there.crystals,
                cutoffs=sizes,
                pairs=pairs,
                above_hull_G=None if energies is None else above_hull_of(made.names, energies),
                stable=stable,
                values=_values(model, made, true) if model and true is not None else {},
            ),
            unreadable=made.unreadable,
            kept=Path(kept) if kept else None,
            processes=processes,
            seed=seed,
            tell=tell,
        )
    rows = each_of(made, judged, there)
    if each:
        from zonemelt.tasks.whole_files import write_whole

        write_whole(Path(each), "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode())
    compared = {"against": true, "known": there}
    about = {name: len(one.crystals) for name, one in compared.items() if one is not None}
    if as_json:
        print_json({"metrics": judged.metrics, "reasons": judged.reasons, "compared_with": about})
    else:
        print_judged(console(), judged, rows, about)


def _need_a_test_set(cutoffs: str, pairs: bool, model: str, split: str) -> list[tuple[str, Any]]:
    return [("--cutoffs", cutoffs), ("--pairs", pairs), ("--model", model), ("--split", split)]


def _part(split: str, part: str) -> Sequence[str]:
    from zonemelt.tasks.errors import InputError
    from zonemelt.tasks.quality.split_file import read_split

    found = read_split(Path(split))
    if part not in found.parts:
        raise InputError(
            f"there is no part '{part}'", where=split, remedy=f"its parts are {', '.join(found.parts)}"
        )
    return found.parts[part]


def _energies(path: str) -> Mapping[str, float | None]:
    """Name → energy above the hull from JSON: a mapping, or verdicts."""
    from zonemelt.tasks.errors import InputError

    remedy = "give a JSON file of name → eV/atom, or of verdicts with 'identifier' and 'above_hull'"
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"it cannot be read: {error}", where=f"--above-hull {path}", remedy=remedy) from None
    if isinstance(found, dict):  # of verdicts, as `zonemelt screen` and `candidates` tell them
        found = next(
            (found[key] for key in ("candidates", "verdicts") if isinstance(found.get(key), list)), found
        )
    try:
        if isinstance(found, list):
            found = {str(one["identifier"]): one.get("above_hull") for one in found}
        return {name: None if value is None else float(value) for name, value in found.items()}
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(f"{error!r}", where=f"--above-hull {path}", remedy=remedy) from None


def _values(model: str, made: CrystalSet, true: CrystalSet) -> dict[str, tuple[str, Any, Any]]:
    """What a model predicts of the generated crystals and of the true ones."""
    import numpy as np

    from zonemelt.tasks.judge.validity import valid
    from zonemelt.tasks.train.ask import ask_each
    from zonemelt.tasks.train.predictor import open_model

    opened = open_model(model, device="cpu")

    def said(crystals: Any) -> Any:
        values = np.full((len(crystals), len(opened.properties)), np.nan)
        sound = np.flatnonzero(valid(crystals).structure_G)
        answers = ask_each(opened, crystals.take(sound))
        if answers.predicted is not None:
            values[sound[answers.rows_M]] = answers.predicted.mean_NP
        return values

    ours, theirs = said(made.crystals), said(true.readable)
    return {
        name: (unit, ours[:, column], theirs[:, column])
        for column, (name, unit) in enumerate(opened.properties)
    }


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Any]:
    """A bar on standard error for each step."""
    from rich.console import Console
    from rich.progress import Progress

    tasks: dict[str, Any] = {}
    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as progress:

        def tell(step: str, done: int, of: int) -> None:
            if step not in tasks:
                tasks[step] = progress.add_task(step, total=of)
            progress.update(tasks[step], completed=done)

        yield tell
