"""Change values of a campaign while it runs: checked like its file, recorded, in effect next round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zonemelt.tasks.errors import CampaignError, InputError, UnknownKeyError
from zonemelt.workflows.cli.app import STEER, command
from zonemelt.workflows.cli.places import find_campaign

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from zonemelt.workflows.campaigns.base import CampaignSpec


@command(
    STEER,
    "zonemelt steer batch=4 stop.labels=200       of the newest campaign, from its next round on",
    "zonemelt steer runs/copper explore.md.temperatures=[300,900]",
    "zonemelt steer runs/copper budget_node_hours=50     at once",
    "zonemelt steer runs/copper                   what may be changed, and what was",
)
def steer(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[DIR] [KEY=VALUE]...", help="Values to change.")
    ] = None,
) -> None:
    """Change the batch, a budget, a temperature or a stop criterion of a campaign while it runs.

    Values are checked like those of its file. Who changed what and when is recorded, and `status` shows it.
    """
    from zonemelt.workflows.cli.asking import ask_to_steer
    from zonemelt.workflows.cli.plans import parse_settings, write_document

    pairs = [word for word in words or () if "=" in word]
    places = [word for word in words or () if "=" not in word]
    if len(places) > 1:
        raise InputError(
            f"'{places[1]}' is not KEY=VALUE", where="steer", remedy="e.g. zonemelt steer runs/copper batch=4"
        )
    place = find_campaign(places[0] if places else "")
    document = _document(place)
    if not pairs:
        _list(place, document)
        return
    values, spec = checked(document, parse_settings(pairs), where=str(place))
    by_head = ask_to_steer(place, values)
    write_document(place, spec.model_dump(mode="json"))
    said = ", ".join(f"{key} = {value}" for key, value in values.items())
    more = "" if by_head else f"\n  → `zonemelt resume {place}` starts a head that goes by it"
    typer.echo(f"{said}: limits at once, the rest from the next round on{more}")


def checked(
    document: dict[str, Any], values: Mapping[str, Any], *, where: str
) -> tuple[dict[str, Any], CampaignSpec]:
    """The values as the campaign reads them, and the campaign with them.

    Raises:
        UnknownKeyError: there is no such key.
        InputError: a value cannot be used, or may not be changed while a campaign runs.
    """
    import copy

    from zonemelt.workflows.campaigns.registry import kind_named
    from zonemelt.workflows.campaigns.spec import parse
    from zonemelt.workflows.dotted import override

    steerable = kind_named(document.get("kind"), where=where).spec.steerable
    changed = copy.deepcopy(document)
    for key, value in values.items():
        override(changed, key, value, where=where)
    spec = parse(changed, where=where)  # unknown keys are refused here, with the nearest one
    for key in values:
        if key.partition(".")[0] not in steerable:
            raise InputError(
                f"'{key}' cannot be changed while a campaign runs",
                where=where,
                remedy=f"these can: {', '.join(steerable)}",
            )
    found = spec.model_dump(mode="json")
    return {key: _at(found, key, where=where) for key in values}, spec


def _at(document: Any, key: str, *, where: str) -> Any:
    for part in key.split("."):
        if not isinstance(document, dict) or part not in document:
            raise UnknownKeyError.of(part, document if isinstance(document, dict) else (), where=where)
        document = document[part]
    return document


def _document(place: Path) -> dict[str, Any]:
    """The campaign as it was resolved.

    Raises:
        CampaignError: a program started it, so nothing says what its values are.
    """
    from zonemelt.tasks.settings import read_mapping
    from zonemelt.workflows.engine.schema import SPEC_FILE

    path = place / SPEC_FILE
    if not path.exists():
        raise CampaignError(
            "a program started it, and nothing says what may be changed",
            where=str(place),
            remedy="start it from a campaign file with `zonemelt run`",
        )
    return read_mapping(path)


def _list(place: Path, document: dict[str, Any]) -> None:
    import time

    from zonemelt.workflows.campaigns.registry import kind_named
    from zonemelt.workflows.dotted import flat
    from zonemelt.workflows.engine.inspect import open_ledger, steering

    for key in kind_named(document.get("kind"), where=str(place)).spec.steerable:
        for path, value in flat(document.get(key), key).items():
            typer.echo(f"{path} = {value}")
    with open_ledger(place) as connection:
        changes: Sequence[dict[str, Any]] = steering(connection)
    for one in changes:
        when = time.strftime("%d %b %H:%M", time.localtime(one["time"]))
        said = ", ".join(f"{key} = {value}" for key, value in one["values"].items())
        typer.echo(f"  {when}  {one['who']} set {said}")
