"""Energy above the convex hull of known crystals, for many candidates at once.

pymatgen's phase diagrams do the geometry (S. P. Ong et al., Chem. Mater. 20, 1798 (2008)). A hull is built
once for a chemical system, from the references that lie in it, and all candidates of the system are placed on
it. The time that a diagram takes grows steeply with the elements (of 300 phases, seconds for eight, many
minutes for nine): of many elements each composition is looked up by a linear programme, with the same result.
"""

# E elements, C phases

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from zonemelt.tasks.datasets.levels import one_level
from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from zonemelt.tasks.datasets.dataset import Dataset

ON_HULL: Final = 1e-9
"""eV/atom: nearer to the hull is rounding."""
_FEW: Final = 6  # elements of which a diagram is drawn
_SHARE: Final = 1e-9  # of the atoms: less of a phase is rounding
_COLUMNS: Final = (
    "identifier", "theory", "hubbard_u", "setups", "elements", "numbers", "energy_sigma0",
    "correction_energy",
)  # fmt: skip


class Phase(NamedTuple):
    """One crystal to be placed on a hull, or to span it."""

    identifier: str
    composition: Mapping[str, float]  # element → atoms in the cell
    energy: float  # eV/atom: of formation, or all of it; alike for all that are compared

    @property
    def elements(self) -> frozenset[str]:
        """The chemical system."""
        return frozenset(self.composition)

    @property
    def shares(self) -> tuple[tuple[str, float], ...]:
        """Elements with their shares of the atoms: alike for all multiples of a formula."""
        atoms = sum(self.composition.values())
        return tuple((one, round(self.composition[one] / atoms, 9)) for one in sorted(self.composition))


@dataclass(frozen=True, kw_only=True)
class Placed:
    """Where a crystal lies.

    Attributes:
        identifier: of the crystal.
        above_hull: eV/atom above the hull of the references; negative for what is more stable than they
            are. None where there is no hull.
        formation_energy: eV/atom, from the elements of the references. None where there is no hull.
        decomposition: what it would fall apart into: identifier of a reference → fraction of the atoms.
        undefined: why there is no hull; empty where there is one.
    """

    identifier: str
    above_hull: float | None = None
    formation_energy: float | None = None
    decomposition: dict[str, float] = field(default_factory=dict)
    undefined: str = ""


class References:
    """What candidates are compared with.

    Args:
        phases: known crystals, of one level of theory; of each element there is one of it alone.
        elements: of which ``phases`` gives energies of formation: their pure crystals are at zero.
    """

    def __init__(self, phases: Iterable[Phase], *, elements: Iterable[str] = ()) -> None:
        self._in_system: defaultdict[frozenset[str], list[Phase]] = defaultdict(list)
        for phase in (*phases, *(Phase(element, {element: 1}, 0.0) for element in elements)):
            self._in_system[phase.elements].append(phase)

    def __len__(self) -> int:
        return sum(map(len, self._in_system.values()))

    @cached_property
    def elements(self) -> frozenset[str]:
        """Those with a crystal of their own: within these there are hulls."""
        return frozenset().union(*(system for system in self._in_system if len(system) == 1))

    def within(self, elements: Collection[str]) -> list[Phase]:
        """The references of a chemical system and of all that lie in it."""
        return [
            phase for system in systems_within(elements, self._in_system) for phase in self._in_system[system]
        ]

    @cached_property
    def of_elements(self) -> dict[str, float]:
        """Element → eV/atom of its lowest crystal: where energies of formation begin."""
        return {
            next(iter(system)): min(phase.energy for phase in phases)
            for system, phases in self._in_system.items()
            if len(system) == 1
        }

    def undefined(self, elements: Collection[str]) -> str:
        """Why there is no hull of a chemical system; empty where there is one."""
        missing = sorted(set(elements) - self.elements)
        return f"there is no reference for {', '.join(missing)}" if missing else ""

    def place(self, candidates: Iterable[Phase]) -> Iterator[Placed]:
        """Where each candidate lies; in the order of their chemical systems, not in the one given."""
        systems: defaultdict[frozenset[str], list[Phase]] = defaultdict(list)
        for one in candidates:
            systems[one.elements].append(one)
        for system in sorted(systems, key=sorted):
            if reason := self.undefined(system):
                yield from (Placed(identifier=one.identifier, undefined=reason) for one in systems[system])
            else:
                yield from self._placed(systems[system], system)

    def _placed(self, candidates: Sequence[Phase], system: Collection[str]) -> Iterator[Placed]:
        """The candidates of one chemical system on the hull of the references within it."""
        hull = Hull(self.within(system), len(system))
        found: dict[Any, tuple[float, dict[str, float]]] = {}  # crystals of one composition share these
        for one in candidates:
            if (composition := one.shares) not in found:
                found[composition] = hull.at(one)
            yield placed_at(one, *found[composition], self.of_elements)


def systems_within(elements: Collection[str], known: Collection[frozenset[str]]) -> Iterator[frozenset[str]]:
    """The known chemical systems that lie in one, itself among them if it is known; small ones first."""
    if 2 ** len(elements) <= len(known):
        every = (
            frozenset(some)
            for size in range(1, len(elements) + 1)
            for some in combinations(sorted(elements), size)
        )
        return (one for one in every if one in known)
    wanted = frozenset(elements)
    return iter(sorted((one for one in known if one <= wanted), key=lambda one: (len(one), sorted(one))))


