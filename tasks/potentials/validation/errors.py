"""Errors of a potential in energies, forces and stresses: of all, by element, by type of configuration."""

# A atoms of all structures, G structures, Z elements

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from zonemelt.tasks.potentials.potential import Potential
    from zonemelt.tasks.potentials.validation.labelled import Labelled

UNITS: Final = {"energy": "eV/atom", "energy_aligned": "eV/atom", "forces": "eV/Å", "stress": "eV/Å³"}
LARGEST: Final = 10
_TOGETHER: Final = 64  # structures between two reports of progress


@dataclass(frozen=True, kw_only=True)
class Parity:
    """What a potential says beside the labels; NaN where there is no label.

    Attributes:
        names_G, kinds_G: of the structures.
        sizes_G: atoms (G,).
        counts_GZ: of each element.
        elements: symbols (Z,).
        symbols_A: of the atoms (A,).
        energy_2G: label and potential, eV per atom.
        forces_2A3: eV/Å.
        stress_2G33: eV/Å³.
    """

    names_G: tuple[str, ...]
    kinds_G: tuple[str, ...]
    sizes_G: NDArray[np.int64]
    counts_GZ: NDArray[np.int64]
    elements: tuple[str, ...]
    symbols_A: NDArray[np.str_]
    energy_2G: NDArray[np.float64]
    forces_2A3: NDArray[np.float64]
    stress_2G33: NDArray[np.float64]

    @property
    def owner_A(self) -> NDArray[np.int64]:
        """The structure of each atom (A,)."""
        return np.repeat(np.arange(len(self.sizes_G)), self.sizes_G)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it as plain arrays, to be written beside a document."""
        return {
            "names": np.array(self.names_G), "kinds": np.array(self.kinds_G), "sizes": self.sizes_G,
            "symbols": self.symbols_A, "energy": self.energy_2G, "forces": self.forces_2A3,
            "stress": self.stress_2G33,
        }  # fmt: skip


def compare(
    potential: Potential, labelled: Sequence[Labelled], *, progress: Callable[[int], None] | None = None
) -> tuple[Parity, dict[str, str]]:
    """Ask a potential for what is labelled.

    Args:
        potential: to be judged.
        labelled: structures; those it does not know are left out.
        progress: called with the number of structures done.

    Returns:
        What it says, and name → reason of what it refuses.

    Raises:
        InputError: it refuses all.
    """
    asked, refused = [], {}
    for one in labelled:
        try:
            potential.check(Crystals.of_atoms([one.atoms]))
            asked.append(one)
        except InputError as error:
            refused[one.name] = error.what
    if not asked:
        raise InputError(
            f"the potential refuses all structures; the first: {next(iter(refused.values()))}",
            where=potential.name,
            remedy="give structures of its elements, or another potential",
        )
    energies, forces, stresses = [], [], []
    for start in range(0, len(asked), _TOGETHER):
        for stressed, some in _runs(asked[start : start + _TOGETHER]):
            found = potential.evaluate(Crystals.of_atoms([one.atoms for one in some]), stress=stressed)
            assert found.forces_A3 is not None
            energies.append(found.energies_G)
            forces.append(found.forces_A3)
            stresses.append(
                np.full((len(some), 3, 3), np.nan) if found.stresses_G33 is None else found.stresses_G33
            )
        if progress is not None:
            progress(min(start + _TOGETHER, len(asked)))
    return _parity(asked, np.concatenate(energies), np.concatenate(forces), np.concatenate(stresses)), refused


def _runs(some: Sequence[Labelled]) -> list[tuple[bool, list[Labelled]]]:
    """Runs of structures that have a label of the stress, and of those that do not."""
    runs: list[tuple[bool, list[Labelled]]] = []
    for one in some:
        stressed = one.stress_33 is not None and bool(one.atoms.pbc.all())
        if not runs or runs[-1][0] != stressed:
            runs.append((stressed, []))
        runs[-1][1].append(one)
    return runs


def _parity(
    asked: Sequence[Labelled],
    energies_G: NDArray[np.float64],
    forces_A3: NDArray[np.float64],
    stresses_G33: NDArray[np.float64],
) -> Parity:
    sizes_G = np.array([len(one.atoms) for one in asked])
    symbols_A = np.concatenate([np.array(one.atoms.get_chemical_symbols()) for one in asked])
    elements = tuple(sorted(set(symbols_A.tolist())))
    counts_GZ = np.array([[one.atoms.get_chemical_symbols().count(e) for e in elements] for one in asked])
    labels_G = np.array([np.nan if one.energy is None else one.energy for one in asked], float)
    labels_A3 = np.concatenate([
        np.full((len(one.atoms), 3), np.nan) if one.forces_A3 is None else one.forces_A3 for one in asked
    ])  # fmt: skip
    labels_G33 = np.array([
        np.full((3, 3), np.nan) if one.stress_33 is None else one.stress_33 for one in asked
    ])  # fmt: skip
    return Parity(
        names_G=tuple(one.name for one in asked),
        kinds_G=tuple(one.kind for one in asked),
        sizes_G=sizes_G,
        counts_GZ=counts_GZ,
        elements=elements,
        symbols_A=symbols_A,
        energy_2G=np.stack([labels_G, energies_G]) / sizes_G,
        forces_2A3=np.stack([labels_A3, forces_A3]),
        stress_2G33=np.stack([labels_G33, stresses_G33]),
    )


def statistics(errors: NDArray[np.float64]) -> dict[str, float] | None:
    """Mean absolute error, root mean square, largest and number; None where nothing is known."""
    known = errors[np.isfinite(errors)]
    if not known.size:
        return None
    return {
        "mae": float(np.abs(known).mean()),
        "rmse": float(np.sqrt((known**2).mean())),
        "largest": float(np.abs(known).max()),
        "count": int(known.size),
    }


def judge(parity: Parity) -> dict[str, Any]:
    """Errors of a potential.

    Energies are judged twice: as they are, and ``energy_aligned``, less the energies of the elements that
    explain their difference best by least squares: codes and setups have other zeros, which no force sees.

    Returns:
        ``units``; ``errors``, see :func:`statistics`; ``by_element``: of forces on its atoms; ``by_type``: of
        all terms; ``shifts``: eV an atom of each element, which ``energy_aligned`` leaves out; ``largest``:
        the structures whose forces are worst.
    """
    energy_G = parity.energy_2G[1] - parity.energy_2G[0]
    shifts_Z = _shifts(parity, energy_G)
    terms = {
        "energy": energy_G,
        "energy_aligned": energy_G - parity.counts_GZ @ shifts_Z / parity.sizes_G,
        "forces": parity.forces_2A3[1] - parity.forces_2A3[0],
        "stress": parity.stress_2G33[1] - parity.stress_2G33[0],
    }
    kinds = np.array(parity.kinds_G)
    return {
        "units": UNITS,
        "errors": _of(terms, np.ones(len(energy_G), bool), parity),
        "by_element": {
            symbol: found
            for symbol in parity.elements
            if (found := statistics(terms["forces"][parity.symbols_A == symbol])) is not None
        },
        "by_type": {
            str(kind): _of(terms, kinds == kind, parity)
            for kind in sorted(set(kinds.tolist()))
            if len(set(kinds.tolist())) > 1 or kind
        },
        "shifts": dict(zip(parity.elements, shifts_Z.tolist(), strict=True)),
        "largest": _largest(parity, terms["forces"]),
    }


def _shifts(parity: Parity, energy_G: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(energy_G)
    if not known.any():
        return np.zeros(len(parity.elements))
    shares_GZ = parity.counts_GZ[known] / parity.sizes_G[known, None]
    found: NDArray[np.float64] = np.asarray(np.linalg.lstsq(shares_GZ, energy_G[known], rcond=1e-10)[0])
    return found


def _of(
    terms: dict[str, NDArray[np.float64]], chosen_G: NDArray[np.bool_], parity: Parity
) -> dict[str, dict[str, float]]:
    of_atoms = chosen_G[parity.owner_A]
    found = {
        name: statistics(values[of_atoms] if name == "forces" else values[chosen_G])
        for name, values in terms.items()
    }
    return {name: one for name, one in found.items() if one is not None}


def _largest(parity: Parity, errors_A3: NDArray[np.float64]) -> list[dict[str, Any]]:
    worst_A = np.where(np.isfinite(errors_A3), np.abs(errors_A3), -1.0).max(axis=1)
    worst_G = np.maximum.reduceat(worst_A, np.concatenate([[0], np.cumsum(parity.sizes_G)[:-1]]))
    order = np.argsort(-worst_G, kind="stable")[:LARGEST]
    return [
        {"name": parity.names_G[row], "type": parity.kinds_G[row], "force": float(worst_G[row])}
        for row in order.tolist()
        if worst_G[row] >= 0
    ]
