"""Known crystals on the hull or near it: a generator learns from them, and they must be at rest."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jobflow import job

from zonemelt.tasks.datasets import commit, open_dataset, write_part
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore.derivative import superlattices
from zonemelt.tasks.judge.hull import Phase, Placed, References
from zonemelt.tasks.judge.target import Target
from zonemelt.tasks.quality.composition import reduced_formula
from zonemelt.tasks.records import Geometry, Property

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zonemelt.tasks.records import Record

ABOVE_HULL: Final = "above_hull"
REFINED: Final = "refined"
"""The explorer of known crystals that are relaxed and labelled again."""
FORCE: Final = 0.1
"""eV/Å: largest component at rest."""
STRESS: Final = 0.01
"""eV/Å³: likewise; 0.01 is 1.6 GPa, half its square over a bulk modulus of 160 GPa is 0.8 meV an atom."""
_CELL: Final = "-cell"
"""What stands between the name of a crystal and the number of a larger cell of it."""
_ENOUGH: Final = 12
"""Crystals that are of what the target allows: of fewer a generator would learn nothing."""
_LEAST: Final = 2
"""Crystals with different values, so that a property can be asked for."""


def placed(records: Iterable[Record]) -> dict[str, Placed]:
    """Identifier → where each labelled crystal lies on the hull of all, by energies without smearing."""
    phases = [Phase(one.identifier, Counter(one.geometry.symbols), one.energy_per_atom) for one in records]
    return {one.identifier: one for one in References(phases).place(phases)}


def near_hull(
    records: Sequence[Record], *, within: float, most_atoms: int
) -> list[tuple[Record, float | None]]:
    """The records a generator learns from, and their energies above the hull, the lowest first.

    Args:
        records: all that is labelled.
        within: eV/atom above the hull; what has no hull is taken, for nobody can say that it is high.
        most_atoms: of a cell.
    """
    some = [one for one in records if len(one.geometry.symbols) <= most_atoms]
    where = placed(records)
    found = [(one, where[one.identifier].above_hull) for one in some]
    kept = [(one, above) for one, above in found if above is None or above <= within]
    return sorted(kept, key=lambda pair: (pair[1] is None, pair[1] or 0.0, pair[0].identifier))


def meant(
    kept: Sequence[tuple[Record, float | None]], target: Target | None
) -> Sequence[tuple[Record, float | None]]:
    """Those of atoms that the target allows, where these are enough to learn from; else all.

    The pure elements are on every hull: a generator that learns from them and is asked for the hull draws
    them again, and what is looked for may be compounds.

    Args:
        kept: see :func:`near_hull`.
        target: what is looked for.
    """
    if target is None:
        return kept
    some = [pair for pair in kept if not any(target.composition_faults(pair[0].geometry.symbols))]
    return some if len(some) >= _ENOUGH else kept


def at_rest(record: Record) -> bool:
    """Whether forces and stress of a label are small: it would gain a milli-electronvolt an atom at most."""
    forces, stress = record.forces, record.stress
    return (
        forces is not None
        and stress is not None
        and float(np.abs(forces).max()) <= FORCE
        and float(np.abs(stress).max()) <= STRESS
    )


def restless(records: Iterable[Record], *, within: float, most: int) -> list[Record]:
    """The lowest crystals of their compositions that are near the hull and not at rest, elements first.

    A hull that is spanned by crystals on their way is too high, and everything else looks stable on it.

    Args:
        records: all that is labelled.
        within: eV/atom above the hull.
        most: how many.
    """
    every = list(records)
    where = placed(every)
    lowest: dict[str, Record] = {}
    for one in every:
        formula = reduced_formula(one.geometry.symbols)
        if formula not in lowest or one.energy_per_atom < lowest[formula].energy_per_atom:
            lowest[formula] = one
    found = [
        one
        for one in lowest.values()
        if (above := where[one.identifier].above_hull) is not None and above <= within and not at_rest(one)
        and not is_refined(one.identifier)  # once is enough: what is left is the potential's error
    ]  # fmt: skip
    return sorted(found, key=lambda one: (len(set(one.geometry.symbols)), one.identifier))[:most]


def larger_cells(geometry: Geometry, *, most_atoms: int, each: int, seed: int) -> list[Geometry]:
    """The same crystal in larger cells: a few for each number of atoms that is possible.

    A generator that has seen small cells alone puts the atoms of larger ones on one another.

    Args:
        geometry: of the crystal.
        most_atoms: of a cell.
        each: cells of one size at most, drawn evenly among all.
        seed: of what is drawn.
    """
    from ase.build import make_supercell

    atoms, draw = geometry.atoms(), np.random.default_rng(seed)
    found = []
    for times in range(2, most_atoms // len(atoms) + 1):
        shapes = superlattices(times)
        picked = draw.permutation(len(shapes))[:each]
        found += [Geometry.of(make_supercell(atoms, np.array(shapes[row]))) for row in sorted(picked)]
    return found


def known_as(identifier: str) -> str:
    """The name of a crystal, whatever cell of it this is the name of."""
    return re.sub(rf"{_CELL}\d+$", "", identifier)


def is_refined(identifier: str) -> bool:
    """Whether this is the name of a known crystal that was relaxed and labelled again."""
    return f"-{REFINED}-" in identifier


def _in_cell(record: Record, geometry: Geometry, number: int) -> Record:
    """The record in another cell, without what is of the whole cell."""
    return record.model_copy(
        update={
            "identifier": f"{record.identifier}{_CELL}{number}", "geometry": geometry, "energy_free": None,
            "energy_sigma0": None, "forces": None, "stress": None, "magmoms": None, "correction": None,
        }
    )  # fmt: skip


@job
def near_hull_job(
    *,
    dataset: str,
    version: str,
    directory: str,
    within: float,
    most_atoms: int,
    wish: str,
    target: Any = None,
    cells: int = 0,
    seed: int = 0,
) -> dict[str, Any]:
    """Make a dataset of what is on the hull or near it, with ``above_hull`` among its properties.

    Args:
        dataset: all that is labelled.
        version: of it.
        directory: of the new one.
        within: see :func:`near_hull`.
        most_atoms: see :func:`near_hull`.
        wish: the property that crystals will be asked for by.
        target: what is looked for, see :func:`meant`.
        cells: larger ones of each crystal and number of atoms, see :func:`larger_cells`.
        seed: of those.

    Returns:
        ``dataset``, ``version``; ``records``, how many crystals; ``wish``, or nothing where too few
        have different values.

    Raises:
        InputError: nothing is near the hull.
    """
    records = list(open_dataset(dataset, version).records())
    near = near_hull(records, within=within, most_atoms=most_atoms)
    kept = meant(near, Target.of(target) if target else None)
    if not kept:
        raise InputError(
            f"none of {len(records)} crystals is within {within} eV/atom of the hull with {most_atoms} atoms"
            " or fewer",
            where=f"dataset {dataset}",
            remedy="raise generator.within or generator.most_atoms",
        )
    learnt = [
        one.model_copy(
            update={"properties": {**one.properties, ABOVE_HULL: Property(value=above, unit="eV/atom")}}
        )
        if above is not None
        else one
        for one, above in kept
    ]
    in_cells = [
        _in_cell(one, geometry, number)
        for row, one in enumerate(learnt)
        for number, geometry in enumerate(
            larger_cells(one.geometry, most_atoms=most_atoms, each=cells, seed=seed + row), start=1
        )
    ]
    made = commit(
        directory, [write_part(directory, [*learnt, *in_cells])], message=f"near the hull, of {version[:12]}"
    )
    values = {one.properties[wish].value for one in learnt if wish in one.properties}
    return {
        "dataset": directory,
        "version": made.hash,
        "records": len(learnt),
        "wish": wish if len(values) >= _LEAST else "",
    }
