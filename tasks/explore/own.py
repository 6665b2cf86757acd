"""Candidates by a function of a person's own: a generator, a rule, a program of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from zonemelt.tasks.convert.checked import new_geometry
from zonemelt.tasks.errors import InputError, ZonemeltError
from zonemelt.tasks.explore.candidate import Explorer, Found
from zonemelt.tasks.own_code import EXPLORERS, NAMED, own_function

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonemelt.tasks.explore.candidate import Parent


class Own(Explorer):
    """Whatever a function proposes."""

    explorer: Literal["own"] = "own"
    function: str = Field(
        pattern=NAMED,
        description="module:name; takes structures (ase.Atoms) and seed; gives some of ASE or pymatgen",
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="further keywords of the function")


def explore(settings: Own, parents: Sequence[Parent], *, seed: int) -> Found:
    """Ask the function; what is no structure of what it gives is refused and counted.

    Args:
        settings: which function, with which arguments.
        parents: structures to start from; may be none.
        seed: handed on to the function.

    Raises:
        InputError: the function is not allowed, cannot be imported, or fails.
    """
    from ase import Atoms

    where = f"explorer own, {settings.function}"
    function = own_function(settings.function, variable=EXPLORERS, where=where)
    found = Found(explorer=settings.explorer, closest=settings.closest)
    try:
        proposed = list(function([one.geometry.atoms() for one in parents], seed=seed, **settings.arguments))
    except Exception as error:
        raise InputError(
            f"it fails: {type(error).__name__}: {error}",
            where=where,
            remedy="it is called as function(structures, seed=…, **arguments) and gives structures",
        ) from error
    for number, one in enumerate(proposed):
        try:
            atoms = one.to_ase_atoms() if hasattr(one, "to_ase_atoms") else one  # pymatgen's become ASE's
            if not isinstance(atoms, Atoms):
                raise InputError("no structure", where=where)
            geometry = new_geometry(atoms, where=f"{where}, number {number}")
        except (ZonemeltError, ValueError):  # which pymatgen raises of sites that are shared
            found.refuse("no structure")
            continue
        found.add(geometry, parent="", function=settings.function)
    return found
