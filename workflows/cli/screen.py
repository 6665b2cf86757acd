"""The command screen: judge structures of files or datasets against known crystals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from zonemelt.workflows.cli import training_options as options  # noqa: TC001 (typer reads them)
from zonemelt.workflows.cli.app import START, command
from zonemelt.workflows.cli.places import Json  # noqa: TC001 (typer reads the annotations)
from zonemelt.workflows.cli.potential import Device, Structures, Trust  # noqa: TC001 (typer reads them)

GRAPH: Final = "zonemelt.flows.screening:screen_structures"


@command(
    START,
    "zonemelt screen new/*.cif --references references --potential sevennet-0 --out judged",
    "zonemelt screen candidates --references mp --target 'above_hull < 0.05, no Pb' --out judged",
    "zonemelt screen candidates --references mp --model gap --target 'band_gap 1.1 to 1.7 eV' --out judged",
    "zonemelt screen new.extxyz --references mp --energies labels --correct --out judged --json",
)
def screen(
    structures: Structures,
    *,
    references: Annotated[
        str, typer.Option(metavar="DATASET", help="Known crystals; of each element a pure one among them.")
    ],
    out: Annotated[str, typer.Option("--out", "-o", metavar="FOLDER", help="Campaign directory.")],
    potential: Annotated[
        str,
        typer.Option(help="A name of `zonemelt potential list`, or the folder of one, or of a committee."),
    ] = "sevennet-0",
    target: Annotated[
        list[str] | None,
        typer.Option(help="What is searched, such as 'above_hull < 0.05, no Pb'.", show_default=False),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(metavar="FOLDER", help="A model of properties in the target.")
    ] = None,
    energies: Annotated[
        str, typer.Option(help="Of references: potential (they are relaxed too), or labels.")
    ] = "potential",
    correct: Annotated[
        bool | None,
        typer.Option("--correct/--no-correct", help="Of labels: correct the potential's energies by MP2020."),
    ] = None,
    error: Annotated[
        float | None,
        typer.Option(help="Standard error of the potential above the hull, eV/atom.", show_default=False),
    ] = None,
    phonons: Annotated[int, typer.Option(min=0, help="Phonons of how many of the best.")] = 0,
    force: Annotated[float, typer.Option(min=1e-6, help="Largest at rest, eV/Å.")] = 0.03,
    steps: Annotated[int, typer.Option(min=1, help="Most of one relaxation.")] = 500,
    at_once: Annotated[int, typer.Option("--structures", min=1, help="In one job.")] = 200,
    device: Device = "cpu",
    trust: Trust = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any key of the site.")
    ] = None,
    site: options.Site = "",
    as_json: Json = False,
) -> None:
    """Judge structures: relaxed, compared, placed on the hull of known crystals. `candidates` shows more.

    A campaign: Ctrl-C stops it cleanly; the same command goes on. What cannot be judged is told with its
    reason, and holds nothing up.
    """
    from zonemelt.workflows.cli.again import run_or_go_on
    from zonemelt.workflows.cli.plans import campaign_settings, read_plan
    from zonemelt.workflows.cli.verdict_tables import print_verdicts
    from zonemelt.workflows.paper import console, print_json
    from zonemelt.workflows.verdicts import read_verdicts

    folder = Path(out).absolute()
    arguments: dict[str, Any] = {
        "files": [_absolute(one) for one in structures],
        "potential": _absolute(potential) if Path(potential).is_dir() else potential,
        "references": {
            "dataset": _absolute(references), "energies": energies,
            **({} if correct is None else {"correct": correct}),
        },
        "directory": str(folder / "checkpoints"), "target": ", ".join(target or []),
        "models": [_absolute(one) for one in model or []],
        "judging": {"phonons": phonons, **({} if error is None else {"error": error})},
        "relax": {"force": force, "steps": steps, "method": "lbfgs"},
        "structures": at_once, "device": device, "trust": trust,
    }  # fmt: skip
    given = {"name": "screen", **{f"arguments.{key}": value for key, value in arguments.items()}}
    given |= campaign_settings(settings or []) | ({"site": site} if site else {})
    place = run_or_go_on(read_plan(GRAPH, given), str(folder), quiet=as_json)
    if as_json:
        from zonemelt.tasks.judge.verdict import counted

        verdicts = [one.verdict for one in read_verdicts(place)]
        verdicts.sort(key=lambda one: (one.above_hull is None, one.above_hull or 0.0, one.identifier))
        documents = [one.model_dump(mode="json") for one in verdicts]
        print_json({"directory": str(place), "counts": counted(verdicts), "candidates": documents})
    else:
        print_verdicts(console(), place)


def _absolute(path: str) -> str:
    """Jobs run in directories of their own."""
    return str(Path(path).absolute())
