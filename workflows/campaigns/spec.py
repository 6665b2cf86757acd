"""Read a campaign file, check it, and build its graph.

    spec = load_campaign("quickstart", {"oracle": "gpaw"})
    flow = build_flow(spec)

A campaign file is YAML: ``kind`` says which graph is built, the other keys are the fields of that
kind. Overrides replace single fields; a dot reaches into a mapping (``oracles.gpaw.cutoff``).
"""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.settings import problem_of, read_mapping
from zonemelt.workflows.campaigns.graph import document_of
from zonemelt.workflows.campaigns.registry import kind_named
from zonemelt.workflows.dotted import override

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobflow import Flow

    from zonemelt.workflows.campaigns.base import CampaignSpec

CATALOG: Final = Path(__file__).resolve().parents[1] / "catalog"


def catalog() -> list[str]:
    """Names of the campaigns that come with zonemelt."""
    return sorted(path.stem for path in CATALOG.glob("*.yaml"))


def about_catalog() -> dict[str, str]:
    """Name → the first sentence of the comment at the head of each campaign that comes with zonemelt."""
    found = {}
    for name in catalog():
        lines = (CATALOG / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
        said = " ".join(line.lstrip("# ") for line in takewhile(lambda line: line.startswith("#"), lines))
        found[name] = said.partition(". ")[0].rstrip(".")
    return found


def load_campaign(source: str | Path, overrides: Mapping[str, Any] | None = None) -> CampaignSpec:
    """Read a campaign.

    Args:
        source: path of a YAML file, a name of the catalog, or ``module:function`` that makes a graph.
        overrides: field → value; ``a.b`` is field b of mapping a.

    Raises:
        InputError: the file is absent or not YAML, or a value cannot be used.
        UnknownKeyError: a key that the campaign's kind does not know.
    """
    if ":" in str(source) and not Path(source).exists():
        where, document = str(source), document_of(str(source))
    else:
        where = str(find(source))
        document = read_mapping(Path(where))
    for key, value in (overrides or {}).items():
        override(document, key, value, where=where)
    return parse(document, where=where)


def parse(document: dict[str, Any], *, where: str) -> CampaignSpec:
    """Check a campaign given as a dictionary; ``where`` names it in errors."""
    kind = kind_named(document.get("kind"), where=where)
    try:
        return kind.spec.model_validate(document)
    except ValidationError as error:
        # an address to tell of milestones may hold a key
        raise problem_of(error, kind.spec, where=where, secret=("notify",)) from error


def build_flow(spec: CampaignSpec) -> Flow:
    """Build the jobflow graph of a campaign.

    Raises:
        OracleError: the oracle cannot run here.
    """
    return kind_named(spec.kind, where=spec.name).build(spec)


def find(source: str | Path) -> Path:
    """The file of a campaign: an existing path, else the name of one in the catalog."""
    path = Path(source)
    if path.is_file():
        return path
    named = CATALOG / f"{source}.yaml"
    if path.name == str(source) and named.is_file():
        return named
    raise InputError(
        "there is no such campaign",
        where=str(source),
        remedy=f"give the path of a YAML file, or one of: {', '.join(catalog())}",
    )
