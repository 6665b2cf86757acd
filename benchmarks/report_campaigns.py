"""A large discovery as a ledger would know it, for the benchmark of reports."""

from __future__ import annotations

import json
import random
import time
import uuid
from typing import TYPE_CHECKING, Any

from benchmarks.engine_graphs import same_job
from benchmarks.report import say

from zonemelt.workflows.engine.circumstances import Circumstances, digest_of
from zonemelt.workflows.engine.commit import commit_plain
from zonemelt.workflows.engine.graph import JobRow, job_rows
from zonemelt.workflows.engine.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zonemelt.workflows.engine.results import Result

ROUNDS = 10
_ELEMENTS = ("Li", "Na", "Mg", "Al", "Si", "Ti", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "O", "S", "P", "F")
_CHUNK = 200  # verdicts in the output of one job
_POOLS = {"cpu": 24, "gpu": 8, "dft": 64}  # pool → workers
_STEPS = (  # function, pool, seconds, of how many of 100 jobs
    ("zonemelt.tasks.label.jobs.label_job", "dft", 900.0, 55),
    ("zonemelt.tasks.atomistic.jobs.relax_job", "gpu", 240.0, 25),
    ("zonemelt.tasks.judge.verdict_jobs.examine_job", "cpu", 30.0, 10),
    ("zonemelt.tasks.train.jobs.train_job", "gpu", 1200.0, 10),
)
_WORDS = ("stable", "metastable", "unstable", "unstable", "unstable", "collapsed", "unconverged", "invalid")
_HOSTILE = "</script><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def record_discovery(place: Path, *, jobs: int, candidates: int, hostile: bool = False) -> int:
    """Let a ledger know a discovery as if it had run.

    Args:
        place: of the campaign; must not exist.
        jobs: how many, about.
        candidates: verdicts in outputs.
        hostile: let names, formulas and errors hold HTML that would run.

    Returns:
        How many jobs it has.
    """
    say(f"a discovery of {jobs} jobs and {candidates} candidates")
    draw = random.Random(0)
    place.mkdir(parents=True)
    ledger, here = Ledger(place), Circumstances()
    under = here.name("no source")
    rows = list(_rows(jobs, draw, hostile=hostile))
    with ledger.transaction():
        ledger.put("name", _HOSTILE if hostile else "discovery")
        ledger.put("status", "finished")
        ledger.put("node_hours", 1234.5)
        ledger.describe(here.untold(place, under))
        ledger.event("submitted", jobs=len(rows))
        ids = ledger.insert(rows)
        ledger.mark_running(ids)
        found = _results(ids, rows, candidates, draw, under=under, hostile=hostile)
        some: list[Result] = []
        for result in found:
            some.append(result)
            if len(some) == 200:
                commit_plain(ledger, some)
                some = []
        commit_plain(ledger, some)
        _spoil(ledger, ids, draw, hostile=hostile)
    ledger.close()
    return len(rows)


def _rows(jobs: int, draw: random.Random, *, hostile: bool) -> Iterator[JobRow]:
    template = job_rows(same_job(1))[0]
    kinds = [step for step in _STEPS for _ in range(step[3])]
    for number in range(jobs):
        kind = draw.choice(kinds)
        name = _HOSTILE if hostile and number % 50 == 0 else f"{kind[0].rpartition('.')[2]} {number}"
        yield template._replace(uuid=str(uuid.UUID(int=draw.getrandbits(128))), name=name, kind=kind[0])


def _results(
    ids: list[int], rows: list[JobRow], candidates: int, draw: random.Random, *, under: str, hostile: bool
) -> Iterator[Result]:
    outputs = _outputs(candidates, draw, hostile=hostile)
    step = {one[0]: one for one in _STEPS}
    free = {pool: [0.0] * workers for pool, workers in _POOLS.items()}
    begin = time.time() - 200_000
    for job, row in zip(ids, rows, strict=True):
        _, pool, seconds, _ = step[row.kind]
        worker = min(range(len(free[pool])), key=free[pool].__getitem__)
        start = free[pool][worker] + draw.expovariate(1 / 20)
        end = free[pool][worker] = start + seconds * draw.uniform(0.5, 1.5)
        document = json.dumps(
            {
                "uuid": row.uuid, "index": 1, "output": next(outputs, None), "metadata": {}, "hosts": [],
                "name": row.name,
            },
            separators=(",", ":"),
        )  # fmt: skip
        yield {
            "ok": True, "job": job, "attempt": 1, "uuid": row.uuid, "index": 1, "document": document,
            "start": begin + start, "end": begin + end, "host": f"{pool}{worker // 8:03}", "pid": worker,
            "under": under, "given": digest_of(row.body.encode()), "made": digest_of(document.encode()),
        }  # fmt: skip


def _outputs(candidates: int, draw: random.Random, *, hostile: bool) -> Iterator[Any]:
    """Chunks of verdicts, then rounds, then labels."""
    for at in range(0, candidates, _CHUNK):
        some = [verdict(n, draw, hostile=hostile) for n in range(at, min(at + _CHUNK, candidates))]
        yield {"verdicts": some, "counts": {}, "references": {"crystals": 100, "lost": []}}
    for number in range(ROUNDS + 1):
        yield round_of(number, draw, hostile=hostile)
    while True:
        yield label(draw)


def crystal(draw: random.Random) -> tuple[str, dict[str, Any]]:
    """A formula and a cubic cell with a few atoms at random."""
    system = sorted(draw.sample(_ELEMENTS, draw.choice((2, 2, 3, 3, 4))))
    counts = {element: draw.randint(1, 4) for element in system}
    symbols = [element for element, count in counts.items() for _ in range(count)]
    length = 2.6 * len(symbols) ** (1 / 3)
    geometry = {
        "cell": [[length, 0.0, 0.0], [0.0, length, 0.0], [0.0, 0.0, length]],
        "symbols": symbols,
        "positions": [[draw.uniform(0, length) for _ in range(3)] for _ in symbols],
        "periodic": [True, True, True],
        "supercell": None,
    }
    formula = "".join(f"{element}{count if count > 1 else ''}" for element, count in counts.items())
    return formula, geometry


