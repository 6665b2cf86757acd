"""Many candidates through a whole judgement: sifted, relaxed, looked at, compared, placed on the hull.

Ordered crystals of seven metals with atoms drawn at random, and a linear potential fitted to EMT: cheap, so
that what is measured is the judgement around it. Each size runs in a process of its own, whose largest
memory counts. Beside it stands the way by hand: ASE relaxes one crystal after the other with the same
potential, pymatgen's matcher compares it with those of its formula before it, and a phase diagram is built
for it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from benchmarks.report import ROOT, Row
from benchmarks.sessions import peak_mb as peak_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

METALS: Final = ("Al", "Ni", "Cu", "Pd", "Ag", "Pt", "Au")
CANDIDATES: Final = 2_000
BY_HAND: Final = 40
LABELS: Final = 100
RELAX: Final[dict[str, Any]] = {"force": 0.1, "steps": 12, "method": "lbfgs"}
BASIS: Final[dict[str, Any]] = {"cutoff": 4.0, "radial": 4, "degree": 1}


def potential(place: Path) -> str:
    """The folder of a linear potential of the seven metals."""
    from zonemelt.tasks.datasets import commit, write_part
    from zonemelt.tasks.label.by_ase import emt
    from zonemelt.tasks.label.settings import EmtSettings
    from zonemelt.tasks.potentials.fitting.jobs import linear_job
    from zonemelt.tasks.records import Geometry
    from zonemelt.tasks.rounds.collection import collection_job

    draw = np.random.default_rng(0)
    records = []
    for number, one in enumerate(crystals(LABELS, seed=1)):
        atoms = Geometry.model_validate(one["geometry"]).atoms()
        atoms.rattle(0.1, seed=number)
        atoms.set_cell(atoms.cell[:] * draw.uniform(0.92, 1.1), scale_atoms=True)
        records.append(emt(Geometry.of(atoms), EmtSettings(), identifier=str(number), workdir=place))
    data = place / "labels"
    version = commit(data, [write_part(data, records)], message="metals").hash
    shards = collection_job.original(
        dataset=str(data), version=version, directory=str(place / "shards"), cutoff=BASIS["cutoff"],
        validation=0.1, seed=0,
    )  # fmt: skip
    found = linear_job.original(**shards, basis=BASIS, directory=str(place / "potential"))
    return str(found["folder"])


def crystals(count: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Orderings of six to ten atoms on two lattices, with two to five of the metals on their sites."""
    from zonemelt.tasks.explore.derivative import LATTICES, superlattices
    from zonemelt.tasks.explore.orderings import molar_volumes
    from zonemelt.tasks.records import Geometry

    volumes, draw = molar_volumes(METALS), np.random.default_rng(seed)
    shapes = {size: superlattices(size) for size in range(6, 11)}
    found = []
    for number in range(count):
        lattice, size = ("fcc", "bcc")[draw.integers(2)], int(draw.integers(6, 11))
        some = draw.permutation(METALS)[: draw.integers(2, 6)].tolist()
        symbols = [*some, *draw.choice(some, size - len(some)).tolist()]
        shape = shapes[size][draw.integers(len(shapes[size]))]
        geometry = _ordered(shape, LATTICES[lattice], symbols, volumes)
        found.append({"identifier": f"c{number}", "geometry": Geometry.of(geometry).model_dump(mode="json")})
    return found


def _ordered(shape: Any, primitive: Any, symbols: list[str], volumes: dict[str, float]) -> Any:
    from ase import Atoms
    from ase.build import make_supercell

    atoms = make_supercell(Atoms("Al", cell=primitive, pbc=True), np.array(shape))
    atoms.set_chemical_symbols(symbols)
    volume = sum(volumes[symbol] for symbol in symbols)
    atoms.set_cell(atoms.cell[:] * (volume / atoms.get_volume()) ** (1 / 3), scale_atoms=True)
    return atoms


def references() -> list[dict[str, Any]]:
    """The metals themselves."""
    from ase.build import bulk

    from zonemelt.tasks.records import Geometry

    return [{"identifier": one, "geometry": Geometry.of(bulk(one)).model_dump(mode="json")} for one in METALS]


