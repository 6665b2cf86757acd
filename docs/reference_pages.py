"""The pages of the reference: commands by their help, files by their schemas, modules by their docstrings."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# What programs of others may build on, room by room.
MODULES = {
    "The package": ["zonemelt", "zonemelt.plain_yaml"],
    "Records and datasets": [
        "zonemelt.tasks.records", "zonemelt.tasks.theory", "zonemelt.tasks.crystals",
        "zonemelt.tasks.datasets.dataset", "zonemelt.tasks.datasets.parts",
        "zonemelt.tasks.datasets.versions",
        "zonemelt.tasks.structure_files", "zonemelt.tasks.ingest.ingest_file",
    ],
    "Labels": ["zonemelt.tasks.label.registry", "zonemelt.tasks.label.jobs", "zonemelt.tasks.label.health"],
    "Models": [
        "zonemelt.tasks.potentials.load", "zonemelt.tasks.potentials.potential",
        "zonemelt.tasks.potentials.by_ase", "zonemelt.tasks.train.predictor", "zonemelt.tasks.train.ranks",
    ],
    "Choosing": [
        "zonemelt.tasks.explore.explorers", "zonemelt.tasks.explore.candidate", "zonemelt.tasks.own_code",
        "zonemelt.tasks.acquire.jobs",
    ],
    "Judging": ["zonemelt.tasks.judge.hull", "zonemelt.tasks.judge.hull_jobs"],
    "Errors": ["zonemelt.tasks.errors"],
    "Stores": ["zonemelt.tasks.stores", "zonemelt.tasks.kept_files"],
    "Sites": ["zonemelt.sites.load", "zonemelt.sites.evidence", "zonemelt.sites.containers"],
    "Engine": ["zonemelt.workflows.engine.run", "zonemelt.workflows.engine.retry"],
    "Provenance": [
        "zonemelt.workflows.provenance.asking", "zonemelt.workflows.provenance.diff",
        "zonemelt.workflows.provenance.rerun", "zonemelt.workflows.provenance.crate",
        "zonemelt.workflows.provenance.opening", "zonemelt.workflows.provenance.drawing",
    ],
    "Simulated site": ["zonemelt.workflows.simulate"],
}  # fmt: skip


_FACES = {"zonemelt", "zonemelt.workflows.simulate"}  # what they show is defined elsewhere


def write_reference(folder: Path) -> None:
    """Write all pages; a file that would not change is left alone."""
    folder.mkdir(exist_ok=True)
    pages = {"commands": commands(), "campaigns": campaigns(), "sites": sites(), "records": records()}
    pages |= {_file(title): modules(title, names) for title, names in MODULES.items()}
    entries = "\n".join(pages)
    toctree = f"```{{toctree}}\n:maxdepth: 1\n\n{entries}\n```\n"
    pages["index"] = f"# Reference\n\nMade of the program itself, of its schemas and docstrings.\n\n{toctree}"
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in folder.glob("*.md"):
        if path.stem not in pages:
            path.unlink()


def _file(title: str) -> str:
    return title.lower().replace(" ", "-").replace("sites", "site-modules")


# ── commands ────────────────────────────────────────────────────────────────────────────────────────────


def commands() -> str:
    """The help of every command."""
    import typer.main

    from zonemelt.workflows.cli import app

    program = typer.main.get_command(app)
    return "\n".join(["# Commands\n", *_helps(program, "zonemelt")])


def _helps(command: Any, name: str) -> Iterator[str]:
    context = command.make_context(name, [], resilient_parsing=True)
    context.max_content_width = 100
    yield f"## {name}\n\n```text\n{command.get_help(context).rstrip()}\n```\n"
    for inner in getattr(command, "commands", {}).values():
        if not inner.hidden:
            yield from _helps(inner, f"{name} {inner.name}")


# ── schemas ─────────────────────────────────────────────────────────────────────────────────────────────


def campaigns() -> str:
    """Every kind of campaign with its fields."""
    from zonemelt.workflows.campaigns.registry import KINDS
    from zonemelt.workflows.settings import Settings

    models = {f"kind: {name}": kind.spec for name, kind in KINDS.items()}
    return _page(
        "Campaign files",
        "Fields of a campaign file, by its `kind`; an unknown one is an error.",
        {**models, "Settings (`~/.zonemelt.yaml`)": Settings},
    )


def sites() -> str:
    """A site file with its fields."""
    from zonemelt.sites.site import Site

    return _page("Site files", "Fields of a site file; see [sites](../sites.md).", {"Site": Site})


def records() -> str:
    """Records, protocols and settings of oracles."""
    from zonemelt.tasks.label.protocol import Protocol
    from zonemelt.tasks.label.registry import ORACLES
    from zonemelt.tasks.records import Record

    oracles = {f"oracle: {name}": oracle.settings for name, oracle in ORACLES.items()}
    return _page(
        "Records and oracles",
        "A labelled structure, and what oracles are told.",
        {"Record": Record, "Protocol": Protocol, **oracles},
    )


def _page(title: str, about: str, models: dict[str, type[BaseModel]]) -> str:
    """One table for each model, and for each model that a field of it holds, once."""
    waiting, done, lines = list(models.items()), set(), [f"# {title}\n", f"{about}\n"]
    while waiting:
        name, model = waiting.pop(0)
        if model in done:
            continue
        done.add(model)
        inner: dict[str, type[BaseModel]] = {}
        said = (model.__doc__ or "").strip().splitlines()
        lines += [
            f"## {name}\n",
            f"{said[0]}\n" if said else "",
            "| field | type | default | |",
            "|---|---|---|---|",
        ]
        for field, info in model.model_fields.items():
            inner |= {one.__name__: one for one in _models_in(info.annotation)}
            default = "required" if info.is_required() else _default(info)
            cells = [f"`{field}`", *map(_cell, (_type(info.annotation), default, info.description or ""))]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
        waiting += [(each, one) for each, one in inner.items() if one not in done]
    return "\n".join(lines)


def _default(info: Any) -> str:
    if info.default is not PydanticUndefined:
        value = info.default
    elif info.default_factory is not None:
        value = info.default_factory()
    else:
        return ""
    if isinstance(value, BaseModel):
        return "its defaults"
    text = repr(getattr(value, "value", value))
    return f"`{text}`" if len(text) <= 60 else "see the source"  # noqa: PLR2004 (a cell of a table)


def _type(annotation: Any) -> str:
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type(inside[0])
    if origin is typing.Literal:
        return " or ".join(f"`{value!r}`" for value in inside)
    if inside and origin in {list, tuple, dict, set, frozenset}:
        parts = ", ".join(_type(one) for one in inside if one is not Ellipsis)
        return f"{origin.__name__} of {parts}"
    if inside:  # a union
        return " or ".join(_type(one) for one in inside)
    if annotation is type(None):
        return "nothing"
    return getattr(annotation, "__name__", str(annotation))


def _models_in(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in typing.get_args(annotation):
        if isinstance(inner, type) or typing.get_args(inner):
            yield from _models_in(inner)


def _cell(text: str) -> str:
    """A text that ends no cell of a table and is no markup."""
    shown = " ".join(str(text).split())
    if shown.startswith("`"):
        return shown.replace("|", "\\|")
    return "".join(f"\\{letter}" if letter in "|*_<>[]{}$" else letter for letter in shown)


# ── modules ─────────────────────────────────────────────────────────────────────────────────────────────


def modules(title: str, names: list[str]) -> str:
    """The public functions and classes of modules."""
    extra = "   :imported-members:\n"
    parts = [
        f"## {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n"
        f"{extra if name in _FACES else ''}```\n"
        for name in names
    ]
    return "\n".join([f"# {title}\n", *parts])
