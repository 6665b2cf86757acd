"""A potential that is linear in what it learns: fitted in one go, the cheap one to compare others with."""

# A atoms of all structures, E edges, N radial functions, D degrees (l, m), V sums over neighbours
# F features of an atom, M terms of all features, Z elements

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.featurize.graphs import Edges
from zonemelt.tasks.potentials.card import UNITS
from zonemelt.tasks.potentials.cluster_products import MOST, products
from zonemelt.tasks.potentials.edge_potential import EdgePotential
from zonemelt.tasks.theory import Theory  # noqa: TC001 (pydantic reads it)
from zonemelt.tasks.train.model_folder import CARD, WEIGHTS, reading

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from zonemelt.tasks.potentials.cluster_products import Products
    from zonemelt.tasks.potentials.edge_potential import EdgeTensors


class Basis(BaseModel):
    """Which functions of its neighbourhood the energy of an atom is a sum of.

    Those of the atomic cluster expansion: sums over neighbours of radial functions times spherical harmonics,
    apart for each element of the neighbours, and rotation-invariant products of two such sums (R. Drautz,
    Phys. Rev. B 99, 014104 (2019), eqs. 20-24), of three and of four, apart for each element of the centre.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cutoff: float = Field(default=5.0, gt=0, description="Å")
    radial: int = Field(default=6, ge=1, description="radial functions")
    degree: int = Field(default=4, ge=0, description="highest l of spherical harmonics")
    higher: tuple[NonNegativeInt, ...] = Field(
        default=(),
        max_length=MOST - 2,
        description="for products of three, of four sums: what n - 1 and l of all add up to at most",
    )
    elements: tuple[str, ...] = Field(default=(), description="symbols; empty for those of the training set")

    @property
    def edges(self) -> Edges:
        """Of the graphs it reads: all within the cutoff, else the energy would jump."""
        return Edges(cutoff=self.cutoff, k=None)

    @property
    def products(self) -> Products:
        """The functions as polynomials of the sums."""
        return products(len(self.elements), self.radial, self.degree, self.higher)

    @property
    def features(self) -> int:
        """How many functions there are for a centre (F)."""
        return len(self.products.roughness_F)

    def functions(self, vectors_E3: torch.Tensor) -> torch.Tensor:
        """Radial functions times spherical harmonics of each edge (E, radial, D), zero from the cutoff on."""
        import torch
        from e3nn.o3 import spherical_harmonics

        lengths_E = vectors_E3.norm(dim=1)
        share_E = (lengths_E / self.cutoff).clamp(max=1.0)
        fading_E = (0.5 * (1 + torch.cos(math.pi * share_E))) ** 2
        orders = torch.arange(1, self.radial + 1, dtype=vectors_E3.dtype, device=vectors_E3.device)
        radial_EN = torch.sin(math.pi * share_E[:, None] * orders) * (fading_E / share_E)[:, None]
        angular_ED = spherical_harmonics(list(range(self.degree + 1)), vectors_E3, normalize=True)
        found: torch.Tensor = radial_EN[:, :, None] * angular_ED[:, None, :]
        return found

    def sums(
        self, functions_END: torch.Tensor, centre_E: torch.Tensor, kind_E: torch.Tensor, atoms: int
    ) -> torch.Tensor:
        """Sums over the neighbours of each atom, apart for each of their elements, and a 1 (A, V + 1)."""
        import torch

        kinds = len(self.elements)
        sums = functions_END.new_zeros(atoms * kinds, *functions_END.shape[1:])
        sums_AV = sums.index_add(0, centre_E * kinds + kind_E, functions_END).reshape(atoms, -1)
        return torch.cat([sums_AV, sums_AV.new_ones(atoms, 1)], dim=1)


class LinearCard(BaseModel):
    """What a linear potential is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["linear potential"] = "linear potential"
    basis: Basis
    references: dict[str, float] = Field(description="symbol → energy of an atom, eV")
    theory: Theory = Field(description="of the labels")
    units: dict[str, str] = UNITS
    ridge: float = Field(description="chosen on the validation part, in units of the mean curvature")
    training: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    licence: str = ""


