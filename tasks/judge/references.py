"""Reference energies and volumes of the pure elements, by the campaign's own oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jobflow import job

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Record, one_theory

if TYPE_CHECKING:
    from collections.abc import Sequence


REAL: Final = 1e-9  # a root with a smaller imaginary part is real


def equilibrium(records: Sequence[Record]) -> dict[str, float]:
    """Fit a Birch-Murnaghan equation of state to one element at several volumes.

    That of third order is a cubic polynomial in V^(-2/3), so the fit is linear.

    Args:
        records: labels of one-element crystals of one lattice, at five volumes or more.

    Returns:
        ``volume`` (Å³/atom), ``energy_per_atom`` (eV/atom), ``bulk_modulus`` (eV/Å³),
        ``residual``: largest deviation of the fit (eV/atom).

    Raises:
        InputError: the energy has no minimum within the labelled volumes.
    """
    import numpy as np

    volumes = np.array([r.geometry.atoms().get_volume() / len(r.geometry.symbols) for r in records])
    energies = np.array([r.energy_per_atom for r in records])
    if energies.argmin() in (volumes.argmin(), volumes.argmax()):
        raise InputError(
            f"the energy has no minimum between {volumes.min():.2f} and {volumes.max():.2f} Å³/atom",
            where=f"reference {records[0].geometry.symbols[0]}",
            remedy="widen reference_strains",
        )
    curve = np.polynomial.Polynomial.fit(volumes ** (-2 / 3), energies, 3)
    slope, bend = curve.deriv(), curve.deriv(2)
    minima = [float(x.real) for x in slope.roots() if abs(x.imag) < REAL and bend(x.real) > 0]
    start = float(volumes[energies.argmin()] ** (-2 / 3))
    lowest = min(minima, key=lambda x: abs(x - start))
    volume = lowest**-1.5
    return {
        "volume": float(volume),
        "energy_per_atom": float(curve(lowest)),
        "bulk_modulus": float(4 / 9 * bend(lowest) * volume ** (-7 / 3)),
        "residual": float(np.abs(curve(volumes ** (-2 / 3)) - energies).max()),
    }


@job
def fit_references_job(*, records: list[dict[str, Any]]) -> dict[str, Any]:
    """Fit every element found in ``records``.

    Returns:
        ``elements``: element → :func:`equilibrium`; ``theory``: key of the level of theory that the
        campaign is held to; ``level``: its fields; ``seconds``: identifier → wall time (s).
    """
    parsed = [Record.model_validate(document) for document in records]
    key = one_theory(parsed)
    elements: dict[str, list[Record]] = {}
    setups: dict[str, str] = {}
    for record in parsed:
        elements.setdefault(record.geometry.symbols[0], []).append(record)
        setups |= record.theory.setups
    return {
        "elements": {element: equilibrium(found) for element, found in elements.items()},
        "theory": key,
        "level": parsed[0].theory.model_copy(update={"setups": setups}).model_dump(mode="json"),
        "seconds": {record.identifier: record.provenance.seconds for record in parsed},
    }