class Hull:
    """The hull of the phases of one chemical system.

    Args:
        phases: of each element there is one of it alone.
        elements: how many there are.
    """

    def __init__(self, phases: Sequence[Phase], elements: int) -> None:
        self._phases = phases
        self._diagram = _diagram_of(phases) if elements <= _FEW else None

    def at(self, phase: Phase) -> tuple[float, dict[str, float]]:
        """The energy at the composition of a phase, eV/atom, and what is there: identifier → share."""
        return mixed(phase, self._phases) if self._diagram is None else _energy_of(self._diagram, phase)

    def vertices(self, some: Sequence[Phase]) -> list[Phase]:
        """Those of its phases that nothing else is below."""
        if self._diagram is not None:
            stable = {id(entry.attribute) for entry in self._diagram.stable_entries}
            return [one for one in some if id(one) in stable]
        return [
            one
            for one in some
            if one.energy <= mixed(one, [other for other in self._phases if other is not one])[0] + ON_HULL
        ]


def placed_at(
    phase: Phase, energy: float, decomposition: dict[str, float], of_elements: Mapping[str, float]
) -> Placed:
    """A phase, where the energy of what it would fall apart into is known, eV/atom."""
    atoms = sum(phase.composition.values())
    from_elements = sum(of_elements[el] * number for el, number in phase.composition.items()) / atoms
    return Placed(
        identifier=phase.identifier,
        above_hull=float(phase.energy - energy),
        formation_energy=float(phase.energy - from_elements),
        decomposition=decomposition,
    )


def _diagram_of(phases: Iterable[Phase]) -> Any:
    """A phase diagram; its entries are named after the phases."""
    from pymatgen.analysis.phase_diagram import PhaseDiagram

    return PhaseDiagram([_entry(phase) for phase in phases])


def _energy_of(diagram: Any, phase: Phase) -> tuple[float, dict[str, float]]:
    from pymatgen.core.composition import Composition

    composition = Composition(dict(phase.composition)).fractional_composition
    parts: dict[Any, float] = diagram.get_decomposition(composition)
    energy = sum(entry.energy_per_atom * amount for entry, amount in parts.items())
    return energy, {str(entry.name): float(amount) for entry, amount in parts.items()}


def _entry(phase: Phase) -> Any:
    from pymatgen.analysis.phase_diagram import PDEntry

    atoms = sum(phase.composition.values())
    return PDEntry(dict(phase.composition), phase.energy * atoms, name=phase.identifier, attribute=phase)


def mixed(phase: Phase, others: Sequence[Phase]) -> tuple[float, dict[str, float]]:
    """The lowest energy that a mixture of other phases has at the composition of a phase: a linear programme.

    Args:
        phase: whose composition it is.
        others: of which the mixture is made.

    Returns:
        eV/atom, and identifier → share of the atoms.

    Raises:
        InputError: there is no such mixture, or an energy is no number.
    """
    import numpy as np
    from scipy.optimize import linprog

    elements = sorted(phase.composition)
    shares_EC = np.array(
        [[one.composition.get(symbol, 0.0) for one in others] for symbol in elements], dtype=float
    )
    shares_EC /= [sum(one.composition.values()) for one in others]
    wanted_E = np.array([phase.composition[symbol] for symbol in elements], dtype=float)
    found = linprog(
        [one.energy for one in others], A_eq=shares_EC, b_eq=wanted_E / wanted_E.sum(), method="highs"
    )
    if not found.success:
        raise InputError(
            f"no mixture of {len(others)} phases: {found.message}",
            where=phase.identifier,
            remedy="look for energies that are no numbers",
        )
    parts = {
        one.identifier: float(share) for one, share in zip(others, found.x, strict=True) if share > _SHARE
    }
    return float(found.fun), parts


def phases_of(
    dataset: Dataset, *, ignoring: Collection[str] = (), theory: str | None = None
) -> Iterator[Phase]:
    """The records of a dataset as phases: energies extrapolated to zero smearing, with their corrections.

    Args:
        dataset: of one level of theory, or of levels that may be compared.
        ignoring: fields of the level of theory that may differ, because somebody who knows said so.
        theory: key of the level that it must have, without the fields ignored; None for any.

    Raises:
        InputError: levels of theory are mixed, it is another one, or a record has no such energy.
    """
    from ase.data import chemical_symbols

    batches = list(dataset.batches(list(_COLUMNS)))
    found = one_level(batches, dataset.theories, ignoring=ignoring)
    if theory is not None and found != theory:
        raise InputError(
            f"its level of theory is {found}, that of the candidates {theory}",
            where=f"references in {dataset.directory}",
            remedy="compare only energies of one level of theory; name in 'ignoring' what may differ",
        )
    for batch in batches:
        columns = (
            batch.column(name) for name in ("identifier", "numbers", "energy_sigma0", "correction_energy")
        )
        for identifier, numbers, energy, correction in zip(*(c.to_pylist() for c in columns), strict=True):
            if energy is None:
                raise InputError(
                    "it has no energy extrapolated to zero smearing",
                    where=f"record {identifier} of {dataset.directory}",
                    remedy="leave it out of the references",
                )
            composition = Counter(chemical_symbols[number] for number in numbers)
            yield Phase(identifier, composition, (energy + (correction or 0.0)) / len(numbers))
