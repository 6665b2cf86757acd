"""A pair potential that is smooth, cheap and known in closed form."""

from __future__ import annotations

import torch

from zonemelt.tasks.atomistic import jobs
from zonemelt.tasks.judge import verdict_jobs
from zonemelt.tasks.potentials.committee import Committee
from zonemelt.tasks.potentials.edge_potential import EdgePotential
from zonemelt.tasks.theory import Theory


class Morse(EdgePotential):
    """D ((1 - exp(-a (r - r0)))² - 1) for every pair, smoothly cut off from ``start`` of the cutoff on."""

    name = "morse"
    elements = frozenset({"Cu", "Na", "Cl", "Cs", "Al"})
    licence = "none"
    theory = Theory(code="morse", is_dft=False)
    dtype = "float64"

    def __init__(self, *, depth=0.3, width=1.5, length=2.7, cutoff=5.0, start=0.6):
        self.depth, self.width, self.length, self.cutoff = depth, width, length, cutoff
        self.start = start

    def energies(self, edges):
        r = edges.vectors_E3.norm(dim=1)
        pair = self.depth * ((1 - torch.exp(-self.width * (r - self.length))) ** 2 - 1)
        start = self.start * self.cutoff
        x = ((r - start) / (self.cutoff - start)).clamp(0, 1)
        smooth = 1 - x**3 * (10 - 15 * x + 6 * x**2)
        of_atoms = edges.structure_A[edges.centre_E]
        return r.new_zeros(edges.structures).index_add(0, of_atoms, 0.5 * pair * smooth)


class Senseless(Morse):
    """Its energies are no numbers."""

    def energies(self, edges):
        return super().energies(edges) * float("nan")


def committee(difference=0.1):
    """Two that differ by their depth, eV."""
    return Committee("two", [Morse(depth=0.3), Morse(depth=0.3 + difference)])


def judge_by(monkeypatch, potential):
    """Let judgements and relaxations load this potential, whatever its name."""
    for module in (jobs, verdict_jobs):
        monkeypatch.setattr(module, "load_potential", lambda name, **_: potential)
