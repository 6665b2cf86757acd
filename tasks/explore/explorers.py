"""The explorers a person can name, and the job that asks one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jobflow import job

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.explore import (
    decorations,
    defects,
    deform,
    dynamics,
    own,
    phonons,
    sources,
    substitutions,
    surfaces,
)
from zonemelt.tasks.explore.candidate import read_parents
from zonemelt.tasks.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zonemelt.tasks.potentials.potential import Potential

AnyExplorer = (
    deform.Deform
    | dynamics.Dynamics
    | phonons.Phonons
    | defects.Defects
    | surfaces.Surfaces
    | substitutions.Substitutions
    | decorations.Decorations
    | sources.Sources
    | own.Own
)
EXPLORERS: Final[dict[str, type[AnyExplorer]]] = {
    "deform": deform.Deform,
    "dynamics": dynamics.Dynamics,
    "phonons": phonons.Phonons,
    "defects": defects.Defects,
    "surfaces": surfaces.Surfaces,
    "substitutions": substitutions.Substitutions,
    "decorations": decorations.Decorations,
    "sources": sources.Sources,
    "own": own.Own,
}


def explorer_of(document: Mapping[str, Any]) -> AnyExplorer:
    """Read the settings of an explorer, such as ``{"explorer": "deform", "copies": 5}``.

    Raises:
        InputError: there is no such explorer, or a setting is unknown or out of its range.
    """
    if "explorer" not in document:
        raise InputError(
            "it does not say which", where="explorer", remedy=f"give 'explorer': {', '.join(EXPLORERS)}"
        )
    name = str(document["explorer"])
    if name not in EXPLORERS:
        raise UnknownKeyError.of(name, EXPLORERS, where="explorer")
    return read_settings(EXPLORERS[name], document, where=f"explorer {name}")


def explore(
    settings: AnyExplorer,
    parents: Sequence[Mapping[str, Any]],
    *,
    potential: Potential | None = None,
    seed: int,
) -> dict[str, Any]:
    """Ask an explorer for candidates.

    Args:
        settings: of the explorer, see :func:`explorer_of`.
        parents: structures to start from: documents with ``identifier`` and ``geometry``; none for
            ``sources``.
        potential: for explorers that move atoms by forces.
        seed: of everything random: the same seed finds the same.

    Returns:
        ``candidates``: :class:`.Candidate` documents; ``counts``: how many were proposed, refused and why,
        and kept.

    Raises:
        InputError: there are no parents, or the explorer needs a potential, or cannot use what it is given.
    """
    if isinstance(settings, sources.Sources):
        return sources.explore(settings).document()
    if isinstance(settings, own.Own):
        return own.explore(
            settings, read_parents(map(dict, parents)) if parents else [], seed=seed
        ).document()
    start = read_parents(map(dict, parents))
    if isinstance(settings, dynamics.Dynamics):
        found = dynamics.explore(settings, start, _needed(potential, settings.explorer), seed=seed)
    elif isinstance(settings, phonons.Phonons):
        found = phonons.explore(settings, start, _needed(potential, settings.explorer), seed=seed)
    elif isinstance(settings, defects.Defects):
        found = defects.explore(settings, start, seed=seed)
    elif isinstance(settings, surfaces.Surfaces):
        found = surfaces.explore(settings, start, seed=seed)
    elif isinstance(settings, substitutions.Substitutions):
        found = substitutions.explore(settings, start)
    elif isinstance(settings, decorations.Decorations):
        found = decorations.explore(settings, start)
    else:
        found = deform.explore(settings, start, seed=seed)
    return found.document()


def _needed(potential: Potential | None, explorer: str) -> Potential:
    if potential is None:
        raise InputError(
            "it needs a potential", where=f"explorer {explorer}", remedy="name one, or the folder of one"
        )
    return potential


@job
def explore_job(
    *,
    explorer: dict[str, Any],
    parents: list[dict[str, Any]],
    seed: int,
    potential: str | None = None,
    device: str = "cpu",
    trust: bool = False,
) -> dict[str, Any]:
    """Ask one explorer for candidates.

    Args:
        explorer: its name and settings, see :func:`explorer_of`.
        parents: see :func:`explore`; files and queries need none.
        seed: of everything random; give each round its own.
        potential: name or folder, see :func:`.load_potential`; computed with in double precision.
        device: of the potential.
        trust: see :func:`.load_potential`.

    Returns:
        See :func:`explore`.
    """
    from zonemelt.tasks.potentials.load import load_potential

    settings = explorer_of(explorer)
    loaded = (
        None if potential is None else load_potential(potential, device=device, dtype="float64", trust=trust)
    )
    return explore(settings, parents, potential=loaded, seed=seed)
