"""Crystals as the viewer of a report draws them: atoms, bonds and the cell."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ATOMS: Final = 400
"""A crystal with more atoms is not drawn."""
_EDGE: Final = 0.02  # fractional: atoms nearer to a face are also drawn on the opposite one
_BOND: Final = 1.2  # of the sum of covalent radii
_IMAGES: Final = 120  # atoms up to which those on faces are repeated


@cache
def _looks() -> tuple[Any, Any, dict[str, int]]:
    from ase.data import atomic_numbers, covalent_radii
    from ase.data.colors import jmol_colors

    return covalent_radii, jmol_colors, atomic_numbers


def scene(name: str, geometry: Mapping[str, Any], said: str = "") -> dict[str, Any] | None:
    """A crystal to be drawn; None of one that is too large or no crystal.

    Args:
        name: of it.
        geometry: see :class:`.Geometry`: ``cell``, ``symbols``, ``positions`` and ``periodic``.
        said: what is known of it, in words.

    Returns:
        ``name``, ``said``; ``symbols`` and, for each, ``colours`` and ``radii`` (Å); ``atoms``: number of
        the symbol and position (Å) about the middle; ``bonds``: pairs of atoms; ``cell``: its vectors;
        ``origin`` of the cell.
    """
    import numpy as np

    try:
        cell: Any = np.array(geometry["cell"], float).reshape(3, 3)
        positions = np.array(geometry["positions"], float).reshape(-1, 3)
    except (KeyError, TypeError, ValueError):
        return None
    symbols = [str(symbol) for symbol in geometry.get("symbols", ())]
    finite = np.isfinite(positions).all() and np.isfinite(cell).all()
    if not 0 < len(symbols) == len(positions) <= ATOMS or not finite:
        return None
    radii, colours, numbers = _looks()
    kinds = sorted(set(symbols))
    of_kind = np.array([kinds.index(symbol) for symbol in symbols])
    if abs(np.linalg.det(cell)) > 1e-6 and all(geometry.get("periodic", (True,) * 3)):  # noqa: PLR2004
        of_kind, positions = _wrapped(of_kind, positions, cell)
        middle = cell.sum(axis=0) / 2
    else:
        cell, middle = None, positions.mean(axis=0)
    number = [numbers.get(kind, 0) for kind in kinds]
    size = np.array([float(radii[n]) for n in number])
    return {
        "name": name,
        "said": said,
        "symbols": kinds,
        "colours": [
            "#{:02x}{:02x}{:02x}".format(*tuple(int(255 * part) for part in colours[n])) for n in number
        ],
        "radii": [round(float(radius), 2) for radius in size],
        "atoms": [
            [int(kind), *(round(float(v), 2) for v in place)]
            for kind, place in zip(of_kind, positions - middle, strict=True)
        ],
        "bonds": _bonds(positions, size[of_kind]),
        "cell": None if cell is None else np.round(cell, 3).tolist(),
        "origin": np.round(-middle, 3).tolist(),
    }


def _wrapped(of_kind: Any, positions: Any, cell: Any) -> tuple[Any, Any]:
    """Atoms within the cell; those on faces of a small one on the opposite faces, too."""
    import numpy as np

    fractions = positions @ np.linalg.inv(cell)
    fractions -= np.floor(fractions + _EDGE / 2)
    kinds = of_kind
    if len(of_kind) <= _IMAGES:
        for axis in range(3):
            on_face = np.abs(fractions[:, axis]) < _EDGE
            shifted = fractions[on_face].copy()
            shifted[:, axis] += 1
            fractions = np.concatenate([fractions, shifted])
            kinds = np.concatenate([kinds, kinds[on_face]])
    return kinds, fractions @ cell


def _bonds(positions: Any, radii: Any) -> list[list[int]]:
    import numpy as np

    apart = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    near = apart < _BOND * (radii[:, None] + radii[None])
    first, second = np.nonzero(np.triu(near, 1))
    bonds: Sequence[tuple[int, int]] = list(zip(first.tolist(), second.tolist(), strict=True))
    return [list(pair) for pair in bonds]
