"""The command generate: draw crystals from a generator, freely or as wished for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from zonemelt.tasks.errors import InputError
from zonemelt.workflows.cli.app import LEARN, NOT_ALL_SUCCEEDED, command
from zonemelt.workflows.cli.places import Json  # noqa: TC001 (typer reads the annotations)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.explore.candidate import Candidate
    from zonemelt.tasks.generate.wishes import Wish

_SHOWN: Final = 12  # formulas


@command(
    LEARN,
    "zonemelt generate gen --number 100 --out new.extxyz",
    "zonemelt generate gen -n 20 --composition LiFePO4 --atoms 14 --out lfp        structure prediction",
    "zonemelt generate gen -n 500 --system Li-Fe-O --out lfo.jsonl --json | jq .counts",
    "zonemelt generate gen -n 200 --value 1.3 --guidance 2 --out gap.extxyz        of its property",
    "zonemelt generate gen -n 50 --near known.cif --strength 0.2 --out near",
)
def generate(
    generator: Annotated[str, typer.Argument(metavar="GENERATOR", help="Folder of a trained one.")],
    *,
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="Crystals to draw.")] = 10,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Of the noise; the same gives the same crystals.")
    ] = 0,
    composition: Annotated[
        str, typer.Option(help="Of the cell, such as LiFePO4; with --atoms, as many formula units as fit.")
    ] = "",
    system: Annotated[
        str, typer.Option(help="Elements that crystals may have, such as Li-Fe-O.", show_default=False)
    ] = "",
    value: Annotated[
        float | None, typer.Option(help="Of the generator's property, in its unit.", show_default=False)
    ] = None,
    atoms: Annotated[int, typer.Option(min=0, help="In the cell.", show_default=False)] = 0,
    near: Annotated[
        str, typer.Option(metavar="FILE", help="Crystals to begin from; also a dataset.", show_default=False)
    ] = "",
    strength: Annotated[
        float, typer.Option(help="With --near: 0 as they are, 1 nothing left of them.")
    ] = 0.2,
    elements: Annotated[
        bool, typer.Option("--change-elements", help="With --near: elements may change, too.")
    ] = False,
    steps: Annotated[int, typer.Option(min=1, help="From noise to crystal.")] = 100,
    guidance: Annotated[float, typer.Option(min=0.0, help="How much more a value counts.")] = 0.0,
    temperature: Annotated[
        float, typer.Option(min=0.0, help="Of the choice of species; 0 for the likeliest.")
    ] = 1.0,
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE|DIR",
            help="Ends in .extxyz or .jsonl (candidates); else a directory of CIF files.",
            show_default=False,
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """Draw crystals from a generator; those that are no structures are counted and left out.

    What is drawn must be relaxed and judged: `zonemelt screen`. The exit code is 1 where nothing was left.
    """  # fmt: skip
    from zonemelt.tasks.generate.draw import draw, draw_near
    from zonemelt.tasks.generate.generator import load_generator
    from zonemelt.tasks.generate.sampling import SampleSettings
    from zonemelt.tasks.generate.wishes import check_seen
    from zonemelt.workflows.cli.candidate_files import check_free_target, write_candidates
    from zonemelt.workflows.paper import print_json, progress_bar

    wished = {"composition": composition, "system": system, "value": value, "atoms": atoms or None}
    asked = {key: one for key, one in wished.items() if one not in ("", None)}
    if near and asked:
        raise InputError(
            f"--near and --{next(iter(asked))}",
            where="wishes",
            remedy="begin from known crystals, or wish for something: not both",
        )
    if out:
        check_free_target(out)
    loaded = load_generator(generator)
    how = SampleSettings(steps=steps, guidance=guidance, temperature=temperature, seed=seed)
    with progress_bar("crystals", number, quiet=as_json) as step:
        if near:
            parents, names = _known(near)
            found = draw_near(
                loaded, how, number=number, parents=parents, names_M=names, strength=strength,
                species=elements, progress=step,
            )  # fmt: skip
        else:
            wish = _wish(composition, system, value=value, atoms=atoms or None)
            check_seen(loaded, wish)
            found = draw(loaded, how, number=number, wishes=[wish], progress=step)
    document = found.document()
    kept = list(found.candidates.values())
    files = write_candidates(out, kept) if out else []
    if as_json:
        about = {"generator": generator, "seed": seed, "wish": asked, "files": files}
        print_json({**about, "counts": document["counts"], "candidates": document["candidates"]})
    else:
        _say(kept, document["counts"], out=out)
    if not kept:
        raise typer.Exit(NOT_ALL_SUCCEEDED)


def _wish(composition: str, system: str, *, value: float | None, atoms: int | None) -> Wish:
    """What the options wish for.

    Raises:
        InputError: a formula or a system cannot be read, or the atoms are no multiple of the formula.
    """
    from zonemelt.tasks.generate.wishes import Wish

    counts = _counts(composition) if composition else {}
    if counts and atoms:
        units, rest = divmod(atoms, sum(counts.values()))
        if rest or not units:
            raise InputError(
                f"{atoms} atoms, and {composition} has {sum(counts.values())}",
                where="--atoms",
                remedy="give a multiple, or leave it out",
            )
        counts = {symbol: units * count for symbol, count in counts.items()}
    symbols = frozenset(filter(None, (one.strip() for one in system.replace(",", "-").split("-"))))
    return Wish(composition=counts, system=symbols, value=value, atoms=atoms)


def _counts(formula: str) -> dict[str, int]:
    from pymatgen.core.composition import Composition

    try:
        found = {str(element): amount for element, amount in Composition(formula).items()}
    except (ValueError, TypeError, KeyError):
        found = {}
    if not found or any(amount != int(amount) for amount in found.values()):
        raise InputError(
            f"'{formula}' is no formula with whole numbers",
            where="--composition",
            remedy="write such as LiFePO4 or Na4Cl4",
        )
    return {symbol: int(amount) for symbol, amount in found.items()}


def _known(path: str) -> tuple[Crystals, list[str]]:
    """Crystals of a file or a dataset, with their names.

    Raises:
        InputError: one of them is none, or there is none.
    """
    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.generate.padded import check_crystals
    from zonemelt.tasks.generate.reduced import reduced
    from zonemelt.tasks.structure_files import read_structures

    read = list(read_structures(path))
    if bad := next((one for one in read if one.geometry is None), None):
        raise InputError(bad.reason, where=bad.name, remedy="mend it, or leave it out")
    if not read:
        raise InputError("there is no crystal", where=path, remedy="give a file with some")
    names = [one.name for one in read]
    crystals = Crystals.of(one.geometry for one in read if one.geometry is not None)
    check_crystals(crystals, names)
    return reduced(crystals), names


def _say(kept: Sequence[Candidate], counts: dict[str, Any], *, out: str) -> None:
    from collections import Counter

    from zonemelt.workflows.paper import console

    formulas = Counter(_formula(one) for one in kept).most_common()
    shown = ", ".join(f"{name} {times}" if times > 1 else name for name, times in formulas[:_SHOWN])
    lines = [f"{counts['kept']:,} of {counts['proposed']:,} drawn are structures"]
    lines += [f"  {times:,} {why}" for why, times in counts.items() if why.startswith("refused")]
    if formulas:
        more = f" and {len(formulas) - _SHOWN:,} more" if len(formulas) > _SHOWN else ""
        lines.append(f"{len(formulas):,} formulas: {shown}{more}")
    lines.append(f"written to {out}" if out else "nothing was written: give --out to keep them")
    console().print("\n".join(lines), soft_wrap=True)


def _formula(candidate: Candidate) -> str:
    return str(candidate.geometry.structure().composition.reduced_formula)
