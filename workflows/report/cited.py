"""Which works a campaign should cite, from what it used: rules and BibTeX are in ``references.yaml``."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from zonemelt.workflows.report.reading import Gathered

FILE: Final = Path(__file__).with_name("references.yaml")
RULES: Final = ("always", "functions", "code", "functional", "dispersion", "text")


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A work to cite.

    Attributes:
        key: of its BibTeX entry.
        what: code, model, method or data that it is about.
        why: what of the campaign asks for it.
        short: authors, journal and year.
        bibtex: the entry.
    """

    key: str
    what: str
    why: str
    short: str
    bibtex: str


@cache
def _catalog() -> tuple[Mapping[str, Any], ...]:
    from zonemelt.plain_yaml import read_yaml

    return tuple(read_yaml(FILE))


def used_references(gathered: Gathered) -> list[Reference]:
    """The works, zonemelt itself first.

    Args:
        gathered: of the campaign.
    """
    theories = [json.loads(text) for text in gathered.outputs.theories]
    facts = {
        "functions": gathered.surroundings.functions,
        "code": [str(one.get("code") or "") for one in theories],
        "functional": [str(one.get("functional") or "") for one in theories],
        "dispersion": [str(one.get("dispersion") or "") for one in theories],
        "text": [gathered.spec, *_models(gathered)],
    }
    version = ", ".join(gathered.surroundings.packages.get("zonemelt") or [gathered.summary.version])
    return [_own(version), *_found(facts)]


def _models(gathered: Gathered) -> Iterator[str]:
    for card in gathered.outputs.models.values():
        yield " ".join(str(card.get(key, "")) for key in ("kind", "network", "start", "base", "architecture"))


def _found(facts: Mapping[str, list[str]]) -> Iterator[Reference]:
    for entry in _catalog():
        if why := _reason(entry["when"], facts):
            yield Reference(
                key=re.split(r"[{,]", entry["bibtex"])[1], what=entry["what"], why=why,
                short=entry["short"], bibtex=entry["bibtex"].strip(),
            )  # fmt: skip


def _reason(when: Mapping[str, Any], facts: Mapping[str, list[str]]) -> str:
    """What of the campaign a rule fits; empty where none does."""
    if when.get("always"):
        return "every campaign runs on it"
    words = {"functions": "it ran", "code": "code of the labels", "functional": "functional of the labels",
             "dispersion": "dispersion of the labels", "text": "named in the campaign"}  # fmt: skip
    for name, said in words.items():
        if name in when:
            for value in facts[name]:
                if match := re.search(when[name], value, re.IGNORECASE):
                    return f"{said}: {value if name == 'functions' else match.group()}"
    return ""


def _own(version: str) -> Reference:
    bibtex = (
        "@software{zonemelt,\n  title = {zonemelt: campaigns of machine-learning-driven materials design, run"
        f" durably on supercomputers}},\n  version = {{{version}}}\n}}"
    )
    return Reference(
        key="zonemelt",
        what="zonemelt",
        why="every campaign runs on it",
        short=f"zonemelt {version}",
        bibtex=bibtex,
    )
