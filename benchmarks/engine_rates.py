"""Rates, processor time and memory of the engines on graphs of jobs that do nothing."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from benchmarks.engine_peers import NAMES
from benchmarks.report import Row, median, say, spread
from benchmarks.sessions import Session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CHILD = "benchmarks.engine_peers"
# Engines whose cost grows with the square of the graph are spared the larger ones.
LARGEST = {"ours": 10**6, "local": 2000, "local-dict": 20_000, "htex": 10_000, "threads": 10_000}
LARGEST_CHAIN = 1000
TARGETS = {
    ("fan", 10_000, "htex"): "ratio >= 2.5",
}
LARGE = 100_000


def sizes(graph: str, *, quick: bool, jobs: int | None) -> Sequence[int]:
    """How many jobs the graphs have."""
    if jobs is not None:
        return [jobs]
    if quick:
        return [500] if graph == "fan" else [100]
    if graph == "chain":
        return [100, 200, LARGEST_CHAIN]
    return [100, 1000, 10_000, *([LARGE] if graph in {"fan", "map-reduce"} else [])]


def rates(graphs: Sequence[str], *, quick: bool, jobs: int | None) -> Iterator[Row]:
    """Rows for the graphs named, with every engine that can take them."""
    if quick:  # engines stay warm from graph to graph
        with ExitStack() as stack:
            sessions = _open(stack, NAMES)
            for graph in graphs:
                for size in sizes(graph, quick=True, jobs=jobs):
                    yield from _compare(graph, size, sessions, repeats=2, quick=True)
        return
    flat: dict[str, dict[int, list[dict[str, Any]]]] = {}
    for graph in graphs:
        for size in sizes(graph, quick=False, jobs=jobs):
            with ExitStack() as stack:  # a fresh process for each measurement: memory is its own
                names = [name for name in NAMES if size <= LARGEST[name] and _bearable(name, graph, size)]
                sessions = _open(stack, names)
                found: dict[str, list[dict[str, Any]]] = {}
                yield from _compare(graph, size, sessions, repeats=_repeats(size), quick=False, keep=found)
                flat.setdefault(graph, {})[size] = found["ours"]
        yield from _flatness(graph, flat[graph])


def _bearable(name: str, graph: str, size: int) -> bool:
    return name != "local" or graph == "fan" or size <= 1000


def _repeats(size: int) -> int:
    return 5 if size <= 1000 else 3 if size <= 10_000 else 1


def _open(stack: ExitStack, names: Sequence[str] | dict[str, str]) -> dict[str, Session]:
    sessions = {name: stack.enter_context(Session(CHILD, name)) for name in names}
    for session in sessions.values():
        session.ready()
    return sessions


def _compare(
    graph: str,
    size: int,
    sessions: dict[str, Session],
    *,
    repeats: int,
    quick: bool,
    keep: dict[str, list[dict[str, Any]]] | None = None,
) -> Iterator[Row]:
    """Ask every engine in turn, several times, so that all of them see the same noise."""
    began = time.perf_counter()
    found: dict[str, list[dict[str, Any]]] = {} if keep is None else keep
    for _ in range(repeats):
        for name, session in sessions.items():
            answer = session.ask(graph=graph, jobs=size)
            check_done(answer["done"], graph, size, engine=name)
            found.setdefault(name, []).append(answer)
    seconds = time.perf_counter() - began
    say(f"{graph} {size}: {seconds:.0f} s")
    ours = found["ours"]
    speed = [size / answer["wall"] for answer in ours]
    common: dict[str, Any] = {"quick": quick, "seconds": seconds}
    for name, answers in found.items():
        if name == "ours":
            continue
        # Ratios of neighbours in time, so that noise that both saw cancels.
        paired = median(b["wall"] / a["wall"] for a, b in zip(ours, answers, strict=True))
        yield Row(
            name=f"{graph} {size} rate vs {name}", unit="jobs/s", ours=median(speed),
            peer=median(speed) / paired, peer_name=NAMES[name], spread=spread(speed),
            target=TARGETS.get((graph, size, name), ""), **common,
        )  # fmt: skip
    each = [1e3 * answer["wall"] / size for answer in ours]
    cpu = [1e3 * answer["cpu"] / size for answer in ours]
    peak = [answer["peak_mb"] for answer in ours]
    raw, dicts = found.get("htex"), found.get("local-dict")
    yield Row(
        name=f"{graph} {size} wall", unit="ms/job", ours=median(each), spread=spread(each),
        peer=median(1e3 * a["wall"] / size for a in raw) if raw else None,
        peer_name=NAMES["htex"] if raw else "",
        target="ours <= 4" if (graph, size) == ("chain", 200) else "", **common,
    )  # fmt: skip
    yield Row(
        name=f"{graph} {size} head CPU", unit="ms/job", ours=median(cpu), spread=spread(cpu),
        peer=median(1e3 * a["cpu"] / size for a in raw) if raw else None,
        peer_name=NAMES["htex"] if raw else "",
        target="ours <= 0.1" if (graph, size) == ("fan", 10_000) else "", **common,
    )  # fmt: skip
    yield Row(
        name=f"{graph} {size} head peak memory", unit="MB", ours=median(peak), spread=spread(peak),
        peer=median(a["peak_mb"] for a in dicts) if dicts else None,
        peer_name=NAMES["local-dict"] if dicts else "", **common,
    )  # fmt: skip
    yield Row(
        name=f"{graph} {size} ledger", unit="B/job", ours=median(a["ledger_bytes"] / size for a in ours),
        target="ours <= 1500" if size >= 1000 else "", **common,
    )  # fmt: skip


def check_done(done: int, graph: str, size: int, *, engine: str) -> None:
    """Refuse the time of an engine that did not do all jobs.

    Raises:
        RuntimeError: some are missing.
    """
    wanted = {"diamond": size // 4 * 4, "replace": size // 2 * 2}.get(graph, size)
    one = {wanted // 2} if graph == "replace" else set()  # a job and its successor may count as one
    if done not in {wanted, *one}:
        raise RuntimeError(f"{engine} did {done} of {wanted} jobs of {graph}")


def _flatness(graph: str, ours: dict[int, list[dict[str, Any]]]) -> Iterator[Row]:
    """Whether a job costs the same in a large graph as in a small one."""
    if LARGE not in ours or 1000 not in ours:
        return
    for quantity, name in (("wall", "wall"), ("cpu", "head CPU")):
        large = [1e3 * a[quantity] / LARGE for a in ours[LARGE]]
        small = [1e3 * a[quantity] / 1000 for a in ours[1000]]
        yield Row(
            name=f"{graph} flatness, {name}", unit="ms/job", ours=median(large), peer=median(small),
            peer_name="the same at 1,000 jobs", target="ratio <= 1.2", spread=spread(small),
        )  # fmt: skip


def quadratic(*, jobs: int = 10_000) -> Iterator[Row]:
    """The fan that shows what a scan for every job costs ``run_locally``: about two minutes."""
    began = time.perf_counter()
    found = {}
    for name in ("ours", "local"):
        with Session(CHILD, name) as session:
            session.ready()
            found[name] = session.ask(graph="fan", jobs=jobs)
    yield Row(
        name=f"fan {jobs} rate vs local", unit="jobs/s", ours=jobs / found["ours"]["wall"],
        peer=jobs / found["local"]["wall"], peer_name=NAMES["local"], target="ratio >= 40",
        seconds=time.perf_counter() - began, note="run_locally is quadratic: measured once",
    )  # fmt: skip
