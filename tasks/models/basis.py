"""Distances and elements as vectors that a network can read."""

# A atoms, E edges, B basis functions, F features

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pymatgen.core.periodic_table import Element

ELEMENTS = 119  # atomic numbers 0 (none) to 118


class Gaussians(nn.Module):
    """Gaussians on a grid of distances: exp(-(d - centre)²/width²), as in the code of CGCNN.

    Args:
        stop: the last centre, Å; the first is 0.
        count: how many.
        width: Å; default: the distance between centres.
    """

    centres_B: torch.Tensor

    def __init__(self, *, stop: float, count: int, width: float | None = None) -> None:
        super().__init__()
        self.width = stop / (count - 1) if width is None else width
        self.register_buffer("centres_B", torch.linspace(0.0, stop, count), persistent=False)

    def forward(self, distances_E: torch.Tensor) -> torch.Tensor:
        """Expand distances (E,), Å, into (E, B)."""
        # Clamped at e-46 = 1e-20: smaller numbers are denormal in the end, and slow.
        return torch.exp(-(((distances_E[:, None] - self.centres_B) / self.width) ** 2).clamp(max=46.0))


@cache
def published_atoms() -> NDArray[np.float32]:
    """What CGCNN is told of each element (119, 92): nine properties, each in categories.

    Group, period, electronegativity, covalent radius, valence electrons, first ionisation energy, electron
    affinity, block and atomic volume (Xie & Grossman, Phys. Rev. Lett. 120, 145301 (2018), table S2), with
    values from pymatgen and ASE. What is not known of an element sets no category.
    """
    rows = np.zeros((ELEMENTS, 92), np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that there are no data for some element
        for number in range(1, ELEMENTS):
            rows[number] = _known(number)
    return rows


def _known(number: int) -> NDArray[np.float32]:
    from ase.data import covalent_radii
    from pymatgen.core.periodic_table import Element

    element = Element.from_Z(number)
    radius = covalent_radii[number] if number < len(covalent_radii) else None
    known = [
        _category(element.group, np.arange(1.5, 18)),
        _category(element.row, np.arange(1.5, 8)),
        _category(_value(element, "X"), np.linspace(0.5, 4.0, 11)[1:-1]),
        _category(None if radius is None else 100 * radius, np.linspace(25, 250, 11)[1:-1]),
        _category(_valence(element), np.arange(1.5, 12)),
        _category(_log(_value(element, "ionization_energy")), np.linspace(1.3, 3.3, 11)[1:-1]),
        _category(_value(element, "electron_affinity"), np.linspace(-3.0, 3.7, 11)[1:-1]),
        _category("spdf".index(element.block), np.arange(0.5, 3)),
        _category(_log(_value(element, "molar_volume")), np.linspace(1.5, 4.3, 11)[1:-1]),
    ]
    row = np.zeros(sum(size for _, size in known), np.float32)
    start = 0
    for category, size in known:
        if category is not None:
            row[start + category] = 1.0
        start += size
    return row


def _category(value: float | None, edges: Sequence[float] | NDArray[np.float64]) -> tuple[int | None, int]:
    """Between which edges a value lies, and how many categories there are."""
    place = None if value is None or np.isnan(value) else int(np.searchsorted(edges, value))
    return place, len(edges) + 1


def _value(element: Element, name: str) -> float | None:
    """A number that pymatgen may know of an element; most are absent for some."""
    try:
        return float(getattr(element, name))
    except (KeyError, TypeError, ValueError):
        return None


def _log(value: float | None) -> float | None:
    return None if value is None or value <= 0 else float(np.log(value))


def _valence(element: Element) -> int:
    """Electrons outside the last noble gas, closed d shells of the p block left out; at most 12."""
    if element.block == "f":
        return min(int(element.Z) - (54 if element.Z < 86 else 86), 12)  # noqa: PLR2004 (xenon and radon)
    group: int = element.group
    return group if group <= 12 else group - 10  # noqa: PLR2004 (the p block begins)
