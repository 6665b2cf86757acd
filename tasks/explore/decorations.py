"""Explore decorations: sites of known crystals shared out among elements or left empty, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from zonemelt.tasks.explore.candidate import Explorer, Found, Parent, Repeat
from zonemelt.tasks.quality.canonical import exact_key
from zonemelt.tasks.quality.symmetry import quiet
from zonemelt.tasks.records import Element, Geometry

if TYPE_CHECKING:
    from collections.abc import Sequence

_FULL = 1 + 1e-9
_WHOLE = 1e-6


class Decorations(Explorer):
    """Sites of an element shared out; orders are ranked by the energy of point charges, the lowest kept."""

    explorer: Literal["decorations"] = "decorations"
    sites: dict[Element, dict[Element, float]] = Field(
        min_length=1,
        description="element → what its sites hold, in shares: {Li: {Li: 0.5}} leaves half of them empty",
    )
    repeat: Repeat = Field(default=(1, 1, 1), description="of the parent's cell")
    most: int = Field(default=10, ge=1, description="of each parent, before symmetry")
    atoms: int = Field(default=100, ge=1, description="of a cell at most: beyond, ranking takes too long")

    @model_validator(mode="after")
    def _shares(self) -> Self:
        for site, shares in self.sites.items():
            if not shares or min(shares.values()) <= 0 or sum(shares.values()) > _FULL:
                raise ValueError(f"shares of {site} are {shares}: positive numbers that sum up to 1 or less")
        return self


def explore(settings: Decorations, parents: Sequence[Parent]) -> Found:
    """Order every parent; those without the elements, or whose shares make no whole atoms, are refused."""
    found = Found(explorer=settings.explorer, closest=settings.closest)
    for parent in parents:
        if reason := _refused(parent, settings):
            found.refuse(reason)
            continue
        with quiet():
            _order(found, parent, settings)
    return found


def _refused(parent: Parent, settings: Decorations) -> str:
    symbols = parent.geometry.symbols
    times = settings.repeat[0] * settings.repeat[1] * settings.repeat[2]
    if not all(parent.geometry.periodic):
        return "not a crystal"
    if absent := sorted(set(settings.sites) - set(symbols)):
        return f"no {', '.join(absent)} in it"
    if len(symbols) * times > settings.atoms:
        return f"more than {settings.atoms} atoms"
    for site, shares in settings.sites.items():
        for element, share in shares.items():
            number = share * symbols.count(site) * times
            if abs(number - round(number)) > _WHOLE:
                return f"{share:g} of its {symbols.count(site) * times} {site} are no whole {element}"
    return ""


def _order(found: Found, parent: Parent, settings: Decorations) -> None:
    """pymatgen ranks orders by Ewald's sum of charges; without charges all are alike, in its order."""
    from pymatgen.transformations.standard_transformations import OrderDisorderedStructureTransformation

    structure: Any = parent.geometry.structure().make_supercell(settings.repeat, in_place=False)
    structure.replace_species(settings.sites)
    charged = structure.copy()
    charged.add_oxidation_state_by_guess()
    order = OrderDisorderedStructureTransformation(no_oxi_states=False)
    ranked: Any = order.apply_transformation(charged, return_ranked_list=settings.most)
    lowest = ranked[0]["energy"] if ranked else 0.0
    keys: set[str] = set()
    for one in ranked:
        ordered = one["structure"].copy().remove_oxidation_states()
        geometry = Geometry.of(ordered.to_ase_atoms())
        if (key := exact_key(geometry)) in keys:
            found.refuse("the same as another by symmetry")
            continue
        keys.add(key)
        above = round(float(one["energy"] - lowest) / len(ordered), 6)
        found.add(geometry, parent=parent.identifier, charges_above=above)
