"""Drawn crystals that are stable, unique and novel, by a potential whose weights come inside a package.

Candidates, competitors and elements have energies of one potential, corrected by MP2020 as those of the
Materials Project are. Competitors are the binary and ternary crystals of MP-20's validation and test parts,
which are also what counts as known: with all of the Materials Project there would be fewer that are stable or
novel.
"""

from __future__ import annotations

import gzip
import json
import time
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from benchmarks import generation_models as models
from benchmarks.data_files import data
from benchmarks.report import Row, say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.judge.hull import Phase
    from zonemelt.tasks.potentials.potential import Potential

POTENTIAL: Final = "sevennet-0"
NUMBER: Final = 128
FORCE, STEPS = 0.05, 200
STABLE: Final = 0.1
"""eV/atom above the hull, as C. Zeni et al., Nature 639, 624 (2025)."""
LARGEST: Final = 60  # atoms of an element's crystal
ELEMENTS: Final = ("06_mp_hull", "MP-PBE-Element-Refs.json.gz")


def rows(drawn: Crystals, *, quick: bool) -> Iterable[Row]:
    """The share that is stable, and that which is unique and novel as well, of the first that were drawn."""
    from zonemelt.tasks.atomistic.relax import Outcome, RelaxSettings, relax
    from zonemelt.tasks.judge.generated import sun
    from zonemelt.tasks.judge.hull import References
    from zonemelt.tasks.judge.novelty import novel, unique
    from zonemelt.tasks.judge.validity import valid
    from zonemelt.tasks.potentials.load import load_potential

    began = time.process_time()
    drawn = drawn.take(slice(0, 4 if quick else NUMBER))
    potential = load_potential(POTENTIAL)
    sound = np.flatnonzero(valid(drawn).structure_G & _known_to(potential, drawn))
    say(f"{POTENTIAL}: relaxing {len(sound)} of {len(drawn)} crystals")
    settings = RelaxSettings(force=FORCE, steps=5 if quick else STEPS, method="lbfgs")
    kept = None if quick else models.kept_file("relaxed.npz")
    relaxed = relax(potential, drawn.take(sound), settings, checkpoint=kept)
    exploded = [outcome == Outcome.EXPLODED for outcome in relaxed.outcomes]
    whole = np.flatnonzero(np.isfinite(relaxed.energies_G) & ~np.array(exploded, bool))
    found, sound = relaxed.crystals.take(whole), sound[whole]
    known = models.parts("mp").crystals
    systems = {frozenset(set(atoms.get_chemical_symbols())) for atoms in map(found.atoms, range(len(found)))}
    near = known.take(_within(known, systems))
    near = near.take(np.flatnonzero(_known_to(potential, near)))
    say(f"{POTENTIAL}: {len(near):,} competitors")
    competitors = _phases("known", near, potential.evaluate(near, forces=False).energies_G)
    elements = _elements(potential, {symbol for system in systems for symbol in system})
    candidates = _phases("", found, relaxed.energies_G[whole])
    above_G = np.full(len(drawn), np.inf)
    for one in References([*competitors, *elements]).place(candidates):
        if one.above_hull is not None:
            above_G[sound[int(one.identifier)]] = one.above_hull
    unique_G, novel_G = np.zeros((2, len(drawn)), bool)
    unique_G[sound], novel_G[sound] = unique(found).first_G, novel(found, known).new_G
    stable_G = above_G <= STABLE
    about = (
        f"{len(drawn)} crystals, {len(sound)} of them relaxed to {FORCE} eV/Å in {STEPS} steps at most; "
        f"{len(competitors):,} competitors of MP-20's validation and test parts at their published places"
    )
    for name, value, note in (
        ("stable", float(stable_G.mean()), f"at most {STABLE} eV/atom above the hull; {about}"),
        ("S.U.N.", sun(stable_G, unique_G, novel_G), f"new beside {len(known):,} known crystals; {about}"),
    ):
        yield Row(
            name=f"MP, up to 20 atoms: {name} by {POTENTIAL}", unit="", ours=value, quick=quick, note=note,
            seconds=time.process_time() - began,
        )  # fmt: skip


def _known_to(potential: Potential, crystals: Crystals) -> Any:
    """Which crystals have only elements that a potential knows (G,)."""
    from ase.data import chemical_symbols

    strange_A = ~np.isin(np.array(chemical_symbols)[crystals.numbers_A], sorted(potential.elements))
    return np.add.reduceat(strange_A, crystals.first_G[:-1]) == 0


def _within(crystals: Crystals, systems: set[frozenset[str]]) -> Any:
    """Rows whose elements all lie in one of the chemical systems."""
    inside = {
        frozenset(some)
        for system in systems
        for size in range(1, len(system) + 1)
        for some in combinations(sorted(system), size)
    }
    rows = range(len(crystals))
    return np.array([row for row in rows if set(crystals.atoms(row).get_chemical_symbols()) in inside], int)


def _phases(kind: str, crystals: Crystals, energies_G: Any) -> list[Phase]:
    """Crystals with corrected energies; one that cannot be corrected is left out."""
    from zonemelt.tasks.judge.competitors import composition_of
    from zonemelt.tasks.judge.hull import Phase
    from zonemelt.tasks.quality.corrections import correction_as_mp
    from zonemelt.tasks.records import Geometry

    found = []
    for row, energy in enumerate(energies_G.tolist()):
        geometry = Geometry.of(crystals.atoms(row))
        correction, _ = correction_as_mp(geometry, energy)
        if correction is not None:
            symbols = geometry.symbols
            found.append(Phase(f"{kind}{row}", composition_of(symbols), (energy + correction) / len(symbols)))
    return found


def _elements(potential: Potential, symbols: set[str]) -> list[Phase]:
    """The crystal of each element that is the lowest in PBE."""
    from pymatgen.core.structure import Structure
    from pymatgen.io.ase import AseAtomsAdaptor

    from zonemelt.tasks.crystals import Crystals

    place = data(*ELEMENTS)
    assert place is not None
    with gzip.open(place, "rt", encoding="utf-8") as file:
        given = json.load(file)
    atoms = []
    for symbol in sorted(symbols & set(given) & potential.elements):
        some = zip(given[symbol]["energy_per_atom"], given[symbol]["structure"], strict=True)
        small = [(energy, one) for energy, one in some if len(one["sites"]) <= LARGEST]
        lowest = min(small, key=lambda pair: pair[0])[1]
        atoms.append(AseAtomsAdaptor.get_atoms(Structure.from_dict(lowest), msonable=False))
    crystals = Crystals.of_atoms(atoms)
    return _phases("element ", crystals, potential.evaluate(crystals, forces=False).energies_G)