def judge(count: int, folder: str, hull: str) -> dict[str, float]:
    """Judge so many candidates in this process, and say what it cost."""
    from zonemelt.flows.judge import JudgeMaker
    from zonemelt.workflows.engine.run import run_flow

    given = crystals(count)
    with tempfile.TemporaryDirectory() as place:
        flow = JudgeMaker(
            potential=folder, references={"crystals": references()}, judging={"hull": hull},
            relax=RELAX, directory=str(Path(place, "work")),
        ).make(given)  # fmt: skip
        del given
        wall, began = time.perf_counter(), time.process_time()
        run_flow(flow, site="inline", directory=Path(place, "c"), ensure_success=True)
        spent, wall = time.process_time() - began, time.perf_counter() - wall
    return {"seconds": spent, "wall": wall, "peak": peak_memory()}


def by_hand(count: int, folder: str) -> float:
    """Processor seconds for one candidate, the way by hand."""
    from ase.filters import FrechetCellFilter
    from ase.optimize import LBFGS
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.io.ase import AseAtomsAdaptor

    from zonemelt.tasks.potentials.by_ase import calculator
    from zonemelt.tasks.potentials.load import load_potential
    from zonemelt.tasks.records import Geometry

    of_ase = calculator(load_potential(folder, dtype="float64"))

    def relaxed(document: dict[str, Any]) -> Any:
        atoms = Geometry.model_validate(document["geometry"]).atoms()
        atoms.calc = of_ase
        LBFGS(FrechetCellFilter(atoms), logfile=None).run(RELAX["force"], RELAX["steps"])
        return atoms

    def entry(atoms: Any) -> Any:
        return PDEntry(atoms.get_chemical_formula(), atoms.get_potential_energy())

    known = [entry(relaxed(one)) for one in references()]
    matcher, seen = StructureMatcher(), {}
    began = time.process_time()
    for one in crystals(count):
        atoms = relaxed(one)
        PhaseDiagram(known).get_e_above_hull(entry(atoms), allow_negative=True)
        structure = AseAtomsAdaptor.get_structure(atoms)
        before = seen.setdefault(structure.composition.reduced_formula, [])
        any(matcher.fit(structure, other) for other in before)
        before.append(structure)
    return (time.process_time() - began) / count


def rows(*, quick: bool) -> Iterator[Row]:
    """Rate, memory and shape."""
    count = CANDIDATES // (20 if quick else 1)
    with tempfile.TemporaryDirectory() as text:
        folder = potential(Path(text))
        hand = by_hand(BY_HAND // (10 if quick else 1), folder)
        small, large = (_apart(number, folder, "references") for number in (count // 10, count))
        among = _apart(count // 10, folder, "everything")
    seconds = small["seconds"] + large["seconds"]
    yield Row(
        name="candidates through a whole judgement", unit="1/s of processor time",
        ours=count / large["seconds"], peer=1 / hand,
        peer_name="ASE and pymatgen, one by one, with the same potential", seconds=seconds, quick=quick,
        note=f"{count:,} candidates of 6 to 10 atoms, {RELAX['steps']} steps at most; "
        f"{large['seconds']:.0f} s of processor time, {large['wall']:.0f} s on the clock",
    )  # fmt: skip
    yield Row(
        name="a whole judgement, time for ten times as many candidates", unit="times",
        target="ours <= 13", quick=quick,
        ours=large["seconds"] / small["seconds"], note=f"{count // 10:,} and {count:,}",
    )  # fmt: skip
    yield Row(
        name="largest memory", unit="MB", ours=large["peak"], quick=quick,
        note=f"of the one process that does all; {small['peak']:.0f} MB for {count // 10:,} candidates,"
        " most of it libraries",
    )  # fmt: skip
    yield Row(
        name="candidates through a judgement in which they compete", unit="1/s of processor time",
        ours=count / 10 / among["seconds"], peer=count / 10 / small["seconds"], quick=quick,
        peer_name="against references alone", note=f"{count // 10:,} candidates",
    )  # fmt: skip


def _apart(count: int, folder: str, hull: str) -> dict[str, float]:
    """In a process of its own."""
    asked = [sys.executable, "-m", "benchmarks.discovery_screen", str(count), folder, hull]
    done = subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    print(json.dumps(judge(int(sys.argv[1]), sys.argv[2], sys.argv[3])))
