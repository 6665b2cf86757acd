"""Load an interatomic potential by name, or from the folder where it was trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from zonemelt.tasks.errors import UnknownKeyError
from zonemelt.tasks.train.model_folder import CARD

if TYPE_CHECKING:
    from zonemelt.tasks.potentials.potential import Potential

NAMES: Final = ("chgnet-0.3.0", "chgnet-r2scan", "sevennet-0", "sevennet-l3i5", "sevennet-mf-0")
"""Potentials whose weights come inside a package."""


def load_potential(name: str, *, device: str = "cpu", dtype: str = "float32") -> Potential:
    """Load one.

    Args:
        name: one of :data:`NAMES`, or the folder of a potential or a committee trained here.
        device: "cpu" or "cuda".
        dtype: "float32", in which they were trained, or "float64", for finite differences and long runs.

    Raises:
        UnknownKeyError: no potential has this name.
        InputError: its package is not installed, or what is in the folder is damaged or no potential.
    """
    from zonemelt.tasks.potentials import chgnet, committee, sevennet

    if (Path(name) / CARD).is_file():
        return load_folder(Path(name), device=device, dtype=dtype)
    if (Path(name) / committee.COMMITTEE).is_file():
        return committee.load(Path(name), device=device, dtype=dtype)
    if name in sevennet.FILES:
        return sevennet.load(name, device=device, dtype=dtype)
    if name in chgnet.FILES:
        return chgnet.load(name, device=device, dtype=dtype)
    raise UnknownKeyError.of(name, NAMES, where="potential")


def load_folder(folder: Path, *, device: str = "cpu", dtype: str = "float32") -> Potential:
    """Load one that was trained here, from its folder.

    Raises:
        InputError: there is none, or it is damaged.
    """
    from zonemelt.tasks.potentials import linear, trained

    try:
        kind = json.loads((folder / CARD).read_text(encoding="utf-8")).get("kind")
    except (ValueError, AttributeError):
        kind = None  # whoever reads the rest says what is wrong
    load = linear.load if kind == "linear potential" else trained.load
    return load(folder, device=device, dtype=dtype)
