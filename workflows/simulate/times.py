"""How long jobs take: by their kind, from a file, from an earlier campaign, or assumed."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.settings import read_mapping
from zonemelt.workflows.simulate.amounts import Amount, read_amount

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from zonemelt.workflows.simulate.graph import Graph

ASSUMED = Amount((60.0,))  # of a job of which nothing is known


@dataclass(frozen=True, kw_only=True)
class Times:
    """Durations by kind.

    Attributes:
        kinds: a function, as ``module.name`` or its last parts → what its jobs take.
        default: what jobs of all other kinds are assumed to take.
        source: where the kinds are from, in words.
    """

    kinds: Mapping[str, Amount] = field(default_factory=dict)
    default: Amount = ASSUMED
    source: str = ""

    def known(self, kind: str) -> Amount | None:
        """What jobs of a kind take; None where it is only assumed."""
        parts = kind.split(".")
        names = (".".join(parts[start:]) for start in range(len(parts)))
        return next((self.kinds[name] for name in names if name in self.kinds), None)

    def of(self, kind: str) -> Amount:
        """What jobs of a kind take."""
        found = self.known(kind)
        return self.default if found is None else found

    def draw(self, graph: Graph, seed: int) -> array[float]:
        """A duration for every job, [J] s; the same whatever the machine, and again when it is retried.

        A job of which nothing is known is not assumed to run into its own walltime.
        """
        chance = Random(seed)  # noqa: S311 (nothing secret)
        amounts = [self.of(kind) for kind in graph.kinds]
        known = [self.known(kind) is not None for kind in graph.kinds]
        limits = [request.resources.walltime or math.inf for request in graph.requests]
        drawn = array("d")
        for kind, request in zip(graph.kind, graph.request, strict=True):
            seconds = amounts[kind].draw(chance)
            drawn.append(seconds if known[kind] else min(seconds, limits[request]))
        return drawn


def read_times(path: Path) -> Times:
    """Read durations from a YAML or JSON file.

    ::

        default: 60                 # seconds, or 'HH:MM:SS'
        kinds:
          my_flows.relax: 1200
          train: [300, 420, 360]    # measured ones
          label: {median: 600, factor: 1.5}

    Raises:
        InputError: it cannot be read as such.
    """
    content = read_mapping(path, of="durations", remedy="e.g. 'kinds: {my_flows.relax: 1200}'")
    if not isinstance(content.get("kinds", {}), dict):
        raise InputError("holds no durations", where=str(path), remedy="e.g. 'kinds: {my_flows.relax: 1200}'")
    for key in content:
        if key not in {"default", "kinds"}:
            raise UnknownKeyError.of(str(key), ("default", "kinds"), where=str(path))
    return Times(
        kinds={
            str(kind): read_amount(value, where=f"{path}: {kind}")
            for kind, value in content.get("kinds", {}).items()
        },
        default=read_amount(content["default"], where=f"{path}: default")
        if "default" in content
        else ASSUMED,
        source=path.name,
    )
