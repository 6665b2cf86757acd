"""Energies above the hull: what is published, and the speed for many candidates.

The crystals of MP-20 (T. Xie et al., ICLR 2022; Materials Project, CC BY 4.0), validation and test, of two or
three elements. Fewer competitors only lower an energy above the hull: it must never exceed what is published.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from benchmarks.data_files import absent, data, lines, table
from benchmarks.report import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.tasks.judge.hull import Phase

FOLDER: Final = "06_mp_hull"
CANDIDATES: Final = 100_000
STABLE: Final = {
    "Fe", "Fe2O3", "Fe3O4", "FeO", "Li", "Li2FeO3", "Li2O", "Li2O2", "Li5FeO4", "LiFeO2", "O2",
}  # fmt: skip
EXACT: Final = 1e-6  # eV/atom


def crystals(name: str) -> tuple[list[Phase], list[float]]:
    """Phases with their energies of formation, and their published energies above the hull, eV/atom."""
    from ase.data import chemical_symbols

    from zonemelt.tasks.judge.hull import Phase

    place = data(FOLDER, name)
    assert place is not None
    phases, published = [], []
    for one in lines(place):
        composition = Counter(chemical_symbols[number] for number in one["Z"])
        phases.append(Phase(str(one["id"]), composition, one["y"]["formation_energy_per_atom"]))
        published.append(float(one["y"]["e_above_hull"]))
    return phases, published


def rows(*, quick: bool) -> Iterator[Row]:
    """All measurements of the hull."""
    if data(FOLDER, "mp_20_biternary_val_test.jsonl.gz") is None:
        yield absent("hull", "", quick=quick)
        return
    yield from published_rows(quick=quick)
    yield stable_row(quick=quick)
    yield speed_row(quick=quick)


def published_rows(*, quick: bool) -> Iterator[Row]:
    """Every crystal of 700 random systems, with its competitors among the others."""
    from zonemelt.tasks.judge.hull import References

    phases, published = crystals("mp_20_biternary_val_test.jsonl.gz")
    above = dict(zip((one.identifier for one in phases), published, strict=True))
    systems = sorted({one.elements for one in phases}, key=sorted)
    some = np.random.default_rng(0).permutation(len(systems))[: 50 if quick else 700]
    chosen = {systems[index] for index in some}
    asked = [one for one in phases if one.elements in chosen]
    elements = {element for one in phases for element in one.composition}
    began = time.perf_counter()
    placed = list(References(phases, elements=elements).place(asked))
    excess = np.array([one.above_hull - above[one.identifier] for one in placed])
    told = f"of {len(placed)} crystals in {len(chosen)} systems; largest excess {excess.max():.1e} eV/atom"
    yield Row(
        name="never above the published energy above the hull", unit="share",
        ours=float((excess < EXACT).mean()), target="ours >= 1", seconds=time.perf_counter() - began,
        note=told, quick=quick,
    )  # fmt: skip
    yield Row(
        name="equal to the published one within 1 meV/atom", unit="share",
        ours=float((np.abs(excess) < 1e-3).mean()), quick=quick,
        note="the others have competitors that are not among these crystals",
    )  # fmt: skip


def stable_row(*, quick: bool) -> Row:
    """Li-Fe-O of pymatgen's tests: which phases are stable."""
    from pymatgen.core import Composition

    from zonemelt.tasks.judge.hull import ON_HULL, Phase, References

    phases = []
    for number, one in enumerate(table(FOLDER, "pdentries_test.csv") or []):
        composition = {el: float(one[el]) for el in ("Li", "Fe", "O") if float(one[el])}
        energy = float(one["Final energy"]) / sum(composition.values())
        phases.append(Phase(f"{number}", composition, energy))
    by_name = {one.identifier: one for one in phases}
    found = {
        Composition(dict(by_name[one.identifier].composition)).reduced_formula
        for one in References(phases).place(phases)
        if one.above_hull is not None and one.above_hull < ON_HULL
    }
    return Row(
        name="stable phases of Li-Fe-O that differ from pymatgen's", unit="phases",
        ours=float(len(found ^ STABLE)), target="ours <= 0", quick=quick,
        note=f"{len(phases)} entries, {len(found)} stable",
    )  # fmt: skip


def swapped(phases: list[Phase], count: int) -> list[Phase]:
    """Candidates: known crystals with one element swapped for another one of any crystal."""
    from zonemelt.tasks.judge.hull import Phase

    draw = np.random.default_rng(1)
    elements = sorted({element for one in phases for element in one.composition})
    found = []
    for number in range(count):
        one = phases[draw.integers(len(phases))]
        old = sorted(one.composition)[draw.integers(len(one.composition))]
        new = elements[draw.integers(len(elements))]
        composition: Counter[str] = Counter()
        for element, atoms in one.composition.items():
            composition[new if element == old else element] += int(atoms)
        found.append(Phase(f"c{number}", composition, one.energy + float(draw.normal(0, 0.1))))
    return found


def speed_row(*, quick: bool) -> Row:
    """Many candidates, on one core; beside a diagram for each of them."""
    from zonemelt.tasks.judge.hull import References

    phases = crystals("mp_20_biternary_val_test.jsonl.gz")[0] + crystals("mpts_52_val.jsonl.gz")[0]
    references = References(phases, elements={element for one in phases for element in one.composition})
    candidates = swapped(phases, CANDIDATES // (100 if quick else 1))
    systems = len({one.elements for one in candidates})
    wall, began = time.perf_counter(), time.process_time()
    placed: list[Any] = list(references.place(candidates))
    ours, wall = (time.process_time() - began) * CANDIDATES / len(candidates), time.perf_counter() - wall
    assert len(placed) == len(candidates)
    each = candidates[:200]
    began = time.process_time()
    for one in each:
        list(references.place([one]))
    peer = (time.process_time() - began) * CANDIDATES / len(each)
    return Row(
        name=f"{CANDIDATES} candidates on the hull", unit="s of processor time", ours=ours, peer=peer,
        peer_name="pymatgen, a diagram for each candidate", target="ours <= 600", seconds=wall, quick=quick,
        note=f"{len(references)} references of two releases, together for speed alone; {systems} systems; "
        "5 minutes of two cores are 600 s",
    )  # fmt: skip
