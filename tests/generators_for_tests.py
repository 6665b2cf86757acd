"""Small crystals and generators of them, trained in moments."""

from __future__ import annotations

import math

import numpy as np
from ase.build import bulk

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.generate.objective import FlowTerms
from zonemelt.tasks.generate.training import train_generator
from zonemelt.tasks.models.denoiser import DenoiserArchitecture
from zonemelt.tasks.train.ranks import joined
from zonemelt.tasks.train.settings import TrainSettings

SMALL = DenoiserArchitecture(width=32, layers=2, frequencies=4)
SALTS = ("NaCl", "KCl", "MgO", "CaO")


def salts(count=24, *, seed=0):
    """Rock salts and cesium chlorides of somewhat different sizes."""
    draw = np.random.default_rng(seed)
    found = []
    for number in range(count):
        kind = ("rocksalt", "cesiumchloride")[number % 2]
        length = draw.normal(5.4, 0.1) if kind == "rocksalt" else draw.normal(3.3, 0.1)
        found.append(bulk(SALTS[number % 4], kind, a=length))
    return Crystals.of_atoms(found)


def trained(directory, crystals, *, epochs=2, wish=None, split=None, start="", deadline=math.inf, **settings):
    """A generator, trained alone until the deadline, and its card."""
    names = [f"salt-{i}" for i in range(len(crystals))]
    last = len(crystals) - 4
    parts = split or {"train": np.arange(last), "validation": np.arange(last, len(crystals))}
    told = TrainSettings(seed=1, epochs=epochs, **({"batch_size": 8, "learning_rate": 3e-3} | settings))

    with joined(device="cpu") as ranks:
        return train_generator(
            crystals, names, parts, SMALL,
            settings=told, terms=FlowTerms(), ranks=ranks, directory=directory, wish=wish,
            start=start, deadline=deadline,
        )  # fmt: skip
