"""Numbers that describe the vibrations of a crystal, for models of what depends on them."""

# G structures, N atoms of a structure, M optic modes, F features

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from zonemelt.tasks.atomistic.vibrations import STEP, TOLERANCE, vibrations

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zonemelt.tasks.atomistic.vibrations import Vibrations
    from zonemelt.tasks.crystals import Crystals
    from zonemelt.tasks.potentials.potential import Potential

QUANTILES: Final = (0.1, 0.25, 0.5, 0.75, 0.9)
_NO_SPREAD: Final = 1.0  # cm⁻¹: less is noise


def vibration_features(
    potential: Potential, crystals: Crystals, *, step: float = STEP, tolerance: float | None = TOLERANCE
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Features (G, F) of the Γ-point vibrations of every structure in its given geometry, and their names.

    Frequencies are in cm⁻¹, masses in u, lengths in Å, energies in eV.

    Raises:
        InputError: see :func:`vibrations.vibrations`.
    """
    found = vibrations(potential, crystals, step=step, tolerance=tolerance)
    rows = [described(one, crystals.atoms(index)) for index, one in enumerate(found)]
    names = tuple(rows[0]) if rows else ()
    return np.array([list(row.values()) for row in rows]), names


def described(found: Vibrations, atoms: Any) -> dict[str, float]:
    """The features of one crystal by name."""
    return {
        **_spectrum(found.frequencies_M),
        **_by_species(found, atoms),
        **_stiffness(found, atoms),
        "atoms": float(len(atoms)),
        "volume_per_atom": atoms.get_volume() / len(atoms),
        "residual_force": found.residual_force,
        "pressure": found.pressure,
        "evaluations": float(found.evaluations),
    }


def _spectrum(frequencies_M: NDArray[np.float64]) -> dict[str, float]:
    mean, spread = float(frequencies_M.mean()), float(frequencies_M.std())
    centred = frequencies_M - mean
    return {
        "highest": float(frequencies_M[-1]),
        "second_highest": float(frequencies_M[-2]),
        "lowest": float(frequencies_M[0]),
        "mean": mean,
        "spread": spread,
        "root_mean_square": float(np.sqrt(np.mean(frequencies_M * np.abs(frequencies_M)).clip(0))),
        "skewness": float((centred**3).mean() / spread**3) if spread > _NO_SPREAD else 0.0,
        "highest_over_mean": float(frequencies_M[-1] / mean) if mean > _NO_SPREAD else 0.0,
        "gap_below_highest": float(_widest_gap(frequencies_M)),
        "imaginary_share": float((frequencies_M < 0).mean()),
        **{f"quantile_{q}": float(np.quantile(frequencies_M, q)) for q in QUANTILES},
    }


def _widest_gap(frequencies_M: NDArray[np.float64]) -> float:
    return float(np.diff(frequencies_M).max()) if len(frequencies_M) > 1 else 0.0


def _by_species(found: Vibrations, atoms: Any) -> dict[str, float]:
    """Where light and heavy atoms move: their shares of the modes, and frequencies weighted by these."""
    shares_MN = (found.modes_MN3**2).sum(axis=2)
    masses_N = found.masses_N
    light_N, heavy_N = masses_N == masses_N.min(), masses_N == masses_N.max()
    top_N = shares_MN[-1]
    answer = {
        "mass_mean": float(masses_N.mean()),
        "mass_lightest": float(masses_N.min()),
        "mass_heaviest": float(masses_N.max()),
        "light_fraction": float(light_N.mean()),
        "highest_share_of_light": float(top_N[light_N].sum()),
        "highest_share_of_heavy": float(top_N[heavy_N].sum()),
        "highest_mass": float(1.0 / (top_N / masses_N).sum()),  # the reduced mass of the mode
        "highest_spread_over_atoms": float(1.0 / (len(atoms) * (top_N**2).sum())),
    }
    for name, of_N in (("light", light_N), ("heavy", heavy_N)):
        weights_M = shares_MN[:, of_N].sum(axis=1)
        total = weights_M.sum()
        mean = float(weights_M @ found.frequencies_M / total)
        square = float(weights_M @ (found.frequencies_M * np.abs(found.frequencies_M)) / total)
        answer[f"{name}_mean"] = mean
        answer[f"{name}_root_mean_square"] = float(np.sign(square) * np.sqrt(abs(square)))
    return answer


def _stiffness(found: Vibrations, atoms: Any) -> dict[str, float]:
    """Force constants of atoms against all others, and of the stiffest pair, eV/Å²."""
    blocks_NN33 = found.constants_N3N3.transpose(0, 2, 1, 3)
    own_N = np.einsum("nnii->n", blocks_NN33) / 3
    masses_N = found.masses_N
    pairs_NN = np.linalg.norm(blocks_NN33, axis=(2, 3))
    np.fill_diagonal(pairs_NN, 0.0)
    one, other = np.unravel_index(int(pairs_NN.argmax()), pairs_NN.shape)
    distances_NN = atoms.get_all_distances(mic=True)
    np.fill_diagonal(distances_NN, np.inf)
    rates_N = np.sign(own_N) * np.sqrt(np.abs(own_N) / masses_N)
    return {
        "stiffness_mean": float(own_N.mean()),
        "stiffness_least": float(own_N.min()),
        "stiffness_most": float(own_N.max()),
        "stiffness_light": float(own_N[masses_N == masses_N.min()].mean()),
        "stiffness_heavy": float(own_N[masses_N == masses_N.max()].mean()),
        "einstein_mean": float(rates_N.mean()),
        "einstein_most": float(rates_N.max()),
        "pair_stiffness_most": float(pairs_NN.max()),
        "stiffest_pair_distance": float(distances_NN[one, other]),
        "stiffest_pair_mass": float(1.0 / (1.0 / masses_N[one] + 1.0 / masses_N[other])),
        "nearest_distance": float(distances_NN.min()),
    }