def kinds_of(numbers_A: torch.Tensor, elements: tuple[str, ...]) -> torch.Tensor:
    """Which of some elements each atom is of (A,), in their order."""
    import torch
    from ase.data import atomic_numbers

    table = torch.zeros(max(atomic_numbers.values()) + 1, dtype=torch.long)
    for place, symbol in enumerate(elements):
        table[atomic_numbers[symbol]] = place
    return table.to(numbers_A.device)[numbers_A]


class Linear(EdgePotential):
    """Energies of atoms as weighted sums of the functions of a basis, plus reference energies.

    Args:
        name: for messages.
        card: of it.
        weights_ZF: eV, of each element of the centre.
        device: where to compute.
        dtype: in which.
    """

    def __init__(
        self,
        name: str,
        card: LinearCard,
        weights_ZF: torch.Tensor,
        *,
        device: str = "cpu",
        dtype: str = "float64",
    ) -> None:
        import torch

        self.name, self.card, self.device, self.dtype = name, card, device, dtype
        self.elements, self.theory, self.licence = frozenset(card.references), card.theory, card.licence
        self.cutoff = card.basis.cutoff
        polynomials = card.basis.products
        self._factors_M4 = polynomials.factors_M4
        self._weights_ZF = weights_ZF.double().cpu()
        weights_ZM = self._weights_ZF.numpy()[:, polynomials.feature_M]
        self._weights_ZM = np.ascontiguousarray(weights_ZM * polynomials.coefficients_M)
        references = [card.references[symbol] for symbol in card.basis.elements]
        self._references_Z = torch.tensor(references, dtype=torch.float64, device=device)

    def energies(self, edges: EdgeTensors) -> torch.Tensor:
        """The energy of each structure (G,), eV, in double precision."""
        basis = self.card.basis
        kind_A = kinds_of(edges.numbers_A, basis.elements)
        sums_AV = basis.sums(
            basis.functions(edges.vectors_E3),
            edges.centre_E,
            kind_A[edges.neighbour_E],
            len(edges.numbers_A),
        )
        energies_A = _polynomials(sums_AV, kind_A, self._factors_M4, self._weights_ZM)
        return energies_A.new_zeros(edges.structures).index_add(
            0, edges.structure_A, energies_A + self._references_Z[kind_A]
        )


def _polynomials(
    sums_AV: torch.Tensor,
    kind_A: torch.Tensor,
    factors_M4: NDArray[np.int32],
    weights_ZM: NDArray[np.float64],
) -> torch.Tensor:
    """Energies of atoms (A,), in double precision, that can be differentiated once."""
    import torch

    class Polynomials(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, sums_AV: torch.Tensor) -> torch.Tensor:
            from zonemelt.tasks.potentials.cluster_kernels import energies

            sums = sums_AV.detach().double().cpu().numpy()
            energies_A, slopes_AV = energies(sums, kind_A.cpu().numpy(), factors_M4, weights_ZM)
            ctx.save_for_backward(torch.from_numpy(slopes_AV).to(sums_AV))
            return torch.from_numpy(energies_A).to(sums_AV.device)

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx: Any, turned_A: torch.Tensor) -> torch.Tensor:
            (slopes_AV,) = ctx.saved_tensors
            found: torch.Tensor = slopes_AV * turned_A[:, None].to(slopes_AV)
            return found

    found: torch.Tensor = Polynomials.apply(sums_AV)  # type: ignore[no-untyped-call]
    return found


def load(folder: Path, *, device: str = "cpu", dtype: str = "float64") -> Linear:
    """Load one from its folder.

    Raises:
        InputError: there is none, or it is damaged.
    """
    from safetensors.torch import load_file

    with reading(folder, "linear potential"):
        card = LinearCard.model_validate_json((folder / CARD).read_text(encoding="utf-8"))
        weights_ZF = load_file(folder / WEIGHTS)["weights_ZF"]
    if weights_ZF.shape != (len(card.basis.elements), card.basis.features):
        raise InputError(
            f"{tuple(weights_ZF.shape)} weights for {card.basis.features} functions",
            where=str(folder),
            remedy="its two files do not belong together: fit it again",
        )
    return Linear(str(folder), card, weights_ZF, device=device, dtype=dtype)
