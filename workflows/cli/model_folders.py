"""Folders with models: found below a directory, and told what they hold."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Final

from zonemelt.tasks.errors import InputError, UnknownKeyError

_POTENTIAL: Final = {"energy": "eV", "forces": "eV/Å", "stress": "eV/Å³"}
_POTENTIALS: Final = ("potential", "linear potential", "committee")
_OTHERS: Final = (*_POTENTIALS, "generator")
_WITHIN: Final = frozenset({"campaign", "graphs"})  # of the folder of a model: no models are looked for there


def find_models(directory: str) -> list[dict[str, Any]]:
    """The models below a directory; those that cannot be opened with the reason.

    Members of an ensemble are not listed by themselves.

    Raises:
        InputError: there is no such directory.
    """
    top = Path(directory)
    if not top.is_dir():
        raise InputError(
            "there is no such directory", where=directory, remedy="name one with models below it"
        )
    found: list[dict[str, Any]] = []
    waiting = [top]
    while waiting:
        place = waiting.pop()
        if _card_in(place) is not None:
            found.append(_line(place))
            continue
        waiting += [
            path for path in place.iterdir()
            if path.is_dir() and not path.is_symlink() and path.name not in _WITHIN and path.name[0] != "."
        ]  # fmt: skip
    return sorted(found, key=lambda one: one["folder"])


def about_model(folder: str) -> dict[str, Any]:
    """What the card of a model says; nothing else is read, so that many can be listed at once.

    Returns:
        ``folder``, ``kind``, ``properties`` (name → unit), ``nbytes``, ``made`` (of its card) and ``card``.

    Raises:
        InputError: there is no model, or its card is damaged or of a kind that is not known.
    """
    path, document = _card_of(Path(folder))
    made = datetime.fromtimestamp(path.stat().st_mtime).astimezone()
    return {
        "folder": str(folder),
        "kind": document["kind"],
        "properties": _properties(document),
        "nbytes": sum(one.stat().st_size for one in path.parent.rglob("model.safetensors")),
        "made": made.isoformat(timespec="seconds"),
        "card": document,
    }


def _card_in(folder: Path) -> Path | None:
    """The card of the model in a folder, of any kind; None where there is no model."""
    from zonemelt.tasks.potentials.committee import COMMITTEE
    from zonemelt.tasks.train.predictor import CARDS

    return next((path for name in (COMMITTEE, *CARDS) if (path := folder / name).is_file()), None)


def _card_of(folder: Path) -> tuple[Path, dict[str, Any]]:
    """A card with its path: of a model of properties, a potential, a committee or a generator.

    Raises:
        InputError: there is no model, or its card is damaged or of a kind that is not known.
    """
    from zonemelt.tasks.potentials.committee import COMMITTEE
    from zonemelt.tasks.train.predictor import OPENERS, card_of, read_card

    path = _card_in(folder)
    if path is not None and path.name == COMMITTEE:
        return path, {"kind": "committee", **read_card(path, "members")}
    if path is not None and (document := read_card(path))["kind"] not in OPENERS:
        kind = str(document["kind"])
        if kind not in _OTHERS:
            raise UnknownKeyError.of(kind, (*OPENERS, *_OTHERS), where=f"kind in {path}")
        return path, document
    return card_of(folder)


def _properties(card: dict[str, Any]) -> dict[str, str]:
    """Name → unit, of any kind of card; of a generator what can be wished for."""
    if card["kind"] in _POTENTIALS:
        return _POTENTIAL
    targets = card["targets"] if "targets" in card else [card["target"]] if card.get("target") else []
    if targets or card["kind"] == "generator":
        return {target["name"]: target["unit"] for target in targets}
    return dict(card["properties"]) if "properties" in card else {card["property"]: card["unit"]}


def _line(place: Path) -> dict[str, Any]:
    """A model in the list; what was wrong where it cannot be opened."""
    try:
        found = about_model(str(place))
    except InputError as error:
        return {"folder": str(place), "error": error.what}
    card = found.pop("card")
    return {**found, "metrics": _record(card.get("metrics", {})), "error": ""}


def _record(metrics: dict[str, float]) -> dict[str, float]:
    """Mean absolute errors in units: on the test part, where there is one."""
    kinds: tuple[tuple[str, ...], ...] = (("test", "mae"), ("mae",), ("validation", "loss"))
    for kind in kinds:
        found = {
            key: value
            for key, value in metrics.items()
            if tuple(key.split()[: len(kind)]) == kind and " of a member " not in key
        }
        if found:
            return found
    return {}
