"""The explorers a person can name, and the job that asks one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from jobflow import job
from pydantic import Field, TypeAdapter, ValidationError

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.explore import defects, deform, dynamics, phonons, sources, surfaces
from zonemelt.tasks.explore.candidate import read_parents

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zonemelt.tasks.potentials.potential import Potential

AnyExplorer = Annotated[
    deform.Deform
    | dynamics.Dynamics
    | phonons.Phonons
    | defects.Defects
    | surfaces.Surfaces
    | sources.Sources,
    Field(discriminator="explorer"),
]
EXPLORERS: Final = ("deform", "dynamics", "phonons", "defects", "surfaces", "sources")
_KNOWN: Final[TypeAdapter[AnyExplorer]] = TypeAdapter(AnyExplorer)


def explorer_of(document: Mapping[str, Any]) -> AnyExplorer:
    """Read the settings of an explorer, such as ``{"explorer": "deform", "copies": 5}``.

    Raises:
        InputError: there is no such explorer, or a setting is unknown or out of its range.
    """
    try:
        return _KNOWN.validate_python(dict(document))
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}",
            where=f"explorer {document.get('explorer', 'without a name')}",
            remedy=f"explorers: {', '.join(EXPLORERS)}; their settings: docs/selection.md",
        ) from None


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
    start = read_parents(map(dict, parents))
    if isinstance(settings, dynamics.Dynamics):
        found = dynamics.explore(settings, start, _needed(potential, settings.explorer), seed=seed)
    elif isinstance(settings, phonons.Phonons):
        found = phonons.explore(settings, start, _needed(potential, settings.explorer), seed=seed)
    elif isinstance(settings, defects.Defects):
        found = defects.explore(settings, start, seed=seed)
    elif isinstance(settings, surfaces.Surfaces):
        found = surfaces.explore(settings, start, seed=seed)
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
) -> dict[str, Any]:
    """Ask one explorer for candidates.

    Args:
        explorer: its name and settings, see :func:`explorer_of`.
        parents: see :func:`explore`; files and queries need none.
        seed: of everything random; give each round its own.
        potential: name or folder, see :func:`.load_potential`; computed with in double precision.
        device: of the potential.

    Returns:
        See :func:`explore`.
    """
    from zonemelt.tasks.potentials.load import load_potential

    settings = explorer_of(explorer)
    loaded = None if potential is None else load_potential(potential, device=device, dtype="float64")
    return explore(settings, parents, potential=loaded, seed=seed)
