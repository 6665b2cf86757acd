"""Turn crystals into rows of numbers, by the name of a kind of features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jobflow import job

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.pairs import pairs
from zonemelt.tasks.featurize.soap import soap
from zonemelt.tasks.records import Geometry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

FEATURES: Final[dict[str, Callable[..., Any]]] = {"pairs": pairs, "soap": soap}


def describe(
    geometries: Sequence[Geometry], *, kind: str, elements: Sequence[str], cutoff: float
) -> NDArray[np.float64]:
    """Features (N, F) of N crystals; ``cutoff`` in Å.

    Raises:
        InputError: there is no such kind of features.
    """
    if kind not in FEATURES:
        raise InputError(
            f"there are no features '{kind}'",
            where="features",
            remedy=f"choose one of: {', '.join(FEATURES)}",
        )
    values: NDArray[np.float64] = FEATURES[kind](geometries, elements=elements, cutoff=cutoff)
    return values


@job
def featurize_job(
    *,
    candidates: list[dict[str, Any]],
    extra: dict[str, dict[str, Any]],
    kind: str,
    elements: list[str],
    cutoff: float,
) -> dict[str, Any]:
    """Features of all candidates, and of the ``extra`` geometries after them.

    Returns:
        ``kind``, ``identifiers`` (N) and ``values`` (N, F).
    """
    named = {candidate["identifier"]: candidate["geometry"] for candidate in candidates} | extra
    geometries = [Geometry.model_validate(geometry) for geometry in named.values()]
    values = describe(geometries, kind=kind, elements=elements, cutoff=cutoff)
    return {"kind": kind, "identifiers": list(named), "values": values}
