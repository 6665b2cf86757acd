"""How fast neighbours are found, beside what others use, in the same run.

All rates are per second of processor time of one thread, on crystals that are in memory: the 1,265 cells of
matbench's phonons, as they are and repeated to larger ones.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from benchmarks.data_files import absent, atoms_of, data, lines
from benchmarks.report import Row, median, say, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zonemelt.tasks.crystals import Crystals

CUTOFF, K = 8.0, 12  # CGCNN's


def rate(count: int, work: Callable[[], Any]) -> float:
    """How many a second of processor time."""
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        work()
    return count / (time.process_time() - began)


def rows(quick: bool) -> list[Row]:
    """Rows of all graphs."""
    path = data("02_matbench", "structures", "matbench_phonons_full.jsonl.gz")
    if path is None:
        return [absent("CGCNN graphs", "structures/s", quick=quick)]
    found = list(_rows([atoms_of(line) for line in lines(path)], quick=quick))
    for row in found:
        row.quick = quick
    return found


def _rows(phonons: list[Any], *, quick: bool) -> Iterator[Row]:
    from zonemelt.tasks.crystals import Crystals

    large = [atoms for atoms in phonons if len(atoms) > 20]
    sets = {
        "phonon cells": phonons,
        "cells of about 30 atoms": [_repeated(atoms, 30) for atoms in phonons[: 200 if quick else 600]],
        "cells of about 300 atoms": [_repeated(atoms, 300) for atoms in phonons[: 20 if quick else 100]],
    }
    if not quick:
        sets["cells of about 3,000 atoms"] = [_repeated(atoms, 3000) for atoms in large[:10]]
    for name, structures in sets.items():
        crystals = Crystals.of_atoms(structures)
        yield from _of_set(name, structures, crystals, quick=quick)


def _repeated(atoms: Any, size: int) -> Any:
    """The cell repeated along its shortest vectors until it has about so many atoms."""
    repeats = np.ones(3, int)
    while len(atoms) * np.prod(repeats) < size / 1.3:
        repeats[np.argmin(atoms.cell.lengths() * repeats)] += 1
    return atoms.repeat(repeats)


def _of_set(name: str, structures: list[Any], crystals: Crystals, *, quick: bool) -> Iterator[Row]:
    from zonemelt.tasks.featurize.neighbours import nearest, within

    nearest(crystals.take(slice(0, 2)), cutoff=CUTOFF, k=K)  # compiles
    count = len(crystals)
    ours: dict[str, Callable[[], Any]] = {
        "nearest": lambda: nearest(crystals, cutoff=CUTOFF, k=K),
        "within": lambda: within(crystals, cutoff=CUTOFF),
    }
    small = name == "phonon cells"
    peers = {**_peers(crystals), **(_slow_peers(structures[:: 10 if quick else 4]) if small else {})}
    rates: dict[str, list[float]] = {key: [] for key in (*ours, *peers)}
    began = time.perf_counter()
    for turn in range(3):  # all in turn, so that all see the same noise
        for key, work in ours.items():
            rates[key].append(rate(count, work))
        for key, (some, work) in peers.items():
            if turn == 0 or key not in _SLOW:
                rates[key].append(rate(some, work))
    seconds = time.perf_counter() - began
    say(f"{name}: {seconds:.1f} s")
    atoms = f"{crystals.sizes_G.mean():.1f} atoms in the mean"
    bare = "vesin, all within 8 Å, nothing selected"
    targets = {bare: "ours >= 10000" if small else "ratio >= 1"}
    for key in peers:
        yield Row(
            name=f"CGCNN graphs (8 Å, 12 nearest), {name}, against {key}", unit="structures/s",
            ours=median(rates["nearest"]), spread=spread(rates["nearest"]), peer=median(rates[key]),
            peer_name=key, target=targets.get(key, ""), seconds=seconds, note=atoms if key == bare else "",
        )  # fmt: skip
    yield Row(
        name=f"graphs of all within 8 Å, {name}", unit="structures/s", ours=median(rates["within"]),
        spread=spread(rates["within"]), peer=median(rates[bare]), peer_name=bare, seconds=seconds,
    )  # fmt: skip


def _peers(crystals: Crystals) -> dict[str, tuple[int, Callable[[], Any]]]:
    from vesin import NeighborList

    search = NeighborList(cutoff=CUTOFF, full_list=True, sorted=True, n_threads=1)
    systems = [
        (crystals.positions_A3[a:b], cell)
        for a, b, cell in zip(crystals.first_G[:-1], crystals.first_G[1:], crystals.cells_G33, strict=True)
    ]

    def bare() -> None:
        for positions, cell in systems:
            search.compute(positions, cell, True, "PSd", copy=False)

    def selected() -> None:
        for positions, cell in systems:
            pairs, shifts, lengths = search.compute(positions, cell, True, "PSd", copy=False)
            order = np.lexsort((lengths, pairs[:, 0]))
            centres = pairs[order, 0]
            first = np.searchsorted(centres, np.arange(len(positions)))
            chosen = order[np.arange(len(centres)) - first[centres] < K]
            _ = pairs[chosen], shifts[chosen], lengths[chosen]

    found: dict[str, tuple[int, Callable[[], Any]]] = {
        "vesin, all within 8 Å, nothing selected": (len(systems), bare),
        "vesin and numpy": (len(systems), selected),
    }
    if find_spec("matscipy"):
        from matscipy.neighbours import neighbour_list

        pbc = np.ones(3, bool)
        found["matscipy, all within 8 Å, nothing selected"] = (
            len(systems),
            lambda: [neighbour_list("ijdS", cell=c, positions=p, pbc=pbc, cutoff=CUTOFF) for p, c in systems],
        )
    with contextlib.suppress(ImportError):
        found["nvalchemi, all within 8 Å, 300 a batch, nothing selected"] = (
            len(systems),
            _nvalchemi(crystals),
        )
    return found


def _nvalchemi(crystals: Crystals) -> Callable[[], Any]:
    import torch
    from nvalchemiops.torch.neighbors import batch_naive_neighbor_list

    from zonemelt.tasks.featurize.neighbours import within

    torch.set_num_threads(1)
    most = int(within(crystals, cutoff=CUTOFF).counts_A.max())
    batches = []
    for start in range(0, len(crystals), 300):
        some = crystals.take(slice(start, start + 300))
        batches.append((
            torch.tensor(some.positions_A3), CUTOFF, None, torch.tensor(some.first_G).int(),
            torch.tensor(some.periodic_G3), torch.tensor(some.cells_G33), most,
        ))  # fmt: skip
    batch_naive_neighbor_list(*batches[0], return_neighbor_list=True)  # compiles
    return lambda: [batch_naive_neighbor_list(*batch, return_neighbor_list=True) for batch in batches]


_CGCNN = "CGCNN's loader: pymatgen get_all_neighbors, sorted"
_SLOW = (_CGCNN,)


def _slow_peers(structures: list[Any]) -> dict[str, tuple[int, Callable[[], Any]]]:
    from pymatgen.io.ase import AseAtomsAdaptor

    found = [AseAtomsAdaptor.get_structure(atoms) for atoms in structures]

    def cgcnn() -> None:
        for structure in found:
            around = structure.get_all_neighbors(CUTOFF, include_index=True)
            around = [sorted(one, key=lambda neighbour: neighbour[1]) for one in around]
            for one in around:
                _ = [neighbour[2] for neighbour in one[:K]], [neighbour[1] for neighbour in one[:K]]

    return {
        _CGCNN: (len(found), cgcnn),
        "pymatgen get_neighbor_list, all within 8 Å, nothing selected": (
            len(found),
            lambda: [structure.get_neighbor_list(CUTOFF) for structure in found],
        ),
    }
