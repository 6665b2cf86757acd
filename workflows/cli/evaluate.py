"""The command evaluate: a trained model judged on records with labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zonemelt.workflows.cli.app import LEARN, NOT_ALL_SUCCEEDED, command
from zonemelt.workflows.cli.places import Json  # noqa: TC001 (typer reads the annotations)


@command(
    LEARN,
    "zonemelt evaluate gap-model measured-gaps",
    "zonemelt evaluate gap-model gaps --split gap-model/split.json --part test",
    "zonemelt evaluate moduli elastic --property K --json | jq .properties.K.mae",
)
def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Folder of the model.")],
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Directory of the dataset.")],
    *,
    properties: Annotated[
        list[str] | None,
        typer.Option("--property", "-p", metavar="NAME", help="One of the model's; all by default."),
    ] = None,
    version: Annotated[
        str, typer.Option("--version", "-v", help="Hash of a version of the dataset; else the newest.")
    ] = "",
    split: Annotated[
        str, typer.Option(metavar="FILE", help="A split file; else all records are judged.")
    ] = "",
    part: Annotated[str, typer.Option(help="Of the split.")] = "test",
    ignoring: Annotated[
        list[str] | None,
        typer.Option(
            "--ignoring", metavar="FIELD", help="A field of the level of theory that may differ; repeatable."
        ),
    ] = None,
    seen_too: Annotated[
        bool, typer.Option("--seen-too", help="Judge records as well that the model was trained on.")
    ] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda or xpu.")] = "cpu",
    as_json: Json = False,
) -> None:
    """Judge a model: errors with units, by element, the largest, calibration.

    Records that the model was trained or validated on are refused: they are known by their structures. The
    exit code is 1 where a property could not be judged.
    """
    from zonemelt.tasks.datasets import open_dataset
    from zonemelt.tasks.train.evaluate import evaluate_model
    from zonemelt.workflows.cli.model_tables import print_evaluation
    from zonemelt.workflows.paper import console, print_json

    found = evaluate_model(
        model,
        open_dataset(dataset, version or None),
        properties=properties or [],
        split={"file": str(Path(split).absolute())} if split else None,
        part=part,
        ignoring=ignoring or [],
        seen_too=seen_too,
        device=device,
    )
    if as_json:
        print_json(found)
    else:
        print_evaluation(console(), found)
    if found["not_judged"]:
        raise typer.Exit(NOT_ALL_SUCCEEDED)
