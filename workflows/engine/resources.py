"""What a job asks of a machine, read from its ``manager_config``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import InputError, UnknownKeyError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Keys that other jobflow managers read: a graph written for them runs here unchanged.
_FOREIGN = frozenset({"worker", "resources", "exec_config", "hooks", "delay_download"})
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)
_CLOCK = ("hours", "minutes", "seconds")
_LAUNCHERS = ("mpi", "torch", "program")


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What one job asks for.

    Attributes:
        pool: the pool of the site it runs in; empty for the site's default.
        nodes: nodes it spans.
        ranks_per_node: processes on each node; more than one rank in all makes it a multi-rank job.
        gpus_per_rank: accelerators of each rank.
        threads: threads of each rank.
        walltime: seconds after which it is stopped; 0 for no limit.
        memory: bytes one rank may allocate; 0 for no limit.
        priority: higher goes first.
        quorum: how many of its parents must have arrived before it starts: a fraction below one,
            or a number; 0 for all. Those that have not arrived are ``None`` to it.
        launcher: what is started as ranks: the job itself, by ``mpi`` (mpiexec, mpi4py) or ``torch``
            (torch.distributed); or the ``program`` that the job runs, an MPI code.
        cache: whether an identical earlier job may stand in for it.
    """

    pool: str = ""
    nodes: int = 1
    ranks_per_node: int = 1
    gpus_per_rank: int = 0
    threads: int = 1
    walltime: float = 0.0
    memory: int = 0
    priority: int = 0
    quorum: float = 0.0
    launcher: str = "mpi"
    cache: bool = True

    @property
    def ranks(self) -> int:
        """The world size."""
        return self.nodes * self.ranks_per_node

    @property
    def slots(self) -> int:
        """How many single-threaded workers of a pool it takes the place of."""
        return self.ranks * self.threads


