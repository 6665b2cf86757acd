"""Baths of heat and pressure: what they do to velocities, and to a cell with all that is in it."""

# N atoms of a structure; time, mass and velocity are in the units of ASE (10.18 fs, u), energies in eV

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def kinetic(velocities_N3: NDArray[np.float64], masses_N1: NDArray[np.float64]) -> float:
    """Kinetic energy, eV."""
    return 0.5 * float((masses_N1 * velocities_N3**2).sum())


def kicked(
    velocities_N3: NDArray[np.float64],
    masses_N1: NDArray[np.float64],
    *,
    thermal: float,
    kept: float,
    random: np.random.Generator,
) -> NDArray[np.float64]:
    """Velocities after friction and random kicks.

    The exact solution of the Ornstein-Uhlenbeck part of Langevin's equation, the O of BAOAB (B. Leimkuhler,
    C. Matthews, Appl. Math. Res. Express 2013, 34, section 3).

    Args:
        velocities_N3: before.
        masses_N1: u.
        thermal: kT of the bath, eV.
        kept: the share of a velocity that friction leaves, of a step.
        random: where the kicks come from.
    """
    spread_N1 = np.sqrt((1 - kept**2) * thermal / masses_N1)
    return kept * velocities_N3 + spread_N1 * random.normal(size=velocities_N3.shape)


def rescaling(
    energy: float, degrees: int, *, thermal: float, kept: float, random: np.random.Generator
) -> float:
    """By what all velocities are multiplied so that the kinetic energy walks through the canonical ensemble.

    G. Bussi, D. Donadio, M. Parrinello, J. Chem. Phys. 126, 014101 (2007), eq. A7 and its sign.

    Args:
        energy: kinetic, eV, above 0.
        degrees: of freedom.
        thermal: kT of the bath, eV.
        kept: exp(-Δt / τ).
        random: where the noise comes from.
    """
    first = float(random.normal())
    others = float(random.chisquare(degrees - 1)) if degrees > 1 else 0.0
    share = (1 - kept) * 0.5 * thermal / energy  # of the mean energy of one degree of freedom
    square = kept + share * (first**2 + others) + 2 * first * np.sqrt(kept * share)
    sign = 1.0 if first + np.sqrt(kept / share) >= 0 else -1.0
    return sign * float(np.sqrt(max(square, 0.0)))


def breathed(
    volume: float,
    inside: float,
    *,
    outside: float,
    thermal: float,
    compressibility: float,
    passed: float,
    random: np.random.Generator,
) -> float:
    """The volume a moment later under stochastic cell rescaling.

    M. Bernetti, G. Bussi, J. Chem. Phys. 153, 114107 (2020): with the square root of the volume as the
    variable the noise is the same everywhere. With λ = √V, D = kT β / (4 τ) and the weight
    exp(-(H + P₀V)/kT) dV, dλ = -β λ / (2 τ) (P₀ - P - kT / (2 V)) dt + √(2 D) dW, one step of
    Euler and Maruyama.

    Args:
        volume: Å³.
        inside: pressure now, 2 K / (3 V) minus a third of the trace of the stress, eV/Å³.
        outside: pressure of the bath, eV/Å³.
        thermal: kT of the bath, eV.
        compressibility: β, Å³/eV.
        passed: Δt / τ.
        random: where the noise comes from.

    Returns:
        The new volume, Å³; not a number where it would be none.
    """
    root = np.sqrt(volume)
    drift = -0.5 * compressibility * root * passed * (outside - inside - 0.5 * thermal / volume)
    root += drift + np.sqrt(0.5 * thermal * compressibility * passed) * random.normal()
    return float(root**2) if root > 0 else float("nan")
