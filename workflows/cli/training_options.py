"""Options that every command which trains has."""

from __future__ import annotations

from typing import Annotated

import typer

Dataset = Annotated[str, typer.Argument(metavar="DATASET", help="Directory of the dataset.")]
Out = Annotated[str, typer.Option("--out", "-o", metavar="FOLDER", help="Folder of the model.")]
Version = Annotated[
    str, typer.Option("--version", "-v", help="Hash of a version of the dataset; else the newest.")
]
SplitBy = Annotated[
    str,
    typer.Option("--split", help="random, composition, elements, prototype, calculation; or a split file."),
]
Fractions = Annotated[
    str, typer.Option("--fractions", help="Of train, validation and test, where the split is drawn.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of the split, the first weights, the order.")]
Epochs = Annotated[
    int, typer.Option("--epochs", min=0, help="Of a network; 0 for its default.", show_default=False)
]
Nodes = Annotated[int, typer.Option("--nodes", min=1, help="That train together.")]
Ranks = Annotated[int, typer.Option("--ranks", min=1, help="Processes on each node.")]
Gpus = Annotated[int, typer.Option("--gpus", min=0, help="Accelerators of each rank.")]
Threads = Annotated[int, typer.Option("--threads", min=1, help="Of each rank.")]
Pool = Annotated[
    str, typer.Option("--pool", help="Of the site, for the training; else its default.", show_default=False)
]
Walltime = Annotated[
    str,
    typer.Option(
        "--walltime",
        help="Of each job of the training, HH:MM:SS; it goes on in the next.",
        show_default=False,
    ),
]
Graphs = Annotated[
    str,
    typer.Option("--graphs", help="Directory of graphs to be shared among models.", show_default=False),
]
Ignoring = Annotated[
    list[str] | None,
    typer.Option(
        "--ignoring", metavar="FIELD", help="A field of the level of theory that may differ; repeatable."
    ),
]
Site = Annotated[str, typer.Option("--site", help="Where to run: a site's name or file.", show_default=False)]
Campaign = Annotated[
    str,
    typer.Option("--directory", "-d", help="Campaign directory.", show_default="FOLDER/campaign"),
]
