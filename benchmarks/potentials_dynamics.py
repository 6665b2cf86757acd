"""Dynamics with a potential of our own: ``python -m benchmarks.potentials --only dynamics``.

A linear potential is trained on mlearn's copper (official training part), and a crystal of 32 atoms runs with
it at constant energy, double precision, 1 fs, 300 K at first. How far the total energy drifts is the slope of
a straight line through all frames. The data are looked for in ``$ZONEMELT_DATA``, else in ``../shared/data``.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from benchmarks.data_files import absent, data, frames
from benchmarks.potentials_data import collection, held_out
from benchmarks.report import Row, say

if TYPE_CHECKING:
    from collections.abc import Iterator

STEPS = 10_000


def rows(quick: bool) -> Iterator[Row]:
    """Drift at constant energy, and the rate."""
    path = data("04_mlearn", "Cu_train.extxyz.gz")
    name = "linear Cu: drift at constant energy"
    if path is None:
        yield absent(name, "eV/atom/ps", quick=quick)
        return
    say(name)
    from ase import units
    from ase.build import bulk

    from zonemelt.tasks.atomistic.dynamics import simulate
    from zonemelt.tasks.atomistic.dynamics_documents import drift_of
    from zonemelt.tasks.atomistic.dynamics_settings import DynamicsSettings
    from zonemelt.tasks.atomistic.fleet import Pace
    from zonemelt.tasks.crystals import Crystals

    potential = trained(path)
    crystals = Crystals.of_atoms([bulk("Cu", cubic=True, a=3.63).repeat(2)])
    settings = DynamicsSettings(steps=300 if quick else STEPS, temperature=300, every=10, seed=1)
    began, last = time.process_time(), [time.time()]

    def go_on() -> bool:
        if time.time() - last[0] > 60:
            last[0] = time.time()
            say(f"  {time.process_time() - began:.0f} CPU s")
        return True

    run = simulate(potential, crystals, settings, pace=Pace(go_on=go_on))[0]
    spent = time.process_time() - began
    drift = drift_of(run, settings.timestep)
    wobble = np.std(run.frames.energies_T + run.frames.kinetic_T) / len(run.atoms)
    kelvin = 2 * run.frames.kinetic_T[len(run.frames) // 2 :].mean() / (93 * units.kB)
    yield Row(
        name=name, unit="eV/atom/ps", ours=None if drift is None else abs(drift), target="ours <= 1e-5",
        seconds=spent, quick=quick,
        note=(
            f"{run.steps} steps of 1 fs, 32 atoms, {run.end}, {kelvin:.0f} K on average; the total energy's"
            f" standard deviation is {wobble:.1e} eV/atom"
        ),
    )  # fmt: skip
    yield Row(
        name="linear Cu: dynamics", unit="atom steps/CPU s", ours=32 * run.steps / spent, seconds=spent,
        quick=quick, note="one crystal of 32 atoms",
    )  # fmt: skip


def trained(path: Path) -> Any:
    """A linear potential of one element, in double precision."""
    from zonemelt.tasks.featurize.graphs import Edges
    from zonemelt.tasks.potentials.fitting.linear_fit import fit_linear
    from zonemelt.tasks.potentials.linear import Basis
    from zonemelt.tasks.potentials.load import load_potential
    from zonemelt.tasks.theory import Theory

    some, basis = frames(path), Basis(cutoff=5.0, radial=6, degree=4)
    kept, held = held_out(len(some), 16, 0)
    with tempfile.TemporaryDirectory() as folder:
        labelled = collection(some, Edges(cutoff=basis.cutoff, k=None), Path(folder, "graphs"))
        place = Path(folder, "linear")
        theory = Theory(code="vasp", functional="PBE")
        fit_linear(labelled, {"train": kept, "validation": held}, basis, theory=theory, directory=place)
        return load_potential(str(place), dtype="float64")