def verdict(number: int, draw: random.Random, *, hostile: bool = False) -> dict[str, Any]:
    """A verdict as a document, see :class:`.Verdict`."""
    formula, geometry = crystal(draw)
    word = draw.choice(_WORDS)
    low, high = {"stable": (-0.05, 0.0), "metastable": (0.0, 0.1)}.get(word, (0.1, 0.8))
    above = draw.uniform(low, high) if word not in {"invalid", "collapsed"} else None
    formation = draw.uniform(-1.0, 0.3)
    name = f"{formula}-flow-{number:07x}"
    return {
        "identifier": _HOSTILE + name if hostile and number % 3 == 0 else name,
        "formula": _HOSTILE if hostile and number % 7 == 0 else formula,
        "geometry": geometry, "energy_per_atom": formation - 4.0, "formation_energy": formation,
        "above_hull": above, "deviation": draw.uniform(0.005, 0.08), "probability": draw.random(),
        "valid": word != "invalid", "group": name, "novel": draw.random() > 0.2,
        "converged": word != "unconverged", "left_basin": draw.random() > 0.9,
        "space_group": draw.randint(1, 230),
        "origin": {"explorer": _HOSTILE if hostile else "flow", "parent": "", "settings": {}},
        "label": None, "properties": {}, "verdict": word, "reasons": [],
    }  # fmt: skip


def label(draw: random.Random) -> dict[str, Any]:
    """A record as a document."""
    formula, geometry = crystal(draw)
    good = draw.random() > 0.05
    return {
        "identifier": f"{formula}-{draw.getrandbits(32):08x}", "geometry": geometry,
        "energy_free": -4.0 * len(geometry["symbols"]), "forces": None,
        "theory": {"code": "quantum-espresso", "version": "7.4", "functional": "PBE", "is_dft": True},
        "provenance": {"kind": "computed", "oracle": "qe", "seconds": 900.0, "cpu_seconds": 25_000.0},
        "quality": {"accepted": good, "reasons": [] if good else ["the electronic steps did not converge"]},
    }  # fmt: skip


def round_of(number: int, draw: random.Random, *, hostile: bool = False) -> dict[str, Any]:
    """The document of a round, with what a discovery has come to in it."""
    found = []
    for _ in range(20 * number):
        formula, geometry = crystal(draw)
        above = draw.uniform(0.0, 0.15)
        found.append({
            "identifier": f"{formula}-{draw.getrandbits(32):08x}", "round": number,
            "formula": _HOSTILE if hostile else formula,
            "label": "", "geometry": geometry, "origin": None, "energy_per_atom": -4.0,
            "formation_energy": draw.uniform(-0.8, 0.0), "above_hull": above,
            "predicted_above_hull": above + draw.gauss(0, 0.03), "deviation": 0.03, "force": 0.02,
            "confirmed": above < 0.03, "reasons": [], "properties": {}, "predicted": [],
        })  # fmt: skip
    points = []
    for one in found:
        counts: dict[str, float] = {}
        for symbol in one["geometry"]["symbols"]:
            counts[symbol] = counts.get(symbol, 0) + 1
        points.append({
            "identifier": one["identifier"], "composition": counts, "above_hull": one["above_hull"],
            "formation_energy": one["formation_energy"], "seed": draw.random() > 0.7,
        })  # fmt: skip
    funnel = dict(zip(_FUNNEL, (10_000, 8000, 6000, 4000, 900, 100, 95, 30), strict=True))
    error = 0.2 / (1 + number)
    return {
        "round": number, "records": 100 * number, "quarantine": 0, "accepted": [], "refused": {},
        "failed": [], "pending": {}, "uncertainty": None, "surprise": None,
        "heldout": {
            "energy mae (eV/atom)": error, "energy rmse (eV/atom)": 1.4 * error, "miscalibration": 0.1,
        },
        "spent": {
            "labels": 100 * number, "asked": 100 * number, "node_hours": 80.0 * number, "cpu_hours": 0.0,
        },
        "discovery": {
            "target": {}, "described": "stable oxides", "oracle": "qe", "funnel": funnel,
            "discoveries": found, "hull": points, "factor": 1.2,
            "lessons": [{"model": "potential", "labels": 100 * number, "new": 100,
                         "errors": {"energy mae (eV/atom)": error}, "metrics": {}}],
        },
    }  # fmt: skip


_FUNNEL = ("generated", "valid", "unique", "novel", "stable", "chosen", "labelled", "confirmed")


def _spoil(ledger: Ledger, ids: list[int], draw: random.Random, *, hostile: bool) -> None:
    """Pools, attempts that failed, and jobs that failed for good."""
    for name, pool, _, _ in _STEPS:
        ledger.connection.execute("UPDATE jobs SET pool = ? WHERE kind = ?", (pool, name))
    message = _HOSTILE if hostile else "the node went down"
    for job in draw.sample(ids, len(ids) // 50):
        over = draw.random() < 0.3
        start = time.time() - 100_000 * draw.random()
        ledger.event(
            "failed" if over else "retry", job, attempt=1, start=start, end=start + 60, host="dft000", pid=0,
            cause=draw.choice(("infrastructure", "walltime", "application")), error="RuntimeError",
            message=message,
        )  # fmt: skip
        if over:
            ledger.connection.execute("UPDATE jobs SET state = 5 WHERE id = ?", (job,))
