"""The potentials that can be named, with what is known of them before they are loaded."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from zonemelt.tasks.potentials.foreign.libraries import LIBRARIES
from zonemelt.tasks.potentials.foreign.load import importable

_INSIDE = {"chgnet": "BSD-3-Clause", "sevennet": "MIT"}  # → packages of the extra `potentials`
_PACKAGES = {"chgnet": "chgnet", "sevennet": "sevenn"}


def known_potentials() -> list[dict[str, Any]]:
    """One entry for each: ``name``, ``theory``, ``licence``, ``installed``, ``install``, ``weights``.

    ``weights`` says where they are: in the package, or downloaded by its library.
    """
    from zonemelt.tasks.potentials.load import NAMES

    found = []
    for name in NAMES:
        family = name.partition("-")[0]
        found.append({
            "name": name,
            "theory": _theory(name),
            "licence": _INSIDE[family],
            "installed": find_spec(_PACKAGES[family]) is not None,
            "install": "pip install 'zonemelt[potentials]'",
            "weights": "in the package",
        })  # fmt: skip
    for library in LIBRARIES.values():
        rows = {
            f"{library.name}:{name}": (one.theory.described, one.licence)
            for name, one in library.models.items()
        }
        for full, (theory, licence) in (rows or {f"{library.name}:FILE": ("-", "see its page")}).items():
            found.append({
                "name": full,
                "theory": theory,
                "licence": licence,
                "installed": importable(library.module),
                "install": library.install,
                "weights": "downloaded, or a file",
            })  # fmt: skip
    return found


def _theory(name: str) -> str:
    """Of the potentials whose weights come inside a package."""
    from zonemelt.tasks.potentials.chgnet import theory_of as of_chgnet
    from zonemelt.tasks.potentials.sevennet import theory_of as of_sevennet

    return (of_chgnet(name) if name.startswith("chgnet") else of_sevennet(None)).described
