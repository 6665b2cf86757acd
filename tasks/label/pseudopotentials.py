"""Pseudopotential files: where they are, whether they are the ones meant, their functional and valence."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from zonemelt.tasks.errors import OracleAbsentError, UnfitStructureError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from zonemelt.tasks.label.protocol import Protocol

_HEAD = 200_000  # bytes in which every header ends
# How UPF files name functionals: by exchange, correlation and their gradients, or by short names.
_UPF: Final = {
    "SLA PZ NOGX NOGC": "LDA", "SLA PW NOGX NOGC": "LDA", "LDA": "LDA", "PZ": "LDA",
    "SLA PW PBE PBE": "PBE", "SLA PW PBX PBC": "PBE", "PBE": "PBE",
    "SLA PW PSX PSC": "PBEsol", "PBESOL": "PBEsol",
    "SLA PW RPB PBC": "RPBE", "SLA PW REVX PBC": "revPBE", "REVPBE": "revPBE",
}  # fmt: skip
_PSPXC: Final = {
    1: "LDA",
    2: "LDA",
    7: "LDA",
    -12: "LDA",
    -1012: "LDA",
    11: "PBE",
    -101130: "PBE",
    -116133: "PBEsol",
}


def checked_files(
    protocol: Protocol, symbols: Iterable[str], *, folder: Path, identifier: str
) -> dict[str, Path]:
    """The pseudopotential file of every element of a structure.

    Args:
        protocol: whose files they are.
        symbols: elements, repeated or not.
        folder: they are below.
        identifier: of the structure, for messages.

    Raises:
        UnfitStructureError: the protocol has no pseudopotential for an element.
        OracleAbsentError: a file is not there, is another one than the protocol's, or of another functional.
    """
    elements = sorted(set(symbols))
    unknown = [element for element in elements if element not in protocol.pseudopotentials]
    if unknown:
        raise UnfitStructureError(
            f"protocol {protocol.name} has no pseudopotential for {', '.join(unknown)}",
            where=identifier,
            remedy=f"add a file to its pseudopotentials; it has {', '.join(protocol.pseudopotentials)}",
        )
    found = {}
    for element in elements:
        meant = protocol.pseudopotentials[element]
        path = folder / meant.file
        where = f"pseudopotential of {element}"
        if not path.is_file():
            raise OracleAbsentError(
                f"no file {path}", where=where, remedy="see docs/oracles.md for where to get the files"
            )
        digest, functional, _ = facts(path)
        if meant.sha256 is not None and digest != meant.sha256:
            raise OracleAbsentError(
                f"{path} has SHA-256 {digest[:16]}…, protocol {protocol.name} means {meant.sha256[:16]}…",
                where=where,
                remedy="get the file that the protocol means, or write a protocol with this one",
            )
        if functional is not None and functional != protocol.functional:
            raise OracleAbsentError(
                f"{path} was made for {functional}, protocol {protocol.name} computes {protocol.functional}",
                where=where,
                remedy=f"choose a pseudopotential for {protocol.functional}",
            )
        found[element] = path
    return found


def setups_of(files: dict[str, Path]) -> dict[str, str]:
    """Element → name and SHA-256 (first 16 digits) of its file, as records have it."""
    return {element: f"{path.name}:{facts(path)[0][:16]}" for element, path in files.items()}


def valence(path: Path) -> float | None:
    """Electrons of an atom that are not in its core."""
    return facts(path)[2]


@lru_cache(maxsize=512)
def facts(path: Path) -> tuple[str, str | None, float | None]:
    """SHA-256, functional and number of valence electrons; None where the file does not say."""
    data = path.read_bytes()
    text = data[:_HEAD].decode(errors="replace")
    read = _psp8 if path.suffix == ".psp8" else _upf
    return (hashlib.sha256(data).hexdigest(), *read(text))


def _upf(text: str) -> tuple[str | None, float | None]:
    named = re.search(r'functional\s*=\s*"([^"]*)"', text) or re.search(r"Functional:([^\n]*)", text)
    words = " ".join(named[1].replace("+", " ").split()).upper() if named else ""
    charge = re.search(r'z_valence\s*=\s*"\s*([^"]+?)\s*"', text) or re.search(r"(\S+)\s+Z valence", text)
    return _UPF.get(words), float(charge[1].replace("D", "E")) if charge else None


def _psp8(text: str) -> tuple[str | None, float | None]:
    """The second and third line: zatom, zion, date; pspcod, pspxc, ..."""
    lines = [line.split() for line in text.splitlines()[1:3]]
    try:
        return _PSPXC.get(int(lines[1][1])), float(lines[0][1])
    except (IndexError, ValueError):
        return None, None
