"""Linear potentials on mlearn: ``python -m benchmarks.potentials_mlearn [--quick] [--json]``.

Official training and test parts of Y. Zuo et al., J. Phys. Chem. A 124, 731 (2020), as the JARVIS leaderboard
has them; one configuration for all elements. Sixteen training structures are held out to choose the ridge;
the test part is judged once. The data are looked for in ``$ZONEMELT_DATA``, else in ``../shared/data``.
"""

from __future__ import annotations

import argparse
import gzip
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from benchmarks.learn_shallow import data
from benchmarks.report import Row, as_json, as_table, machine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zonemelt.tasks.train.properties import Labelled

HELD, SEED = 16, 0
# Least force errors on the test parts among the leaderboard's rows, eV/Å.
PUBLISHED: Final = {
    "Cu": (0.0177, "MatGL"), "Ni": (0.062, "SNAP"), "Li": (0.027, "SNAP"), "Si": (0.0694, "ALIGNN-FF"),
}  # fmt: skip


def rows(quick: bool) -> Iterator[Row]:
    """Force and energy errors of each element."""
    for element in ("Cu",) if quick else PUBLISHED:
        places = [data("04_mlearn", f"{element}_{part}.extxyz.gz") for part in ("train", "test")]
        if None in places:
            absent = "the data are absent: set ZONEMELT_DATA"
            yield Row(name=f"mlearn {element}", unit="eV/Å", quick=quick, note=absent)
            continue
        yield from _element(element, [place for place in places if place is not None], quick=quick)


def _element(element: str, places: Sequence[Path], *, quick: bool) -> Iterator[Row]:
    from ase.io import read

    from zonemelt.tasks.potentials.fitting.linear_fit import fit_linear
    from zonemelt.tasks.potentials.linear import Basis
    from zonemelt.tasks.theory import Theory

    parts = []
    for place in places:
        with gzip.open(place, "rt", encoding="utf-8") as file:
            parts.append(read(file, ":", format="extxyz"))
    train, test = ([*part[:: 8 if quick else 1]] for part in parts)
    basis = Basis(cutoff=5.0, radial=6, degree=4)
    order = np.random.default_rng(SEED).permutation(len(train))
    split = {
        "train": np.sort(order[HELD:]), "validation": np.sort(order[:HELD]),
        "test": np.arange(len(train), len(train) + len(test)),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        card = fit_linear(
            _labelled([*train, *test], basis, Path(folder, "graphs")), split, basis,
            theory=Theory(code="vasp", functional="PBE"), directory=Path(folder, "linear"),
        )  # fmt: skip
        seconds = time.process_time() - began
    published, whose = PUBLISHED[element]
    note = f"{len(train)} training and {len(test)} test structures, ridge {card.ridge:g}, {seconds:.0f} CPU s"
    common: dict[str, Any] = {"seconds": seconds, "quick": quick, "note": note}
    found = {name: value for name, value in card.metrics.items() if name.startswith("test")}
    force = next(value for name, value in found.items() if "forces" in name and "mae" in name)
    energy = next(value for name, value in found.items() if "energy" in name and "mae" in name)
    yield Row(
        name=f"mlearn {element}, forces, MAE", unit="eV/Å", ours=force, peer=published,
        peer_name=f"{whose} (JARVIS leaderboard)", target=f"ours <= {published}", **common,
    )  # fmt: skip
    yield Row(
        name=f"mlearn {element}, energy, MAE", unit="meV/atom", ours=1000 * energy,
        target="ours <= 5" if element == "Si" else "", **common,
    )  # fmt: skip


def _labelled(frames: Sequence[Any], basis: Any, folder: Path) -> Labelled:
    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.featurize.graphs import Edges
    from zonemelt.tasks.shards.files import write_shard
    from zonemelt.tasks.shards.shard_set import ShardSet, write_index
    from zonemelt.tasks.train.properties import Labelled

    energies = np.array([one.get_potential_energy() for one in frames])
    sizes = np.array([len(one) for one in frames])
    entry = write_shard(
        folder, Crystals.of_atoms(frames), Edges(cutoff=basis.cutoff, k=None),
        labels_G={"energy_free": energies, "stress": np.full((len(frames), 3, 3), np.nan)},
        labels_A={"forces": np.concatenate([one.get_forces() for one in frames])},
    )  # fmt: skip
    write_index(folder, [entry])
    shards = ShardSet(folder)
    return Labelled(
        source=shards,
        names_N=[str(number) for number in range(len(frames))],
        costs_N=shards.edges_G,
        elements_N=[frozenset(one.get_chemical_symbols()) for one in frames],
        values_NP=(energies / sizes)[:, None],
        properties=(("energy_free_per_atom", "eV/atom"),),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.potentials_mlearn", description=__doc__.split(":")[0]
    )
    parser.add_argument("--quick", action="store_true", help="numbers not to be quoted")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    given = parser.parse_args(arguments)
    about = machine()
    found = list(rows(given.quick))
    print(as_json(found, about=about) if given.json else as_table(found))


if __name__ == "__main__":
    main()
