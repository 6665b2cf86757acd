"""Begin a campaign with labels that are there already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zonemelt.tasks.datasets import commit, open_dataset, write_part
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.label.registry import oracle_named
from zonemelt.tasks.quality.judge import POTENTIAL, judged

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


def adopt(dataset: str, version: str | None, into: Path) -> str:
    """Take over the records of a dataset that hold what potentials learn; done again it changes nothing.

    Args:
        dataset: its directory.
        version: of it; the newest where there is none.
        into: directory of the campaign's dataset.

    Returns:
        The version of the campaign's dataset.

    Raises:
        InputError: there is no such dataset.
    """
    found = open_dataset(dataset, version)
    need = [*POTENTIAL, "energy_sigma0"]
    part = write_part(into, (judged(record, need=need) for record in found.records()))
    return commit(into, [part], message=f"what was known: version {found.version[:12]} of {dataset}").hash


def known_symbols(
    known: Mapping[str, str], structures: Iterable[Mapping[str, Any]]
) -> tuple[set[str], set[str], int]:
    """What a campaign begins with.

    Args:
        known: ``dataset`` and ``version`` of labels; may be empty.
        structures: that are labelled first: documents with ``geometry``.

    Returns:
        Its elements; those with a crystal of their own; and how many labels are there already.

    Raises:
        InputError: there is no such dataset, or it mixes levels of theory.
    """
    systems = [frozenset(one["geometry"]["symbols"]) for one in structures]
    labels = 0
    if known:
        found = open_dataset(known["dataset"], known.get("version") or None)
        found.one_theory()
        labels = len(found)
        systems += [frozenset(one.split("-")) for one in found.frame(["elements"])["elements"].unique()]
    pure = {symbol for system in systems if len(system) == 1 for symbol in system}
    return set().union(*systems), pure, labels


def check_level(dataset: str, version: str, *, oracle: str, settings: Mapping[str, Any]) -> None:
    """Refuse to begin with labels that the oracle's cannot be added to.

    Whether the rest of the level of theory agrees is known when the first label is there, and seen then.

    Args:
        dataset: of what is known.
        version: of it; the newest where empty.
        oracle: its name.
        settings: of it, as jobs are given them.

    Raises:
        InputError: one is of density-functional theory and the other is not, or the functionals differ.
    """
    chosen = oracle_named(oracle)
    protocol = settings.get("protocol")
    functional = protocol.get("functional") if isinstance(protocol, dict) else None
    for theory in open_dataset(dataset, version or None).theories.values():
        mixed = theory.is_dft is not None and theory.is_dft != chosen.is_dft
        other = functional and theory.functional and theory.functional != functional
        if mixed or other:
            said = functional or ("density-functional theory" if chosen.is_dft else chosen.title)
            raise InputError(
                f"its labels are of {theory.described}, those of oracle {oracle} of {said}",
                where=f"known {dataset}",
                remedy="choose an oracle of the same level of theory, or other labels to begin with",
            )
