"""How fast compositions and structures are described, beside matminer and dscribe in the same run.

All rates are per second of processor time of one thread. Formulas and structures are those of matbench, or
where they are absent, generated ones.
"""

from __future__ import annotations

import time
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from benchmarks.data_files import atoms_of, data, lines, table
from benchmarks.report import Row, median, say, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zonemelt.tasks.crystals import Crystals

SEED = 7


def rows(quick: bool) -> list[Row]:
    """Rows of all descriptors."""
    found = [*_compositions(quick=quick), *_structures(quick=quick)]
    for row in found:
        row.quick = quick
    return found


def _compositions(*, quick: bool) -> Iterator[Row]:
    from pymatgen.core import Composition

    from zonemelt.tasks.featurize.formulas import parse
    from zonemelt.tasks.featurize.magpie import magpie, ward

    formulas, origin = _formulas(20_000 if quick else 130_000)
    few = formulas[:: len(formulas) // (200 if quick else 2000)]
    many = formulas[:: len(formulas) // 5000]  # more than the 512 that pymatgen keeps
    compositions, some = parse(formulas).compositions, [Composition(formula) for formula in few]
    featurize = _matminer("composition", "ElementProperty", preset="magpie")
    yield _row(
        "Magpie, 132 numbers", "compositions/s", len(formulas), lambda: magpie(compositions),
        peer=None if featurize is None else (len(some), lambda: [featurize(one) for one in some]),
        peer_name="matminer", target="ours >= 50000", note=origin,
    )  # fmt: skip
    yield _row(
        "formulas read", "formulas/s", len(formulas), lambda: parse(formulas),
        peer=(len(many), lambda: [Composition(formula) for formula in many]),
        peer_name="pymatgen", target="ours >= 50000", note=origin,
    )  # fmt: skip
    yield _row(
        "Magpie from formulas", "formulas/s", len(formulas), lambda: magpie(parse(formulas).compositions),
        peer=None if featurize is None
        else (len(few), lambda: [featurize(Composition(formula)) for formula in few]),
        peer_name="pymatgen + matminer", target="ours >= 50000", note=origin,
    )  # fmt: skip
    yield _row("Ward, the other 16", "compositions/s", len(formulas), lambda: ward(compositions), note=origin)


def _structures(*, quick: bool) -> Iterator[Row]:
    from pymatgen.io.ase import AseAtomsAdaptor

    from zonemelt.tasks.featurize.acsf import acsf
    from zonemelt.tasks.featurize.bonds import bonds
    from zonemelt.tasks.featurize.radial import radial
    from zonemelt.tasks.featurize.soap import soap
    from zonemelt.tasks.featurize.structural import densities, structural

    crystals, origin = _crystals(100 if quick else 1000)
    number = len(crystals)
    few = [AseAtomsAdaptor.get_structure(crystals.atoms(row)) for row in range(0, number, 10)]
    bonds(crystals)  # compiled once
    density = _matminer("structure", "DensityFeatures")
    symmetry = _matminer("structure", "GlobalSymmetryFeatures")
    distribution = _matminer("structure", "RadialDistributionFunction", cutoff=10.0)
    peers = None if density is None else [density, symmetry, *_site_statistics()]
    yield _row(
        "density, symmetry, bonds", "structures/s", number, lambda: structural(crystals),
        peer=None if peers is None else (len(few), lambda: [[each(one) for each in peers] for one in few]),
        peer_name="matminer", note=f"{origin}; spglib's search for symmetry takes most of it",
    )  # fmt: skip
    yield _row(
        "density, bonds", "structures/s", number, lambda: (densities(crystals), bonds(crystals)),
        peer=None if peers is None
        else (len(few), lambda: [[each(one) for each in (peers[0], *peers[2:])] for one in few]),
        peer_name="matminer", note=origin,
    )  # fmt: skip
    yield _row(
        "radial distribution, 10 Å", "structures/s", number, lambda: radial(crystals, cutoff=10.0),
        peer=None if distribution is None else (len(few), lambda: [distribution(one) for one in few]),
        peer_name="matminer", note=origin,
    )  # fmt: skip
    alloys = _alloys(20 if quick else 200)
    for name, kind in (("SOAP", soap), ("ACSF", acsf)):
        yield _row(
            f"{name}, 2 elements, 5 Å", "atoms/s", len(alloys.numbers_A),
            lambda kind=kind: kind(alloys, elements=["Al", "Au"], cutoff=5.0),
            note="dscribe's rate, through our call; cells of 8 atoms, no peer",
        )  # fmt: skip


def _row(
    name: str,
    unit: str,
    count: int,
    work: Callable[[], Any],
    *,
    peer: tuple[int, Callable[[], Any]] | None = None,
    **more: Any,
) -> Row:
    """Ours and the peer's in turn, three times, so that both see the same noise."""
    began = time.perf_counter()
    ours, peers = [], []
    for _ in range(3):
        ours.append(_rate(count, work))
        if peer:
            peers.append(_rate(*peer))
    seconds = time.perf_counter() - began
    say(f"{name}: {seconds:.1f} s")
    if not peer:
        more["peer_name"] = ""
    return Row(
        name=name, unit=unit, ours=median(ours), spread=spread(ours), seconds=seconds,
        peer=median(peers) if peers else None, **more,
    )  # fmt: skip


def _rate(count: int, work: Callable[[], Any]) -> float:
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        work()
    return count / (time.process_time() - began)


def _matminer(room: str, name: str, *, preset: str | None = None, **options: Any) -> Any:
    """What a featurizer of matminer does with one material; None without matminer."""
    if find_spec("matminer") is None:
        return None
    from importlib import import_module

    kind = getattr(import_module(f"matminer.featurizers.{room}"), name)
    return (kind.from_preset(preset, **options) if preset else kind(**options)).featurize


def _site_statistics() -> list[Any]:
    from matminer.featurizers.site import AverageBondLength, CoordinationNumber
    from matminer.featurizers.structure import SiteStatsFingerprint
    from pymatgen.core.local_env import MinimumDistanceNN

    kinds = (CoordinationNumber, AverageBondLength)
    return [SiteStatsFingerprint(kind(MinimumDistanceNN())).featurize for kind in kinds]


def _formulas(number: int) -> tuple[list[str], str]:
    rows = table("02_matbench", "composition", "matbench_mp_e_form.csv.gz")
    if rows is not None:
        return [row["formula"] for row in rows[:number]], "matbench_mp_e_form"
    from ase.data import chemical_symbols

    generator = np.random.default_rng(SEED)
    made = []
    for _ in range(number):
        symbols = generator.choice(chemical_symbols[1:95], generator.integers(1, 6), replace=False)
        made.append("".join(f"{symbol}{generator.integers(1, 13)}" for symbol in symbols))
    return made, "random formulas: no matbench_mp_e_form"


def _crystals(number: int) -> tuple[Crystals, str]:
    from ase.build import bulk

    from zonemelt.tasks.crystals import Crystals

    path = data("02_matbench", "structures", "matbench_phonons_full.jsonl.gz")
    if path is not None:
        return Crystals.of_atoms(map(atoms_of, lines(path, number))), "matbench_phonons"
    generator = np.random.default_rng(SEED)
    salts = [bulk("NaCl", "rocksalt", 5.64).repeat((1, 2, 2)) for _ in range(number)]
    for atoms in salts:
        atoms.rattle(0.05, rng=generator)
    return Crystals.of_atoms(salts), "rattled salt: no matbench_phonons"


def _alloys(number: int) -> Crystals:
    from ase.build import bulk

    from zonemelt.tasks.crystals import Crystals

    generator = np.random.default_rng(SEED)
    made = [bulk("Al", "fcc", 4.05).repeat(2) for _ in range(number)]
    for atoms in made:
        atoms.numbers[generator.random(len(atoms)) < 0.5] = 79
        atoms.rattle(0.05, rng=generator)
    return Crystals.of_atoms(made)
