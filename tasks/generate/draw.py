"""Drawn crystals as candidates: what is no structure is counted and left out."""

# M crystals

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zonemelt.tasks.errors import UnknownKeyError
from zonemelt.tasks.explore.candidate import Found
from zonemelt.tasks.generate.sampling import SampleSettings, sample, vary
from zonemelt.tasks.generate.wishes import Wish
from zonemelt.tasks.records import Geometry
from zonemelt.tasks.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.generate.generator import Generator

EXPLORER = "generator"


def draw(
    generator: Generator,
    settings: SampleSettings,
    *,
    number: int,
    wishes: Sequence[Wish] = (),
    progress: Callable[[int], None] = lambda _: None,
) -> Found:
    """Draw crystals, shared out evenly among wishes; none is a wish for nothing.

    Raises:
        InputError: a wish cannot be granted; see :func:`.start_of`.
    """
    asked = [*wishes] or [Wish()]
    drawn = sample(generator, [asked[row % len(asked)] for row in range(number)], settings, progress=progress)
    return candidates_of(drawn, generator, settings)


def draw_near(
    generator: Generator,
    settings: SampleSettings,
    *,
    number: int,
    parents: Crystals,
    names_M: Sequence[str],
    strength: float,
    species: bool,
    progress: Callable[[int], None] = lambda _: None,
) -> Found:
    """Draw crystals like known ones, shared out evenly among them; see :func:`.vary`.

    Args:
        generator: trained.
        settings: of the way out of the noise.
        number: of crystals to draw.
        parents: M known crystals.
        names_M: what they are called.
        strength: how far into the noise.
        species: whether elements may change, too.
        progress: told now and then how many are done.

    Raises:
        InputError: a crystal has an element that the generator does not know.
    """
    rows = np.arange(number) % len(parents)
    drawn = vary(
        generator, parents.take(rows), settings, strength=strength, species=species, progress=progress
    )
    return candidates_of(drawn, generator, settings, parents=[names_M[row] for row in rows.tolist()])


def candidates_of(
    drawn: Crystals, generator: Generator, settings: SampleSettings, *, parents: Sequence[str] = ()
) -> Found:
    """The structures among drawn crystals.

    Left out and counted are those whose cell is not finite or flat, whose atoms are too close, and those that
    are there already.
    """
    found = Found(explorer=EXPLORER)
    with np.errstate(over="ignore", invalid="ignore"):
        volumes_M = np.abs(np.linalg.det(drawn.cells_G33))
    sound_M = np.isfinite(volumes_M) & (volumes_M > 0)
    for row in range(len(drawn)):
        atoms = drawn.atoms(row)
        if not (sound_M[row] and np.isfinite(atoms.positions).all()):
            found.refuse("its cell is not finite or has no volume")
            continue
        found.add(
            Geometry.of(atoms),
            parent=parents[row] if parents else "",
            generator=generator.name, seed=settings.seed, number=row,
        )  # fmt: skip
    return found


def settings_of(document: Mapping[str, Any], *, seed: int) -> SampleSettings:
    """Settings of drawing from what a person says of them.

    Raises:
        InputError: an unknown key, or a value that cannot be used.
    """
    where = "settings of drawing crystals"
    if "seed" in document:  # which is another for each job
        raise UnknownKeyError.of("seed", {*SampleSettings.__dataclass_fields__} - {"seed"}, where=where)
    return read_settings(SampleSettings, {**document, "seed": seed}, where=where, page="docs/generation.md")
