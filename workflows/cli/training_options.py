"""Options that every command which trains has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from zonemelt.workflows.cli.places import Json  # noqa: TC001 (typer reads the annotations)

Dataset = Annotated[str, typer.Argument(metavar="DATASET", help="Directory of the dataset.")]
Out = Annotated[str, typer.Option("--out", "-o", metavar="FOLDER", help="Folder of the model.")]
Version = Annotated[
    str, typer.Option("--version", "-v", help="Hash of a version of the dataset; else the newest.")
]
Ignoring = Annotated[
    list[str] | None,
    typer.Option(
        "--ignoring", metavar="FIELD", help="A field of the level of theory that may differ; repeatable."
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of the split, the first weights, the order.")]
Epochs = Annotated[
    int, typer.Option("--epochs", min=0, help="Of a network; 0 for its default.", show_default=False)
]
Graphs = Annotated[
    str,
    typer.Option("--graphs", help="Directory of graphs to be shared among models.", show_default=False),
]
Site = Annotated[str, typer.Option("--site", help="Where to run: a site's name or file.", show_default=False)]


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Which records are learnt from, and how they are split."""

    version: Version = ""
    split: Annotated[
        str,
        typer.Option(
            "--split", help="random, composition, elements, prototype, calculation; or a split file."
        ),
    ] = "random"
    fractions: Annotated[
        str, typer.Option("--fractions", help="Of train, validation and test, where the split is drawn.")
    ] = "0.8,0.1,0.1"
    ignoring: Ignoring = None


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a training takes of the machine."""

    nodes: Annotated[int, typer.Option("--nodes", min=1, help="That train together.")] = 1
    ranks: Annotated[int, typer.Option("--ranks", min=1, help="Processes on each node.")] = 1
    gpus: Annotated[int, typer.Option("--gpus", min=0, help="Accelerators of each rank.")] = 0
    threads: Annotated[int, typer.Option("--threads", min=1, help="Of each rank.")] = 1
    pool: Annotated[
        str,
        typer.Option("--pool", help="Of the site, for the training; else its default.", show_default=False),
    ] = ""
    walltime: Annotated[
        str,
        typer.Option(
            "--walltime",
            help="Of each job of the training, HH:MM:SS; it goes on in the next.",
            show_default=False,
        ),
    ] = ""

    def arguments(self) -> dict[str, Any]:
        """The same as the Makers of trainings call it."""
        return {
            "nodes": self.nodes, "ranks_per_node": self.ranks, "gpus_per_rank": self.gpus,
            "threads": self.threads, "pool": self.pool, "walltime": self.walltime or 0,
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Where:
    """Where the campaign of a command runs, and lies."""

    site: Site = ""
    directory: Annotated[
        str,
        typer.Option("--directory", "-d", help="Campaign directory.", show_default="FOLDER/campaign"),
    ] = ""
    as_json: Json = False

    def place(self, folder: Path) -> Path:
        """The campaign directory, for results in a folder."""
        return Path(self.directory).absolute() if self.directory else folder / "campaign"

    def override(self) -> dict[str, str]:
        """What it says of the campaign."""
        return {"site": self.site} if self.site else {}
