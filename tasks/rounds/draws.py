"""Which crystals a round of discovery has its generator draw: freely, with wishes, or near known ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from jobflow import job
from pydantic import Field, model_validator

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.datasets import open_dataset
from zonemelt.tasks.generate.draw import draw_near
from zonemelt.tasks.generate.generator import load_generator
from zonemelt.tasks.generate.reduced import reduced
from zonemelt.tasks.generate.sampling import SampleSettings
from zonemelt.tasks.quality.composition import reduced_formula
from zonemelt.tasks.rounds.near_hull import ABOVE_HULL, known_as
from zonemelt.tasks.settings import read_settings
from zonemelt.tasks.theory import Document

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zonemelt.tasks.records import Record


class Draw(Document):
    """One way to draw; each is a job of its own."""

    count: int = Field(ge=1, description="crystals")
    atoms: tuple[int, ...] = Field(
        default=(), description="of the cell, in turn; as among those known if empty"
    )
    composition: dict[str, int] = Field(default_factory=dict, description="element → atoms")
    elements: tuple[str, ...] = Field(default=(), description="no others than these")
    guided: bool = Field(default=False, description="whether to ask for the value that is looked for")
    guidance: float = Field(default=1.0, ge=0, description="how much more that counts than it would")
    near: int = Field(default=0, ge=0, description="to begin with so many of the best that are known")
    strength: float = Field(default=0.4, gt=0, le=1, description="of the noise that those are put into")
    species: bool = Field(default=True, description="whether elements may change then")
    steps: int = Field(default=50, ge=1, description="from noise to crystal")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.composition and (self.atoms or self.elements):
            raise ValueError("a composition says atoms and elements already")
        if self.near and (self.atoms or self.composition or self.elements or self.guided):
            raise ValueError("what is near known crystals has their atoms: leave the other wishes out")
        if any(number < 1 for number in (*self.atoms, *self.composition.values())):
            raise ValueError("numbers of atoms are 1 or more")
        return self

    def wishes(self, value: float | None) -> list[dict[str, Any]]:
        """What :func:`.wish_of` reads, in turn; ``value`` is what a guided draw asks for."""
        wish: dict[str, Any] = {}
        if self.composition:
            wish["composition"] = dict(self.composition)
        if self.elements:
            wish["system"] = sorted(self.elements)
        if self.guided and value is not None:
            wish["value"] = value
        return [{**wish, "atoms": number} for number in self.atoms] or [wish]

    @property
    def settings(self) -> dict[str, Any]:
        """Of :class:`.SampleSettings`, but for the seed."""
        return {"steps": self.steps, **({"guidance": self.guidance} if self.guided else {})}


def read_draws(documents: Sequence[Mapping[str, Any]]) -> list[Draw]:
    """Ways to draw.

    Raises:
        InputError: a key is unknown, with the nearest that exists, or a value cannot be used.
    """
    return [
        read_settings(Draw, one, where=f"sample, number {number}", page="docs/discovery.md")
        for number, one in enumerate(documents, start=1)
    ]


@job
def draw_near_job(
    *, generator: str, dataset: str, version: str, draw: dict[str, Any], seed: int
) -> dict[str, Any]:
    """Put the best of the crystals a generator has learnt from into noise, and draw them out of it again.

    Args:
        generator: its folder.
        dataset: what :func:`.near_hull_job` has made, the best first by ``above_hull``.
        version: of it.
        draw: see :class:`Draw`.
        seed: of the noise.

    Returns:
        ``candidates`` and ``counts``, as :func:`.sample_job`.
    """
    asked = Draw.model_validate(draw)
    begun = beginnings(list(open_dataset(dataset, version).records()), asked.near, count=asked.count)
    return draw_near(
        load_generator(generator), SampleSettings(**asked.settings, seed=seed), number=asked.count,
        parents=reduced(Crystals.of(one.geometry for _, one in begun)),
        names_M=[name for name, _ in begun], strength=asked.strength, species=asked.species,
    ).document()  # fmt: skip


def beginnings(records: Sequence[Record], near: int, *, count: int) -> list[tuple[str, Record]]:
    """What each draw begins with: the best known crystals in turn, each in one of its cells after the other.

    In a cell of two atoms there is no other ordering near a known one; in a larger cell of it there is.

    Args:
        records: crystals, and the same in larger cells, see :func:`.larger_cells`.
        near: how many of the best.
        count: draws.

    Returns:
        Name of the known crystal, and what the draw begins with.
    """
    cells: dict[str, list[Record]] = {}
    for one in records:
        cells.setdefault(known_as(one.identifier), []).append(one)
    best = best_of([one for one in records if known_as(one.identifier) == one.identifier], near)
    return [
        (parent.identifier, some[turn % len(some)])
        for turn in range(-(-count // max(1, len(best))))
        for parent in best
        for some in [sorted(cells[parent.identifier], key=_size, reverse=True)]
    ][:count]


def _size(record: Record) -> tuple[int, str]:
    return len(record.geometry.symbols), record.identifier


def best_of(records: Sequence[Record], count: int) -> list[Record]:
    """The lowest above the hull, one of each composition first."""
    first: list[Record] = []
    others: list[Record] = []
    seen: set[str] = set()
    for one in sorted(records, key=_height):
        formula = reduced_formula(one.geometry.symbols)
        (others if formula in seen else first).append(one)
        seen.add(formula)
    return [*first, *others][:count]


def _height(record: Record) -> tuple[float, str]:
    said = record.properties.get(ABOVE_HULL)
    return (float(said.value) if said is not None else float("inf")), record.identifier  # type: ignore[arg-type]
