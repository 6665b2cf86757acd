"""Elastic constants of many crystals from the stresses of strained copies with relaxed ions."""

# G structures, D deformations of each

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import Field

from zonemelt.tasks.atomistic.evaluation import evaluated_stage
from zonemelt.tasks.atomistic.fleet import Pace
from zonemelt.tasks.atomistic.relax import Outcome, relaxed_stage
from zonemelt.tasks.atomistic.rest import RestSettings, Result, at_rest, deformed
from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zonemelt.tasks.potentials.potential import Potential

LARGEST: Final = 0.2


@dataclass(frozen=True, kw_only=True)
class ElasticSettings(RestSettings):
    """Which strains.

    Attributes:
        strains: of Green and Lagrange, of each of the six components in turn.
        ions: whether positions relax in the strained cells.
    """

    strains: tuple[float, ...] = (-0.01, -0.005, 0.005, 0.01)
    ions: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        known = set(self.strains)
        if len(known) < 2 or 0 in known or max(map(abs, known)) > LARGEST:  # noqa: PLR2004  a line's points
            raise InputError(
                f"strains {self.strains}",
                where="elastic",
                remedy=f"give two or more that differ, none of them 0 or beyond {LARGEST}",
            )


class Elasticity(Result):
    """The elastic tensor of one crystal, in the axes of its geometry; moduli in GPa."""

    stiffness: list[list[float]] | None = Field(
        default=None, description="6 x 6, order xx, yy, zz, yz, xz, xy, GPa"
    )
    bulk_modulus: float | None = Field(default=None, description="Voigt, Reuss and Hill, GPa")
    shear_modulus: float | None = Field(default=None, description="Voigt, Reuss and Hill, GPa")
    youngs_modulus: float | None = Field(default=None, description="of the average, GPa")
    poisson_ratio: float | None = Field(default=None, description="of the average")
    anisotropy: float | None = Field(
        default=None, description="universal: S. Ranganathan, M. Ostoja-Starzewski, PRL 101, 055504 (2008)"
    )
    stable: bool | None = Field(default=None, description="Born: every strain costs energy")
    left_out: int = Field(default=0, description="strained cells in which positions did not come to rest")


def elasticities(
    potential: Potential,
    crystals: Crystals,
    settings: ElasticSettings | None = None,
    *,
    pace: Pace | None = None,
) -> list[Elasticity]:
    """Elastic constants of every structure, all strained copies of all structures together.

    The second Piola-Kirchhoff stress over the Green-Lagrange strain, one straight line for each pair of
    components (M. de Jong et al., Sci. Data 2, 150009 (2015)), then the tensor made symmetric.

    Args:
        potential: gives stresses; in double precision.
        crystals: repeating in all directions.
        settings: see :class:`ElasticSettings`.
        pace: checkpoints, and when to stop.

    Returns:
        One document for each, with a reason where there are no constants.

    Raises:
        InputError: an element the potential does not know, or a structure without a volume.
        OutOfTimeError: there was no time.
    """
    settings, pace = settings or ElasticSettings(), pace or Pace()
    rest = at_rest(potential, crystals, settings, pace=pace)
    strains_D33 = _strains(settings.strains)
    gradients_D33 = np.array([_gradient(strain_33) for strain_33 in strains_D33])
    strained = Crystals.of_atoms(
        deformed(rest.crystals, index, gradient_33)
        for index in rest.fine_F.tolist()
        for gradient_33 in gradients_D33
    )
    fine = np.ones(len(strained), bool)
    if settings.ions:
        relaxed = relaxed_stage(
            potential, strained, settings.relaxation(cell=False), pace=pace, stage="strained"
        )
        strained = relaxed.crystals
        fine = np.array([one is Outcome.CONVERGED for one in relaxed.outcomes], bool)
    found = evaluated_stage(
        potential,
        strained,
        stress=True,
        atoms_in_flight=settings.atoms_in_flight,
        pace=pace,
        stage="stresses",
    )
    assert found.stresses_G33 is not None
    count = len(strains_D33)
    answers = []
    places = {index: row for row, index in enumerate(rest.fine_F.tolist())}
    for index in range(len(crystals)):
        if index not in places:
            answers.append(Elasticity(**rest.about(potential, index)))
            continue
        rows = slice(places[index] * count, (places[index] + 1) * count)
        numbers, reason = _constants(strains_D33, gradients_D33, found.stresses_G33[rows], fine[rows])
        answers.append(
            Elasticity(
                **rest.about(potential, index, reason=reason), left_out=int((~fine[rows]).sum()), **numbers
            )
        )
    return answers


def _strains(amounts: tuple[float, ...]) -> NDArray[np.float64]:
    """None, then symmetric strains with one component other than zero (D, 3, 3)."""
    strains = [np.zeros((3, 3))]
    for row, column in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)):
        for amount in amounts:
            strain_33 = np.zeros((3, 3))
            strain_33[row, column] = strain_33[column, row] = amount
            strains.append(strain_33)
    return np.array(strains)


def _gradient(strain_33: NDArray[np.float64]) -> NDArray[np.float64]:
    """The symmetric deformation gradient with this Green-Lagrange strain: FᵀF = 1 + 2E."""
    squares_3, axes_33 = np.linalg.eigh(np.eye(3) + 2 * strain_33)
    gradient_33: NDArray[np.float64] = (axes_33 * np.sqrt(squares_3)) @ axes_33.T
    return gradient_33


def _constants(
    strains_D33: NDArray[np.float64],
    gradients_D33: NDArray[np.float64],
    stresses_D33: NDArray[np.float64],
    fine_D: NDArray[np.bool_],
) -> tuple[dict[str, Any], str | None]:
    """The numbers of an :class:`Elasticity`, or why there are none."""
    from ase import units
    from pymatgen.core.elasticity.elastic import ElasticTensor
    from pymatgen.core.elasticity.strain import Strain
    from pymatgen.core.elasticity.stress import Stress

    fine_D = fine_D & np.isfinite(stresses_D33).all(axis=(1, 2))
    left = fine_D[1:].reshape(6, -1).sum(axis=1)
    if not fine_D[0] or left.min() < 2:  # noqa: PLR2004  a line
        return {}, "for some component fewer than two strained cells are left"
    cauchy: list[Any] = [Stress(0.5 * (one_33 + one_33.T) / units.GPa) for one_33 in stresses_D33[fine_D]]
    strains = [Strain(strain_33) for strain_33 in strains_D33[fine_D]][1:]
    unstrained, *stresses = [
        stress.piola_kirchoff_2(gradient_33)
        for stress, gradient_33 in zip(cauchy, gradients_D33[fine_D], strict=True)
    ]
    tensor = ElasticTensor.from_independent_strains(strains, stresses, eq_stress=unstrained).voigt_symmetrized
    stiffness_66 = np.array(tensor.voigt)
    stable = bool(np.linalg.eigvalsh(stiffness_66).min() > 0)
    numbers: dict[str, Any] = {"stiffness": stiffness_66.tolist(), "stable": stable}
    if not stable:  # averages have no meaning
        return numbers, None
    return numbers | {
        "bulk_modulus": float(tensor.k_vrh),
        "shear_modulus": float(tensor.g_vrh),
        "youngs_modulus": float(tensor.y_mod) / 1e9,
        "poisson_ratio": float(tensor.homogeneous_poisson),
        "anisotropy": float(tensor.universal_anisotropy),
    }, None
