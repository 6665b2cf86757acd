"""The commands potential relax, md, validate and export: work with a potential."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from zonemelt.tasks.units import GPA
from zonemelt.workflows.cli import training_options as options  # noqa: TC001 (typer reads them)
from zonemelt.workflows.cli.app import NOT_ALL_SUCCEEDED, examples
from zonemelt.workflows.cli.option_groups import grouped
from zonemelt.workflows.cli.places import Json  # noqa: TC001 (typer reads the annotations)
from zonemelt.workflows.cli.potential import Device, Potential, Structures, Trust, potential_app

RELAX: Final = "zonemelt.flows.potential_work:relax_structures"
MD: Final = "zonemelt.flows.potential_work:simulate_structures"
VALIDATE: Final = "zonemelt.flows.validate:ValidateMaker"
_ENSEMBLES: Final[dict[str, dict[str, float]]] = {  # time constants of baths, fs
    "nve": {}, "nvt": {"rescaling": 100.0}, "npt": {"rescaling": 100.0, "breathing": 1000.0},
}  # fmt: skip

OutFolder = Annotated[str, typer.Option("--out", "-o", metavar="FOLDER", help="Folder of the results.")]
Precision = Annotated[
    str, typer.Option("--dtype", help="float32 or float64; else what fits.", show_default=False)
]
SiteSettings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any key of the site.")
]


@potential_app.command(
    "relax",
    epilog=examples(
        "zonemelt potential relax sevennet-0 new/*.cif --out relaxed",
        "zonemelt potential relax my-copper candidates --out relaxed --force 0.01 --method lbfgs",
        "zonemelt potential relax chgnet-0.3.0 many.extxyz --out relaxed --structures 100 --site my-cluster",
    ),
)
@grouped
def relax(
    potential: Potential,
    structures: Structures,
    *,
    out: OutFolder,
    force: Annotated[float, typer.Option(min=1e-6, help="Largest at rest, eV/Å.")] = 0.05,
    steps: Annotated[int, typer.Option(min=1, help="Most of one structure.")] = 500,
    fixed_cell: Annotated[bool, typer.Option("--fixed-cell", help="Only positions relax.")] = False,
    method: Annotated[str, typer.Option(help="fire or lbfgs.")] = "fire",
    at_once: Annotated[int, typer.Option("--structures", min=1, help="In one job.")] = 200,
    device: Device = "cpu",
    dtype: Precision = "",
    trust: Trust = False,
    settings: SiteSettings = None,
    where: options.Where,
) -> None:
    """Relax structures, all together in batches: FOLDER/relaxed.extxyz has them, with energies.

    A campaign: Ctrl-C stops it cleanly; the same command goes on. The exit code is 1 where a structure did
    not come to rest.
    """
    from zonemelt.workflows.cli.potential_tables import print_relaxed

    folder = Path(out).absolute()
    arguments = {
        "potential": _potential(potential), "files": [str(Path(one).absolute()) for one in structures],
        "directory": str(folder),
        "settings": {"force": force, "steps": steps, "cell": not fixed_cell, "method": method},
        "structures": at_once, "device": device, "dtype": dtype or None, "trust": trust,
    }  # fmt: skip
    found = _run(RELAX, "relax", arguments, folder / "relaxed.json", settings, where=where)
    _say(found, print_relaxed, as_json=where.as_json)
    if set(found["outcomes"]) - {"converged"}:
        raise typer.Exit(NOT_ALL_SUCCEEDED)


@potential_app.command(
    "md",
    epilog=examples(
        "zonemelt potential md sevennet-0 cell.cif --steps 10000 --out run              energy is conserved",
        "zonemelt potential md sevennet-0 cell.cif --ensemble npt -T 600 --steps 50000 --out hot",
        "zonemelt potential md committee cell.cif --ensemble nvt --unsure 0.5 --out run   stops where unsure",
    ),
)
@grouped
def md(
    potential: Potential,
    structures: Structures,
    *,
    out: OutFolder,
    steps: Annotated[int, typer.Option(min=1, help="Of the simulation.")] = 1000,
    ensemble: Annotated[str, typer.Option(help="nve, nvt or npt.")] = "nve",
    temperature: Annotated[
        float, typer.Option("--temperature", "-T", min=0.0, help="Of first velocities and bath, K.")
    ] = 300.0,
    temperature_end: Annotated[
        float | None, typer.Option(help="Of the bath at the end, K.", show_default=False)
    ] = None,
    pressure: Annotated[float, typer.Option(help="Of npt, GPa.")] = 0.0,
    timestep: Annotated[float, typer.Option(min=1e-3, help="fs.")] = 1.0,
    every: Annotated[int, typer.Option(min=1, help="Steps between two frames.")] = 10,
    unsure: Annotated[
        float | None,
        typer.Option(help="Disagreement of a committee that ends a run, eV/Å.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of velocities and baths.")] = 0,
    extxyz: Annotated[bool, typer.Option("--extxyz", help="Trajectories as extended XYZ too.")] = False,
    at_once: Annotated[int, typer.Option("--structures", min=1, help="In one job.")] = 50,
    device: Device = "cpu",
    dtype: Precision = "",
    trust: Trust = False,
    settings: SiteSettings = None,
    where: options.Where,
) -> None:
    """Molecular dynamics of structures, together in batches: FOLDER/md.json, trajectories beside it.

    A campaign: Ctrl-C stops it cleanly; the same command goes on. The exit code is 1 where a run exploded, or
    ended because a committee was unsure.
    """
    from zonemelt.workflows.cli.potential_tables import print_simulated

    folder = Path(out).absolute()
    arguments = {
        "potential": _potential(potential), "files": [str(Path(one).absolute()) for one in structures],
        "directory": str(folder), "extxyz": extxyz, "structures": at_once, "device": device,
        "dtype": dtype or None, "trust": trust,
        "settings": {
            "steps": steps, "temperature": temperature, "temperature_end": temperature_end,
            "timestep": timestep, "every": every, "unsure": unsure, "seed": seed,
            **_baths(ensemble, pressure),
        },
    }  # fmt: skip
    found = _run(MD, "md", arguments, folder / "md.json", settings, where=where)
    _say(found, print_simulated, as_json=where.as_json)
    if set(found["ends"]) - {"finished"}:
        raise typer.Exit(NOT_ALL_SUCCEEDED)


def _baths(ensemble: str, pressure: float) -> dict[str, float]:
    """What an ensemble is in the words of :class:`.DynamicsSettings`.

    Raises:
        InputError: there is no such ensemble, or it has no pressure.
    """
    from zonemelt.tasks.errors import InputError

    if ensemble not in _ENSEMBLES:
        raise InputError(f"'{ensemble}'", where="--ensemble", remedy=f"one of {', '.join(_ENSEMBLES)}")
    if pressure and ensemble != "npt":
        raise InputError(
            f"--pressure {pressure}", where=f"--ensemble {ensemble}", remedy="give --ensemble npt"
        )
    return _ENSEMBLES[ensemble] | ({"pressure": pressure / GPA} if ensemble == "npt" else {})


@potential_app.command(
    "validate",
    epilog=examples(
        "zonemelt potential validate chgnet-0.3.0 labels --out judged",
        "zonemelt potential validate net labels --split net/split.json --out judged",
        "zonemelt potential validate sevennet-0 test.extxyz --by config_type --out judged --json",
        "zonemelt potential validate net --references known.yaml --out judged     volumes, moduli, phonons",
    ),
)
@grouped
def validate(
    potential: Potential,
    labels: Annotated[
        str,
        typer.Argument(
            metavar="[LABELS]", help="A dataset, or a file with energies and forces.", show_default=False
        ),
    ] = "",
    *,
    out: OutFolder,
    references: Annotated[
        str,
        typer.Option(metavar="FILE", help="YAML: crystals with what is known of them.", show_default=False),
    ] = "",
    version: options.Version = "",
    split: Annotated[
        str, typer.Option(metavar="FILE", help="A split file; else all records.", show_default=False)
    ] = "",
    part: Annotated[str, typer.Option(help="Of the split.")] = "test",
    by: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Field with the type of a configuration; config_type or group by default."
        ),
    ] = "",
    device: Device = "cpu",
    dtype: Annotated[str, typer.Option("--dtype", help="float32 or float64.")] = "float64",
    trust: Trust = False,
    settings: SiteSettings = None,
    where: options.Where,
) -> None:
    """Judge a potential: errors of energies, forces and stresses; properties of crystals.

    FOLDER/validation.json has all of it, with units; parity.svg shows it, parity.npz holds the numbers.
    """
    from zonemelt.workflows.cli.potential_tables import print_validation

    folder = Path(out).absolute()
    said: dict[str, Any] = {}
    if labels:
        said = {"source": str(Path(labels).absolute()), "by": by}
        said |= {"version": version} if version else {}
        said |= {"split": {"file": str(Path(split).absolute())}, "part": part} if split else {}
    arguments = {
        "potential": _potential(potential), "labels": said, "references": _references(references),
        "directory": str(folder), "device": device, "dtype": dtype, "trust": trust,
    }  # fmt: skip
    _check(potential, said, device=device, trust=trust)
    found = _run(VALIDATE, "validate", arguments, folder / "validation.json", settings, where=where)
    _say(found, print_validation, as_json=where.as_json)


@potential_app.command(
    "export",
    epilog=examples(
        "zonemelt potential export sevennet-0 --out sevennet.pt        for pair_style e3gnn of LAMMPS",
        "zonemelt potential export net --out net.pt",
    ),
)
def export(
    potential: Potential,
    *,
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE", help="Of TorchScript.")],
    as_json: Json = False,
) -> None:
    """Write a SevenNet, or a network trained here, as TorchScript that LAMMPS runs.

    LAMMPS must be built with the pair styles of SevenNet: docs/potentials.md has the lines to write.
    """
    from zonemelt.tasks.potentials.exported import export_torchscript
    from zonemelt.workflows.paper import print_json

    found = export_torchscript(potential, Path(out))
    if as_json:
        print_json(found)
    else:
        first = " ".join(found["elements"][:4])
        typer.echo(
            f"{found['file']}\n  pair_style {found['pair_style']}\n"
            f"  pair_coeff * * {found['file']} {first} …\n"
            "  → in the place of these elements, those of your types, in their order"
        )


def _potential(name: str) -> str:
    """A folder by its whole path: jobs run in directories of their own."""
    return str(Path(name).absolute()) if Path(name).is_dir() else name


def _references(path: str) -> dict[str, Any]:
    from zonemelt.tasks.potentials.validation.references import read_references

    if not path:
        return {}
    found = read_references(Path(path))
    return {name: one.model_dump(mode="json") for name, one in found.items()}


def _check(potential: str, labels: dict[str, Any], *, device: str, trust: bool) -> None:
    """Open what is asked before a campaign is made of it."""
    from zonemelt.tasks.potentials.load import load_potential
    from zonemelt.tasks.potentials.validation.labelled import read_labelled

    load_potential(potential, device=device, trust=trust)
    if labels:
        read_labelled(**labels)


def _run(
    graph: str,
    name: str,
    arguments: dict[str, Any],
    document: Path,
    settings: list[str] | None,
    *,
    where: options.Where,
) -> dict[str, Any]:
    """Run a campaign, or go on with it, and read the document that its last job has written."""
    import json

    from zonemelt.workflows.cli.again import run_or_go_on
    from zonemelt.workflows.cli.plans import campaign_settings, read_plan

    given = {"name": name, **{f"arguments.{key}": value for key, value in arguments.items()}}
    plan = read_plan(graph, given | campaign_settings(settings or []) | where.override())
    run_or_go_on(plan, str(where.place(document.parent)), quiet=where.as_json)
    found: dict[str, Any] = json.loads(document.read_text(encoding="utf-8"))
    return found


def _say(found: dict[str, Any], printed: Any, *, as_json: bool) -> None:
    from zonemelt.workflows.paper import console, print_json

    if as_json:
        print_json(found)
    else:
        printed(console(), found)
