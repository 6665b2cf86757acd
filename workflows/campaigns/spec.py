"""Read a campaign file, check it, and build its graph.

    spec = load_campaign("quickstart", {"oracle": "gpaw"})
    flow = build_flow(spec)

A campaign file is YAML: ``kind`` says which graph is built, the other keys are the fields of that
kind. Overrides replace single fields; a dot reaches into a mapping (``oracles.gpaw.cutoff``).
"""

from __future__ import annotations

import typing
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from pydantic import BaseModel, ValidationError

from zonemelt.plain_yaml import read_yaml
from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.workflows.campaigns.graph import document_of
from zonemelt.workflows.campaigns.registry import kind_named

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
        document = read(Path(where))
    for key, value in (overrides or {}).items():
        override(document, key, value, where=where)
    return parse(document, where=where)


def parse(document: dict[str, Any], *, where: str) -> CampaignSpec:
    """Check a campaign given as a dictionary; ``where`` names it in errors."""
    kind = kind_named(document.get("kind"), where=where)
    try:
        return kind.spec.model_validate(document)
    except ValidationError as error:
        raise _translated(error, kind.spec, where) from error


def build_flow(spec: CampaignSpec) -> Flow:
    """Build the jobflow graph of a campaign.

    Raises:
        OracleError: the oracle cannot run here.
    """
    return kind_named(spec.kind, where=spec.name).build(spec)


def dump_campaign(spec: CampaignSpec) -> str:
    """The campaign with all its defaults, as YAML that :func:`load_campaign` reads."""
    return yaml.safe_dump(spec.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


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


def read(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        InputError: the file cannot be read, or is not a YAML mapping; syntax errors name the line.
    """
    try:
        document = read_yaml(path)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or str(error)
        raise InputError(
            f"not YAML: {problem}", where=where, remedy="check indentation, colons and quotes there"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot be read: {error}", where=str(path), remedy="check the file's rights and encoding"
        ) from error
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise InputError(
            "not a mapping of fields", where=str(path), remedy="write lines of the form 'field: value'"
        )
    return document


def override(document: dict[str, Any], key: str, value: Any, *, where: str) -> None:
    """Set a field of a campaign, in place; a dot reaches into a mapping.

    Raises:
        InputError: what is before a dot is no mapping.
    """
    *parents, last = key.split(".")
    target = document
    for parent in parents:
        inner = target.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise InputError(
                f"'{key}' reaches into '{parent}', which is not a mapping",
                where=where,
                remedy=f"override '{parent}' itself",
            )
        target = inner
    target[last] = value


def _translated(error: ValidationError, spec: type[BaseModel], where: str) -> InputError:
    """The first problem pydantic found, as an error of ours."""
    problem = error.errors(include_url=False)[0]
    names = [str(part) for part in problem["loc"]]
    field = ".".join(names)
    if problem["type"] == "extra_forbidden":
        return UnknownKeyError.of(names[-1], _fields(spec, names[:-1]), where=f"{where}: {field}")
    if problem["type"] == "missing":
        return InputError(f"'{field}' is missing", where=where, remedy=f"add a line '{field}: …'")
    value = problem["input"]
    if names[:1] == ["notify"]:
        value = "***"  # an address may hold a key
    given = f"{value!r:.60} cannot be used" if field else "the fields do not agree"
    said = problem["msg"].removeprefix("Value error, ")
    return InputError(given, where=f"{where}: {field}" if field else where, remedy=said)


def _fields(spec: type[BaseModel], path: list[str]) -> list[str]:
    """Names of the fields at ``path`` below a model."""
    model: Any = spec
    for name in path:
        if typing.get_origin(model) is dict:
            model = typing.get_args(model)[1]
        else:
            field = getattr(model, "model_fields", {}).get(name)
            model = field.annotation if field else None
    return list(getattr(model, "model_fields", {}))
