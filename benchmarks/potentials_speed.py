"""Foundation potentials in batches beside plain ASE: ``python -m benchmarks.potentials --only speed``.

Both sides run the same weights, in single precision, on one thread, in this process, on the same structures:
ours in batches, theirs through the calculator of the model's package, one structure at a time. CPU seconds
are counted, so that what else runs on the machine matters less.
"""

from __future__ import annotations

import contextlib
import sys
import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from benchmarks.data_files import absent, atoms_of, data, lines
from benchmarks.report import Row, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FORCE = 0.05  # eV/Å
STEPS = 60


def structures(quick: bool) -> list[Any]:
    """Small crystals, a few percent from their equilibrium."""
    from ase.build import bulk

    kinds = [
        ("NaCl", "rocksalt", 5.7), ("MgO", "rocksalt", 4.25), ("GaAs", "zincblende", 5.75),
        ("Si", "diamond", 5.5), ("Cu", "fcc", 3.65), ("CsCl", "cesiumchloride", 4.2),
        ("LiF", "rocksalt", 4.1), ("Al", "fcc", 4.1),
    ]  # fmt: skip
    chosen = []
    repeats = [(1, 1, 1), (1, 1, 2), (1, 1, 2), (1, 2, 2)]
    for symbol, kind, a in kinds[:3] if quick else kinds:
        for repeat in repeats[:2] if quick else repeats:
            atoms = bulk(symbol, kind, a=1.02 * a).repeat(repeat)
            atoms.rattle(0.08, seed=len(chosen))
            chosen.append(atoms)
    return chosen


def their_calculator(name: str) -> Any:
    """The calculator of the model's own package."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name.startswith("chgnet"):
            from chgnet.model import CHGNet, CHGNetCalculator

            with contextlib.redirect_stdout(sys.stderr):  # it greets; standard output is for the report
                model = CHGNet.load(model_name=name.removeprefix("chgnet-"), use_device="cpu", verbose=False)
                return CHGNetCalculator(model, use_device="cpu")
        from sevenn.calculator import SevenNetCalculator

        return SevenNetCalculator(name.replace("sevennet", "7net"), device="cpu")


def seconds_of(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of this process, and what came out."""
    started = time.process_time()
    answer = work()
    return time.process_time() - started, answer


def rows(quick: bool) -> Iterator[Row]:
    """Of each model, and of vibrations."""
    for name in ["chgnet-0.3.0"] if quick else ["chgnet-0.3.0", "sevennet-0"]:
        yield from model_rows(name, quick)
    yield from vibration_rows(quick)


def model_rows(name: str, quick: bool) -> Iterator[Row]:
    """Energies and forces, and relaxations, of one model."""
    from zonemelt.tasks.atomistic.relax import RelaxSettings, relax
    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.potentials.load import load_potential

    say(name)
    ours, theirs = load_potential(name), their_calculator(name)
    some = structures(quick)
    crystals = Crystals.of_atoms(some)
    atoms = int(crystals.first_G[-1])

    def one_by_one() -> list[Any]:
        answers = []
        for one in some:
            one.calc = theirs
            answers.append(one.get_forces())
            one.calc = None
        return answers

    ours.evaluate(crystals.take(slice(0, 2)))  # what is compiled at the first call
    some[0].calc = theirs
    some[0].get_forces()
    mine, found = min(
        (seconds_of(lambda: ours.evaluate(crystals)) for _ in range(3)), key=lambda pair: pair[0]
    )
    plain, forces = min((seconds_of(one_by_one) for _ in range(3)), key=lambda pair: pair[0])
    difference = float(np.abs(found.forces_A3 - np.concatenate(forces)).max())
    yield Row(
        name=f"{name}: energy and forces", unit="atom steps/CPU s", ours=atoms / mine, peer=atoms / plain,
        peer_name="its own calculator in ASE", seconds=mine + plain, quick=quick,
        note=f"{len(some)} structures, {atoms} atoms; forces differ by {difference:.1e} eV/Å",
    )  # fmt: skip

    settings = RelaxSettings(force=FORCE, steps=STEPS)
    mine, relaxed = seconds_of(lambda: relax(ours, crystals, settings))
    plain, ends = seconds_of(lambda: [by_ase(one, theirs) for one in some])
    difference = float(np.abs(relaxed.energies_G - ends).max())
    yield Row(
        name=f"{name}: relaxations", unit="1/CPU h", ours=3600 * len(some) / mine,
        peer=3600 * len(some) / plain,
        peer_name="FIRE and UnitCellFilter of ASE", target="ratio >= 10", seconds=mine + plain, quick=quick,
        note=(
            f"positions and cell to {FORCE} eV/Å, {relaxed.steps_G.mean():.0f} steps on average; energies"
            f" differ by {difference:.1e} eV"
        ),
    )  # fmt: skip


def by_ase(atoms: Any, calculator: Any) -> float:
    """The energy where plain ASE arrives."""
    from ase.filters import UnitCellFilter
    from ase.optimize import FIRE

    atoms = atoms.copy()
    atoms.calc = calculator
    FIRE(UnitCellFilter(atoms), logfile=None).run(fmax=FORCE, steps=STEPS)
    return float(atoms.get_potential_energy())


def vibration_rows(quick: bool) -> Iterator[Row]:
    """How near the highest Γ-point frequency comes to the highest peak of the phonons' density of states."""
    name, unit = "sevennet-0: highest frequency, MAE", "cm-1"
    path = data("02_matbench", "structures", "matbench_phonons_full.jsonl.gz")
    if path is None:
        yield absent(name, unit, quick=quick)
        return
    from zonemelt.tasks.atomistic.vibration_features import vibration_features
    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.potentials.load import load_potential

    say(name)
    records = lines(path)[:: 250 if quick else 40]
    crystals = Crystals.of_atoms(map(atoms_of, records))
    potential = load_potential("sevennet-0")
    potential.evaluate(crystals.take(slice(0, 2)))
    spent, (features, names) = seconds_of(lambda: vibration_features(potential, crystals))
    labels = np.array([one["y"]["phonons"] for one in records])
    error = np.abs(features[:, names.index("highest")] - labels).mean()
    yield Row(
        name=name, unit=unit, ours=float(error), seconds=spent, quick=quick,
        note=f"{len(records)} rows of matbench_phonons, no fit; {spent / len(records):.2f} CPU s each",
    )  # fmt: skip
