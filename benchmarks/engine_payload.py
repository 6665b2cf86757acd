"""What it costs to hand structures, trajectories and large outputs from job to job."""

from __future__ import annotations

import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from benchmarks.report import Row, median, spread
from benchmarks.sessions import Session, measured, serve
from jobflow import Flow, Job, job, run_locally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ATOMS = 500
FRAMES, FRAME_ATOMS = 40, 500  # positions and forces: 0.96 MB
LARGE_MB = 100


def structure(seed: int) -> Any:
    """A disordered oxide of 500 atoms."""
    from pymatgen.core.lattice import Lattice
    from pymatgen.core.structure import Structure

    random = np.random.default_rng(seed)
    species: list[Any] = list(random.choice(["Li", "Co", "O"], ATOMS, p=[0.25, 0.25, 0.5]))
    return Structure(Lattice.cubic(18.0), species, random.random((ATOMS, 3)))


@cache
def _trajectory(seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    shape = (FRAMES, FRAME_ATOMS, 3)
    return {
        "positions": random.random(shape), "forces": random.random(shape),
        "energies": random.random(FRAMES),
    }  # fmt: skip


def trajectory(seed: int) -> dict[str, Any]:
    """Positions, forces, energies: 1 MB of arrays."""
    return _trajectory(seed)


def pass_structure(value: Any) -> Any:
    """Take a Structure and give it back: copying one costs more than a link should."""
    return value


def pass_trajectory(value: dict[str, Any]) -> dict[str, Any]:
    """Take a trajectory, give back another one."""
    return {**_trajectory(1), "frames": len(value["positions"])}


def pass_number(value: int) -> int:
    """Take a number, give back another one."""
    return value + 1


def large_text() -> dict[str, Any]:
    """100 MB that are no array."""
    return {"text": "x" * (LARGE_MB * 10**6)}


def large_array() -> dict[str, Any]:
    """100 MB of numbers."""
    return {"array": np.arange(LARGE_MB * 10**6 // 8, dtype=float)}


def length(value: dict[str, Any]) -> int:
    """How many characters or numbers there are: a job that takes the large output."""
    return sum(len(entry) for entry in value.values())


_LINKS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "structure": (job(structure), job(pass_structure)),
    "trajectory": (job(trajectory), job(pass_trajectory)),
    "number": (job(int), job(pass_number)),
}
_LARGE = {"text": job(large_text), "array": job(large_array)}
_length = job(length)


def links(kind: str, steps: int) -> Flow:
    """A chain of jobs that hand a value on."""
    first, follow = _LINKS[kind]
    members: list[Flow | Job] = [last := first(1)]
    members += [last := follow(last.output) for _ in range(steps)]
    return Flow(members)


def payload_rows(which: str, *, quick: bool) -> Iterator[Row]:
    """Processor time of one link, worker and head together, against ``run_locally`` in the same process."""
    steps, repeats = (10, 1) if quick else (50, 5)
    limit, peer_steps = {"structure": (2, 10), "trajectory": (10, 3)}[which]
    began = time.perf_counter()
    with Session("benchmarks.engine_payload") as session:
        session.ready()
        session.ask(kind="number", steps=5, engine="ours")
        ours, peers, empty = [], [], []
        for _ in range(repeats):
            ours.append(_link(session, which, steps, "ours"))
            empty.append(_link(session, "number", steps, "ours"))
            peers.append(_link(session, which, peer_steps, "local-dict"))
    yield Row(
        name=f"{which} link", unit="ms CPU", ours=median(ours), spread=spread(ours), peer=median(peers),
        peer_name="run_locally, dict store", target=f"ours <= {limit}", quick=quick,
        seconds=time.perf_counter() - began,
        note=f"worker and head in one process; a link that carries a number costs {median(empty):.2f} ms",
    )  # fmt: skip


def _link(session: Session, kind: str, steps: int, engine: str) -> float:
    """Milliseconds of one link: what a chain costs more than its first job alone."""
    alone = session.ask(kind=kind, steps=0, engine=engine)["cpu"]
    return float(1e3 * (session.ask(kind=kind, steps=steps, engine=engine)["cpu"] - alone) / steps)


def output_rows(*, quick: bool) -> Iterator[Row]:
    """Whether an output of 100 MB is accepted and reaches the next job."""
    for kind in ("array",) if quick else ("array", "text"):
        with Session("benchmarks.engine_payload") as session:
            session.ready()
            found = session.ask(kind=kind, engine="large")
        yield Row(
            name=f"output of {LARGE_MB} MB, {kind}", unit="MB accepted", ours=found["accepted"],
            peer=16, peer_name="a MongoDB document (published limit)", target=f"ours >= {LARGE_MB}",
            quick=quick, seconds=found["wall"],
            note=f"{found['wall']:.1f} s with the job that reads it, peak {found['peak_mb']:.0f} MB",
        )  # fmt: skip


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    from benchmarks.engine_peers import dict_job_store

    from zonemelt.workflows.engine.run import run_flow

    with tempfile.TemporaryDirectory(prefix="zonemelt-bench-") as scratch:
        place = Path(scratch, "campaign")
        if question["engine"] == "large":
            made = _LARGE[question["kind"]]()
            read = _length(made.output)
            with measured() as found:
                responses = run_flow(Flow([made, read]), site="inline", directory=place)
            entries = responses[read.uuid][1].output if read.uuid in responses else 0
            return {**found, "accepted": entries * (8 if question["kind"] == "array" else 1) / 1e6}
        flow = links(question["kind"], question["steps"])
        with measured() as found:
            if question["engine"] == "ours":
                run_flow(flow, site="inline", directory=place, ensure_success=True)
            else:
                run_locally(flow, store=dict_job_store(), root_dir=scratch, log=False, ensure_success=True)
        return dict(found)


if __name__ == "__main__":
    serve(_answer, arguments=sys.argv[1:])