@dataclass(frozen=True, kw_only=True, slots=True)
class WholeBlock(Resources):
    """What a job asks for in a pool whose workers have a block each: whatever it spans, it takes one."""

    @property
    def slots(self) -> int:
        """One."""
        return 1

    @classmethod
    def of(cls, resources: Resources) -> WholeBlock:
        """The same, in such a pool."""
        return cls(**{field: getattr(resources, field) for field in Resources.__dataclass_fields__})


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What a block of a pool can give one job.

    Attributes:
        nodes: that a job may span.
        seconds: that it may take.
        whole_block: its one worker has the block to itself.
    """

    nodes: int = 1
    seconds: float = float("inf")
    whole_block: bool = False

    def check(self, resources: Resources, pool: str, *, where: str) -> None:
        """Refuse what no block of the pool can ever run.

        Raises:
            InputError: naming what is asked for and what there is.
        """
        if resources.nodes > self.nodes:
            raise InputError(
                f"the job asks for {resources.nodes} nodes, a block of '{pool}' gives a job {self.nodes}",
                where=f"{where}.nodes",
                remedy="raise nodes_per_block of the pool (with whole_block: true), or ask for fewer",
            )
        if resources.walltime > self.seconds:
            raise InputError(
                f"the job's walltime of {resources.walltime:g} s does not fit a block of '{pool}', which "
                f"has {self.seconds:g} s for jobs",
                where=f"{where}.walltime",
                remedy="raise the pool's walltime, or ask for less",
            )


def pool_for(resources: Resources, offers: Mapping[str, Offer | None], *, where: str) -> str:
    """The pool of a job: the one that it names, else the first.

    Args:
        resources: what the job asks for.
        offers: of each pool, where they are known.
        where: what says so, such as ``job 'relax' manager_config``.

    Raises:
        InputError: there is no such pool, or no block of it can ever run the job.
    """
    pool = resources.pool or next(iter(offers))
    if pool not in offers:
        raise InputError(
            f"the site has no pool '{pool}'", where=f"{where}.pool", remedy=f"its pools: {', '.join(offers)}"
        )
    if (offer := offers[pool]) is not None:
        offer.check(resources, pool, where=where)
    return pool


_DEFAULT = Resources()
_FIELDS = frozenset(Resources.__dataclass_fields__)


def read_resources(manager_config: Mapping[str, Any], *, where: str = "") -> Resources:
    """Read a job's ``manager_config``.

    Args:
        manager_config: e.g. ``{"pool": "gpu", "ranks_per_node": 4, "walltime": "02:00:00"}``. Keys of
            other managers (``_``-prefixed FireWorks keys, jobflow-remote's) are left to them.
        where: what to name in an error, e.g. the job.

    Raises:
        UnknownKeyError: a key that nobody knows.
        InputError: a value of the wrong type or range.
    """
    if not manager_config:
        return _DEFAULT
    values: dict[str, Any] = {}
    for key, value in manager_config.items():
        if key.startswith("_") or key in _FOREIGN:
            continue
        if key not in _FIELDS:
            raise UnknownKeyError.of(key, _FIELDS, where=f"{where} manager_config".strip())
        values[key] = _read(key, value, f"{where} manager_config.{key}".strip())
    return Resources(**values)


def _read(key: str, value: Any, where: str) -> Any:
    if key == "walltime":
        return seconds(value, where=where)
    if key == "memory":
        return in_bytes(value, where=where)
    default = getattr(_DEFAULT, key)
    wanted = float if isinstance(default, float) else type(default)
    if isinstance(value, bool) is not (wanted is bool) or not isinstance(
        value, (int, float) if wanted is float else wanted
    ):
        raise InputError(f"{value!r} is not {_article(wanted)}", where=where, remedy=f"e.g. {default!r}")
    if key in {"nodes", "ranks_per_node", "threads"} and value < 1:
        raise InputError(f"{value!r} is below 1", where=where, remedy="give at least 1")
    if key in {"gpus_per_rank", "quorum"} and value < 0:
        raise InputError(f"{value!r} is negative", where=where, remedy="give at least 0")
    if key == "quorum" and not isfinite(value):
        raise InputError(f"{value!r} is no number of parents", where=where, remedy="give 0 for all of them")
    if key == "launcher" and value not in _LAUNCHERS:
        raise UnknownKeyError.of(str(value), _LAUNCHERS, where=where)
    return wanted(value)


def _article(kind: type) -> str:
    return {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}[kind]


def seconds(value: float | str, *, where: str = "walltime") -> float:
    """Read a duration: seconds as a number, or ``HH:MM:SS``, ``MM:SS`` as a text.

    Raises:
        InputError: it is neither.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < inf:
        return float(value)
    parts = str(value).split(":")
    if not isinstance(value, str) or len(parts) > len(_CLOCK) or not all(p.isdecimal() for p in parts):
        raise InputError(f"{value!r} is not a duration", where=where, remedy="give seconds, or 'HH:MM:SS'")
    total = 0
    for part in parts:
        total = 60 * total + int(part)
    return float(total)


def in_bytes(value: float | str, *, where: str = "memory") -> int:
    """Read an amount of memory: bytes as a number, or a text such as ``4GB`` or ``500 MiB``.

    Units are powers of 1024, as schedulers count them.

    Raises:
        InputError: it is neither.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < inf:
        return int(value)
    match = _MEMORY.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise InputError(
            f"{value!r} is not an amount of memory", where=where, remedy="give bytes, or e.g. '4GB'"
        )
    number, unit = match.groups()
    return int(float(number) * 1024 ** ("kmgt".index(unit.lower()) + 1 if unit else 0))


def quorum_count(quorum: float, parents: int) -> int:
    """How many of ``parents`` must have arrived: a fraction is rounded up, a number is capped."""
    if quorum <= 0:
        return parents
    wanted = -(-parents * quorum // 1) if quorum < 1 else quorum
    return min(parents, max(1, int(wanted)))
