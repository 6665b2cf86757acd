"""Explore by substitution: elements of known crystals swapped for others, named ones or likely ones."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from zonemelt.tasks.explore.candidate import Explorer, Found, Parent
from zonemelt.tasks.quality.symmetry import quiet
from zonemelt.tasks.records import Element, Geometry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class Substitutions(Explorer):
    """Swaps in each parent; lengths are scaled by radii, so that cells begin near their volume."""

    explorer: Literal["substitutions"] = "substitutions"
    swaps: tuple[dict[Element, Element], ...] = Field(
        default=(), description="each a candidate: {Ba: Sr}, or several elements at once: {Ba: Sr, Ti: Zr}"
    )
    likely: float | None = Field(
        default=None, gt=0, lt=1,
        description="least probability of a substitution of ions, as data of known crystals have it",
    )  # fmt: skip
    elements: tuple[Element, ...] = Field(default=(), description="that may come in; empty for all")
    most: int = Field(default=50, ge=1, description="likely ones of a parent, the likeliest first")
    scale: bool = Field(default=True, description="whether lengths are scaled")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.swaps and self.likely is None:
            raise ValueError("neither swaps nor likely: say {Ba: Sr}, or a least probability such as 0.01")
        return self


def explore(settings: Substitutions, parents: Sequence[Parent]) -> Found:
    """Swap elements in every parent; what cannot be swapped is refused and counted."""
    found = Found(explorer=settings.explorer, closest=settings.closest)
    for parent in parents:
        if not all(parent.geometry.periodic):
            found.refuse("not a crystal")
            continue
        with quiet():
            for swap in settings.swaps:
                _swap(found, parent, swap, settings)
            if settings.likely is not None:
                _likely(found, parent, settings)
    return found


def _swap(found: Found, parent: Parent, swap: Mapping[str, str], settings: Substitutions) -> None:
    if absent := sorted(set(swap) - set(parent.geometry.symbols)):
        found.refuse(f"no {', '.join(absent)} in it")
        return
    try:
        structure = swapped(parent.geometry.structure(), swap, scale=settings.scale)
    except ValueError:
        found.refuse("no radius is known, so that its volume cannot be guessed")
        return
    said = ", ".join(f"{old} → {new}" for old, new in sorted(swap.items()))
    found.add(_geometry(structure), parent=parent.identifier, swap=said)


def swapped(structure: Any, swap: Mapping[str, str], *, scale: bool) -> Any:
    """A structure of pymatgen with other elements, scaled by radii of ions, or else of atoms.

    Raises:
        ValueError: it shall be scaled, and there is no radius for an element.
    """
    from pymatgen.analysis.structure_prediction.volume_predictor import RLSVolumePredictor
    from pymatgen.transformations.standard_transformations import SubstitutionTransformation

    species: Any = dict(swap)
    changed: Any = SubstitutionTransformation(species).apply_transformation(structure)
    if scale:
        predictor: Any = RLSVolumePredictor
        with (
            warnings.catch_warnings()
        ):  # where ions have no radii, those of atoms are taken, and that is told
            warnings.filterwarnings("ignore", "Exception occurred. Will attempt atomic", UserWarning)
            changed.scale_lattice(predictor().predict(changed, structure))
    return changed


def _likely(found: Found, parent: Parent, settings: Substitutions) -> None:
    """Substitutions of ions by their probability (G. Hautier et al., Inorg. Chem. 50, 656 (2011))."""
    if (ionic := with_charges(parent.geometry.structure())) is None:
        found.refuse("its charges cannot be guessed")
        return
    for number, (structure, probability) in enumerate(_predicted(ionic, settings)):
        if number == settings.most:
            break
        found.add(
            _geometry(structure),
            parent=parent.identifier,
            swap="likely",
            probability=round(float(probability), 6),
        )


def _predicted(ionic: Any, settings: Substitutions) -> Iterator[tuple[Any, float]]:
    from pymatgen.transformations.advanced_transformations import SubstitutionPredictorTransformation

    made: Any = SubstitutionPredictorTransformation
    transformation = made(threshold=settings.likely, scale_volumes=settings.scale)
    ranked = transformation.apply_transformation(ionic, return_ranked_list=True)
    before = {one.symbol for one in ionic.composition.elements}
    for one in sorted(ranked, key=lambda one: -one["probability"]):
        after = {element.symbol for element in one["structure"].composition.elements}
        if after != before and (not settings.elements or after - before <= set(settings.elements)):
            yield one["structure"], one["probability"]


def with_charges(structure: Any) -> Any:
    """A structure of pymatgen with charges that make it neutral; None where none can be guessed."""
    ionic = structure.copy()
    ionic.add_oxidation_state_by_guess()
    return None if all(one.oxi_state == 0 for one in ionic.composition.elements) else ionic


def _geometry(structure: Any) -> Geometry:
    return Geometry.of(structure.copy().remove_oxidation_states().to_ase_atoms())
