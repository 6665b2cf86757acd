"""The command predict: properties of structures by a trained model."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zonemelt.workflows.cli.app import LEARN, NOT_ALL_SUCCEEDED, command
from zonemelt.workflows.cli.places import Json, check_ending
from zonemelt.workflows.cli.potential import all_structures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zonemelt.tasks.structure_files import Read
    from zonemelt.tasks.train.ask import Answers
    from zonemelt.tasks.train.predictor import Predictor

_TOGETHER = 1024  # structures held at once


@command(
    LEARN,
    "zonemelt predict gap-model POSCAR new/a.cif new/many.extxyz",
    "zonemelt predict gap-model candidates --out gaps.csv      all records of a dataset",
    "zonemelt predict gap-model new/a.cif --coverage 0.95 --json | jq .predictions",
)
def predict(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Folder of the model.")],
    structures: Annotated[
        list[str],
        typer.Argument(metavar="STRUCTURES...", help="CIF, POSCAR, extxyz …; or directories of datasets."),
    ],
    *,
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="FILE", help="Ends in .csv or .jsonl.", show_default=False)
    ] = "",
    coverage: Annotated[float, typer.Option(min=0.01, max=0.99, help="That the intervals shall have.")] = 0.9,
    device: Annotated[str, typer.Option(help="cpu, cuda or xpu.")] = "cpu",
    as_json: Json = False,
) -> None:
    """Predict properties of structures: value, unit, deviation, interval.

    A structure that cannot be predicted is listed with its reason; the others are predicted. The exit code is
    1 then.
    """
    from zonemelt.tasks.errors import InputError
    from zonemelt.tasks.train.predictor import open_model
    from zonemelt.workflows.cli.model_tables import predictions_table
    from zonemelt.workflows.cli.prediction_files import ENDINGS, write_predictions
    from zonemelt.workflows.paper import console, print_json

    if out:
        check_ending(out, ENDINGS)
    opened = open_model(model, device=device)
    rows = [row for some in _batches(all_structures(structures)) for row in _rows(opened, some, coverage)]
    if not rows:
        raise InputError("there are no structures", where=", ".join(structures), remedy="give some")
    refused = sum(bool(row["refused"]) for row in rows)
    if out:
        write_predictions(out, rows, opened.properties)
    if as_json:
        print_json(
            {"model": model, "predicted": len(rows) - refused, "refused": refused, "predictions": rows}
        )
    elif not out:
        console().print(predictions_table(rows))
    else:
        typer.echo(f"{len(rows) - refused:,} predicted, {refused:,} refused: {out}")
        for row in [row for row in rows if row["refused"]][:10]:
            typer.echo(f"refused: {row['structure']}: {row['refused']}")
    if refused:
        raise typer.Exit(NOT_ALL_SUCCEEDED)


def _batches(structures: Iterator[Read]) -> Iterator[list[Read]]:
    while some := list(islice(structures, _TOGETHER)):
        yield some


def _rows(predictor: Predictor, structures: Sequence[Read], coverage: float) -> list[dict[str, Any]]:
    """A document for each structure: what the model says of it, or why it says nothing."""
    from ase.formula import Formula

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.quality.contacts import USUAL, too_close
    from zonemelt.tasks.train.ask import ask_each

    rows: list[dict[str, Any]] = []
    asked, places = [], []
    for place, one in enumerate(structures):
        row: dict[str, Any] = {"structure": one.name, "formula": "", "properties": {}, "refused": one.reason}
        rows.append(row)
        if one.geometry is None:
            continue
        row["formula"] = str(Formula.from_list(list(one.geometry.symbols)).reduce()[0].format("hill"))
        if (contact := too_close(one.geometry, USUAL)) is not None:
            row["refused"] = contact.described
        else:
            asked.append(one.geometry)
            places.append(place)
    if asked:
        answers = ask_each(predictor, Crystals.of(asked))
        for place, reason in answers.refused.items():
            rows[places[place]]["refused"] = reason
        for place, said in _said(answers, coverage):
            rows[places[place]]["properties"] = said
    return rows


def _said(answers: Answers, coverage: float) -> Iterator[tuple[int, dict[str, Any]]]:
    """Place of a structure, and of each property value, unit, deviation and interval."""
    from zonemelt.tasks.train.ask import intervals

    if (found := answers.predicted) is None:
        return
    ends = intervals(found, coverage)
    for number, place in enumerate(answers.rows_M.tolist()):
        said = {}
        for column, (name, unit) in enumerate(found.properties):
            deviation_NP = found.deviation_NP
            said[name] = {
                "value": float(found.mean_NP[number, column]),
                "unit": unit,
                "deviation": None if deviation_NP is None else float(deviation_NP[number, column]),
                "interval": [float(side[number]) for side in ends[name]] if name in ends else None,
                "coverage": coverage if name in ends else None,
            }
        yield place, said
