"""Load an interatomic potential: by name, from the folder where it was trained, or of another library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.potentials import chgnet, sevennet
from zonemelt.tasks.potentials.foreign.library import SEE_ITS_PAGE
from zonemelt.tasks.theory import Theory
from zonemelt.tasks.train.model_folder import CARD

if TYPE_CHECKING:
    from zonemelt.tasks.potentials.committee import Committee
    from zonemelt.tasks.potentials.potential import Potential

NAMES: Final = (*chgnet.FILES, *sevennet.FILES)
"""Potentials whose weights come inside a package."""
_CHECKPOINTS: Final = ("sevennet", "chgnet")


def load_potential(
    name: str,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    trust: bool = False,
    theory: Theory | None = None,
) -> Potential:
    """Load one.

    Args:
        name: one of :data:`NAMES`; the folder of a potential or a committee trained here; ``library:model``
            with a published model of another library, or a file of it, see :data:`.LIBRARIES`; or
            ``sevennet:FILE`` with a checkpoint of SevenNet, ``chgnet:FILE`` with one of CHGNet; or
            ``own:module:name``, a calculator of ASE with an attribute ``elements`` that
            ``$ZONEMELT_CALCULATORS`` lists.
        device: "cpu" or "cuda".
        dtype: "float32", in which they were trained, or "float64", for finite differences and long runs.
        trust: that whoever made a file of another library may run programs here.
        theory: what the labels were computed with, where nothing says so: files of other libraries.

    Raises:
        UnknownKeyError: no potential has this name.
        InputError: its package is not installed, or what is in the folder or file is damaged or no potential.
    """
    from zonemelt.tasks.potentials.committee import COMMITTEE
    from zonemelt.tasks.potentials.foreign.libraries import LIBRARIES
    from zonemelt.tasks.potentials.foreign.load import is_foreign, load

    if (Path(name) / CARD).is_file():
        return load_folder(Path(name), device=device, dtype=dtype)
    if (Path(name) / COMMITTEE).is_file():
        return load_committee(Path(name), device=device, dtype=dtype)
    if name in sevennet.FILES:
        return sevennet.load(name, device=device, dtype=dtype)
    if name in chgnet.FILES:
        return chgnet.load(name, device=device, dtype=dtype)
    if is_foreign(name):
        return load(name, device=device, dtype=dtype, trust=trust, theory=theory)
    kind, colon, file = name.partition(":")
    if kind == "own":
        return _of_function(name, file, theory=theory)
    if colon and kind in _CHECKPOINTS:
        return _of_checkpoint(kind, Path(file), device=device, dtype=dtype, theory=theory)
    if Path(name).exists():
        raise InputError(
            "it is no potential trained here, and does not say of which library it is",
            where=name,
            remedy=f"name the library: {', '.join((*_CHECKPOINTS, *LIBRARIES))}; such as mace:{name}",
        )
    raise UnknownKeyError.of(name, (*NAMES, *(f"{library}:…" for library in LIBRARIES)), where="potential")


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


def load_committee(folder: Path, *, device: str = "cpu", dtype: str = "float32") -> Committee:
    """Load a committee from its folder; its members may be of any kind that :func:`.load_potential` opens.

    Raises:
        InputError: it, or one of its members, is not there or damaged.
    """
    from zonemelt.tasks.potentials.committee import COMMITTEE, Committee

    path = folder / COMMITTEE
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["members"]
        places = [folder / Path(name).name for name in names]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"it cannot be read: {error}", where=str(path), remedy="name the folder of a committee"
        ) from None
    return Committee(str(folder), [load_folder(place, device=device, dtype=dtype) for place in places])


def _of_function(name: str, path: str, *, theory: Theory | None) -> Potential:
    """A calculator of ASE of a person's own."""
    from zonemelt.tasks.own_code import CALCULATORS, own_function
    from zonemelt.tasks.potentials.by_ase import OfCalculator

    made = own_function(path, variable=CALCULATORS, where=f"potential {name}")()
    elements = getattr(made, "elements", None)
    if not elements or isinstance(elements, str):
        raise InputError(
            "it does not say for which elements it is",
            where=f"potential {name}",
            remedy='give the calculator an attribute such as elements = ["Al", "Cu"]',
        )
    said = theory or getattr(made, "theory", None) or Theory(code="own", version=path, is_dft=False)
    licence, cutoff = getattr(made, "licence", "your own"), getattr(made, "cutoff", None)
    return OfCalculator(made, name=name, elements=elements, theory=said, licence=licence, cutoff=cutoff)


def _of_checkpoint(kind: str, path: Path, *, device: str, dtype: str, theory: Theory | None) -> Potential:
    """A file of weights of a network that is known here: nothing in it is run."""
    from zonemelt.tasks.whole_files import sha256_of

    if not path.is_file():
        raise InputError("there is no such file", where=f"{kind}:{path}", remedy="name a checkpoint")
    said = theory or Theory(code="not said", version=f"{kind} {sha256_of(path)[:16]}")
    if kind == "chgnet":
        return chgnet.Chgnet(f"{kind}:{path}", path, theory=said, device=device, dtype=dtype)
    found = sevennet.SevenNet(f"{kind}:{path}", path, device=device, dtype=dtype)
    found.theory, found.licence = said, SEE_ITS_PAGE
    return found
