"""Records that stand out from their data set, each with what stands out and by how much."""

# N records

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.quality.composition import cell_formula, fit_energies
from zonemelt.tasks.quality.contacts import closest
from zonemelt.tasks.quality.judge import Limits, geometry_faults

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from zonemelt.tasks.records import Record

FEWEST: Final = 20  # records of a group below which nothing is said of it
NORMAL: Final = 1.4826  # standard deviation of normal numbers over their median absolute deviation


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """What is looked at.

    Attributes:
        name: column of the table of measures.
        words: how it is called in a reason.
        unit: of the column.
        z: robust standard deviations from the median of its group at which a record stands out.
        floor: least deviation that counts as one standard deviation, in the unit, or as a part of the median
            where ``logarithm`` is set.
        logarithm: judge ratios, not differences.
        side: which side is suspicious.
    """

    name: str
    words: str
    unit: str
    z: float = 8.0
    floor: float
    logarithm: bool = False
    side: Literal["high", "low", "both"] = "both"


QUANTITIES: Final = (
    Quantity(name="energy_left", words="energy less that of its elements", unit="eV/atom", floor=0.05),
    Quantity(
        name="largest_force", words="largest force", unit="eV/Å", floor=0.5, logarithm=True, side="high"
    ),
    Quantity(
        name="largest_stress",
        words="largest stress component",
        unit="eV/Å³",
        floor=0.5,
        logarithm=True,
        side="high",
    ),
    Quantity(name="volume_per_atom", words="volume per atom", unit="Å³/atom", floor=0.05, logarithm=True),
    Quantity(
        name="closest",
        words="smallest distance over the sum of covalent radii",
        unit="",
        floor=0.02,
        logarithm=True,
        side="low",
    ),
)
SMALLEST: Final = {"largest_force": 0.1, "largest_stress": 1e-3}  # below it all are the same: relaxed


@dataclass(frozen=True, kw_only=True)
class Outlier:
    """One record that stands out in one quantity.

    Attributes:
        identifier: of the record.
        quantity: name of the column.
        z: robust standard deviations from the median of its group, with its sign.
        reason: in words.
    """

    identifier: str
    quantity: str
    z: float
    reason: str


def measures(records: Iterable[Record]) -> pd.DataFrame:
    """What is judged, one row a record: read once, and not kept.

    Columns: ``identifier``; ``formula``, elements and numbers as they are in the cell; ``theory``, its key;
    ``energy_per_atom`` (eV/atom, the force-consistent energy where there is one); ``largest_force`` (eV/Å);
    ``largest_stress`` (eV/Å³); ``volume_per_atom`` (Å³/atom, of what is periodic along all three vectors);
    ``closest``, the smallest distance over the sum of the covalent radii, of what has no fault already. What
    is absent is NaN.
    """
    import pandas as pd

    limits = Limits()

    def of(record: Record) -> dict[str, Any]:
        geometry = record.geometry
        atoms = len(geometry.symbols)
        energy = record.energy_free if record.energy_free is not None else record.energy_sigma0
        return {
            "identifier": record.identifier,
            "formula": cell_formula(geometry.symbols),
            "theory": record.theory.key,
            "energy_per_atom": np.nan if energy is None else energy / atoms,
            "largest_force": np.nan
            if record.forces is None
            else float(np.linalg.norm(record.forces, axis=1).max()),
            "largest_stress": np.nan if record.stress is None else float(np.abs(record.stress).max()),
            "volume_per_atom": float(abs(np.linalg.det(geometry.cell))) / atoms
            if all(geometry.periodic)
            else np.nan,
            "closest": np.nan if next(geometry_faults(geometry, limits), "") else closest(geometry),
        }

    return pd.DataFrame([of(record) for record in records])


def find_outliers(
    table: pd.DataFrame, *, by: str | None = None, quantities: Sequence[Quantity] = QUANTITIES
) -> list[Outlier]:
    """What stands out by robust z-scores: distance from the median over the median absolute deviation.

    Energies are compared after one energy for each element has been taken away, fitted to the table itself
    (to each group of ``by`` where it is given) so that a few wrong ones do not matter.

    Args:
        table: columns as of :func:`measures`, those that are judged and ``formula`` for energies; more are
            ignored. NaN is not judged.
        by: a column (``theory``, a data set) whose values are judged apart; groups of fewer than 20 are not
            judged, and :func:`unjudged` says which they are.
        quantities: what is looked at.

    Returns:
        By identifier, those of one record in the order of ``quantities``.

    Raises:
        InputError: a column is missing.
    """
    if missing := sorted({"identifier", *([by] if by else [])} - set(table.columns)):
        raise InputError(
            f"no column {', '.join(missing)}",
            where="table of measures",
            remedy="make it with measures(records), or name the columns as it does",
        )
    groups = [table] if by is None else [group for _, group in table.groupby(by, sort=True)]
    found = [
        outlier
        for group in groups
        if len(group) >= FEWEST
        for quantity in quantities
        for outlier in _of_group(group, quantity)
    ]
    return sorted(found, key=lambda outlier: outlier.identifier)


