"""The structures a campaign begins with: crystals in a line, or files of any format that ASE reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.written_structures import Written

if TYPE_CHECKING:
    from collections.abc import Sequence


class BulkSpec(BaseModel):
    """A crystal as ``ase.build.bulk`` makes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bulk: str = Field(description="an element, or two as in NaCl")
    crystal: str | None = Field(
        default=None, description="fcc, bcc, diamond, rocksalt …; that of the element"
    )
    a: float | None = Field(default=None, gt=0, description="lattice constant, Å; that of the element")
    cubic: bool = Field(default=False, description="the conventional cell")
    repeat: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (
        Field(default=(1, 1, 1), description="of the cell")
    )


class OrderingsSpec(BaseModel):
    """The pure elements and all orderings of every two of them, at the volumes of Vegard's law."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    orderings: list[str] = Field(min_length=2, description="elements")
    lattices: list[Literal["fcc", "bcc"]] = Field(default=["fcc", "bcc"], min_length=1)
    sizes: list[Annotated[int, Field(ge=1, le=8)]] = Field(
        default=[1, 2, 3], min_length=1, description="of the cells, atoms"
    )


AnyStructure = OrderingsSpec | BulkSpec | Written | str


def absolute_paths(structures: Sequence[AnyStructure], base: Path) -> list[Any]:
    """The same, files relative to a folder by their whole paths."""
    return [_absolute(one, base) for one in structures]


def _absolute(one: AnyStructure, base: Path) -> AnyStructure:
    if isinstance(one, Written):
        return absolute_written(one, base)
    return str((base / one).resolve()) if isinstance(one, str) else one


def absolute_written(one: Written, base: Path) -> Written:
    """A crystal that is written out, or whose file is named: by its whole path."""
    return one.model_copy(update={"file": str((base / one.file).resolve())}) if one.file else one


def read_structures(structures: Sequence[AnyStructure], *, where: str = "structures") -> list[dict[str, Any]]:
    """Documents with ``identifier`` and ``geometry``; crystals that are written out are named by formula.

    Args:
        structures: as a campaign's file has them.
        where: the field that has them.

    Raises:
        InputError: a crystal cannot be made, or a file cannot be read.
    """
    found: dict[str, dict[str, Any]] = {}
    for number, one in enumerate(structures):
        if isinstance(one, OrderingsSpec):
            from zonemelt.tasks.explore.orderings import ordered_crystals

            some = ordered_crystals(one.orderings, lattices=one.lattices, sizes=one.sizes)
            found |= {each["identifier"]: each for each in some}
            continue
        for name, geometry in _read(one, where=f"{where}[{number}]"):
            unique = name
            while unique in found:
                unique += "'"
            found[unique] = {
                "identifier": unique,
                "geometry": geometry.model_dump(mode="json", exclude_none=True),
            }
    return list(found.values())


def _read(one: BulkSpec | Written | str, *, where: str) -> list[tuple[str, Geometry]]:
    if isinstance(one, Written):
        from zonemelt.tasks.quality.composition import reduced_formula
        from zonemelt.tasks.written_structures import written

        geometry = written(one, where=where)
        group = Path(one.file).stem if one.file else one.space_group
        return [(f"{reduced_formula(geometry.symbols)}-{group}", geometry)]
    if isinstance(one, BulkSpec):
        return [_bulk(one, where)]
    return _file(one, where)


def _bulk(one: BulkSpec, where: str) -> tuple[str, Geometry]:
    from ase.build import bulk

    try:
        atoms = bulk(one.bulk, one.crystal, a=one.a, cubic=one.cubic).repeat(one.repeat)
    except (ValueError, KeyError, RuntimeError) as error:
        raise InputError(
            f"{one.bulk}: {error}", where=where, remedy="name crystal and a; or give a file"
        ) from None
    return f"{atoms.get_chemical_formula()}-{one.crystal or 'bulk'}", Geometry.of(atoms)


def _file(path: str, where: str) -> list[tuple[str, Geometry]]:
    from ase.io import read

    try:
        frames: Any = read(path, index=":")
    except FileNotFoundError:
        raise InputError(
            f"there is no file {path}", where=where, remedy="paths are relative to the campaign file"
        ) from None
    except Exception as error:
        raise InputError(
            f"{path} cannot be read: {error}",
            where=where,
            remedy="give a format that ASE reads: cif, POSCAR …",
        ) from error
    name = Path(path).stem
    return [
        (f"{name}-{place}" if len(frames) > 1 else name, Geometry.of(frame))
        for place, frame in enumerate(frames)
    ]