def unjudged(table: pd.DataFrame, *, by: str) -> dict[str, int]:
    """The groups that are too small to say what stands out in them, and how many each has."""
    sizes = table.groupby(by).size()
    return {str(name): int(size) for name, size in sizes.items() if size < FEWEST}


def reasons_of(outliers: Iterable[Outlier]) -> dict[str, list[str]]:
    """Identifier → its reasons, for :func:`zonemelt.tasks.quality.judge.quarantined`."""
    found: dict[str, list[str]] = {}
    for outlier in outliers:
        found.setdefault(outlier.identifier, []).append(outlier.reason)
    return found


def robust_z(values_N: NDArray[np.float64], floor: float) -> tuple[NDArray[np.float64], float, float]:
    """Distances (N,) from the median in robust standard deviations, the median, the deviation.

    Args:
        values_N: NaN stays NaN and counts for nothing.
        floor: least standard deviation; half of a data set may share one value.
    """
    median = float(np.nanmedian(values_N))
    deviation = max(NORMAL * float(np.nanmedian(np.abs(values_N - median))), floor)
    return (values_N - median) / deviation, median, deviation


def _of_group(group: pd.DataFrame, quantity: Quantity) -> list[Outlier]:
    values_N = _values(group, quantity)
    if np.isfinite(values_N).sum() < FEWEST:
        return []
    seen_N = (
        np.log(np.maximum(values_N, SMALLEST.get(quantity.name, 1e-6))) if quantity.logarithm else values_N
    )
    z_N, median, deviation = robust_z(seen_N, quantity.floor)
    sided_N = {"high": z_N, "low": -z_N, "both": np.abs(z_N)}[quantity.side]
    usual = f"{np.exp(median):.3g}" if quantity.logarithm else f"{median:.3g}"
    spread = f"a factor {np.exp(deviation):.3g}" if quantity.logarithm else f"{deviation:.3g}"
    found = []
    for i in np.flatnonzero(sided_N > quantity.z):
        what = f"{quantity.words} {values_N[i]:.3g} {quantity.unit}".rstrip()
        far = f"{abs(z_N[i]):.1f} robust deviations ({spread}) from the usual {usual}"
        found.append(
            Outlier(
                identifier=str(group["identifier"].iloc[i]),
                quantity=quantity.name,
                z=float(z_N[i]),
                reason=f"{what}: {far} of {len(group)} records",
            )
        )
    return found


def _values(group: pd.DataFrame, quantity: Quantity) -> NDArray[np.float64]:
    """The column (N,), or NaN where there is none; energies less those of their elements."""
    if quantity.name != "energy_left":
        column = group.get(quantity.name)
        return np.full(len(group), np.nan) if column is None else column.to_numpy(float)
    left_N = np.full(len(group), np.nan)
    if "energy_per_atom" not in group or "formula" not in group:
        return left_N
    energies_N = group["energy_per_atom"].to_numpy(float)
    known = np.flatnonzero(np.isfinite(energies_N))
    if len(known):
        counts = {formula: counted(formula) for formula in group["formula"].unique()}
        compositions = [counts[formula] for formula in group["formula"].iloc[known]]
        fitted = fit_energies(compositions, energies_N[known]).energies
        expected = {
            formula: sum(fitted[e] * n for e, n in one.items()) / sum(one.values())
            for formula, one in counts.items()
            if fitted.keys() >= one.keys()
        }
        left_N[known] = energies_N[known] - group["formula"].iloc[known].map(expected).to_numpy(float)
    return left_N


def counted(formula: str) -> dict[str, float]:
    """Elements and numbers of a plain formula: ``Al2O3``, ``NaCl``."""
    from pymatgen.core.composition import Composition

    return {str(element): float(count) for element, count in Composition(formula).get_el_amt_dict().items()}
