"""What a potential is trained on: errors of energies, forces and virials, all in one scale."""

# A atoms of a batch, E edges, G structures

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from zonemelt.tasks.potentials.derivatives import forces, slopes, virials

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from zonemelt.tasks.train.objective import Batch

TERMS: Final = ("energy", "forces", "stress")


class Terms(BaseModel):
    """The loss: the sum over terms of weight times mean loss.

    Errors are divided by the root mean square s of the training forces. Those of energies are per atom, and
    those of stresses are of virials, stress times volume, per atom: so a weight means the same whatever the
    sizes of the cells are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: dict[str, float] = Field(
        default={"energy": 1.0, "forces": 1.0},
        description="of energy, forces, stress; what is absent is not learnt",
    )
    final_weights: dict[str, float] | None = Field(
        default=None, description="of the same terms in the last epoch; between, they change linearly"
    )
    loss: Literal["huber", "mse", "mae"] = Field(default="huber", description="of each number")
    delta: float = Field(default=0.1, gt=0, description="in units of s, where huber goes from square to line")

    @field_validator("weights", "final_weights")
    @classmethod
    def _known(cls, weights: dict[str, float] | None) -> dict[str, float] | None:
        if weights is not None:
            if strange := sorted(set(weights) - set(TERMS)):
                raise ValueError(f"'{strange[0]}' is none of {', '.join(TERMS)}")
            if not weights or min(weights.values()) < 0 or not max(weights.values()) > 0:
                raise ValueError("weights must be positive, or zero for some of the terms")
        return weights

    @model_validator(mode="after")
    def _same_terms(self) -> Self:
        if self.final_weights is not None and self.final_weights.keys() != self.weights.keys():
            first, last = (", ".join(terms) for terms in (self.weights, self.final_weights))
            raise ValueError(
                f"weights are of {first}, final_weights of {last}: give both of the same terms, 0 where one "
                "does not count at first or in the end"
            )
        return self

    def weights_at(self, share: float) -> dict[str, float]:
        """The weights when a share of the training, from 0 to 1, is done."""
        last = self.final_weights or self.weights
        return {name: (1 - share) * self.weights[name] + share * last[name] for name in self.weights}


@dataclass(frozen=True, kw_only=True)
class Derivatives:
    """What a network says of a batch, divided by the scale s.

    Attributes:
        energies_G: of structures (G,), without reference energies.
        forces_A3: on atoms (A, 3).
        virials_G33: stress times volume (G, 3, 3).
    """

    energies_G: torch.Tensor
    forces_A3: torch.Tensor
    virials_G33: torch.Tensor


def differentiated(model: torch.nn.Module, batch: Batch, *, keep: bool) -> Derivatives:
    """Go through a network forward and back.

    Args:
        model: gives energies from ``z``, ``edge_index``, ``edge_vector`` and ``batch``.
        batch: of structures.
        keep: whether the result is differentiated once more.
    """
    import torch

    vectors_E3 = batch["edge_vector"].detach().requires_grad_()
    read = [name for name in ("z", "edge_index", "batch", "bond", "bond_edge") if name in batch]
    inputs = {name: batch[name] for name in read} | {"edge_vector": vectors_E3}
    with torch.enable_grad():
        energies_G = model(inputs)
        slopes_E3 = slopes(energies_G, vectors_E3, keep=keep)
    neighbour_E, centre_E = batch["edge_index"]
    return Derivatives(
        energies_G=energies_G,
        forces_A3=forces(slopes_E3, centre_E, neighbour_E, atoms=len(batch["z"])),
        virials_G33=virials(
            slopes_E3, vectors_E3.detach(), batch["batch"][centre_E], structures=len(energies_G)
        ),
    )


def errors(found: Derivatives, batch: Batch, *, scale: float) -> dict[str, torch.Tensor]:
    """The scaled error of every number; NaN where there is no label.

    Args:
        found: by the network.
        batch: with the labels ``labels_GP``, of which the first is the energy per atom without reference
            energies, divided by the scale; ``forces`` (A, 3), eV/Å; ``stress`` (G, 3, 3), eV/Å³.
        scale: eV/Å.

    Returns:
        ``energy`` (G,) per atom; ``forces`` (A, 3); ``stress`` (G, 3, 3), virials per atom.
    """
    energies_G = found.energies_G
    sizes_G = batch["ptr"].diff().to(energies_G.dtype)
    volumes_G = batch["cell"].det().abs()
    per_atom_G = (volumes_G / sizes_G / scale)[:, None, None]
    return {
        "energy": energies_G / sizes_G - batch["labels_GP"][:, 0].to(energies_G.dtype),
        "forces": found.forces_A3 - batch["forces"].to(energies_G.dtype) / scale,
        "stress": found.virials_G33 / sizes_G[:, None, None]
        - batch["stress"].to(energies_G.dtype) * per_atom_G,
    }


def present(batch: Batch) -> dict[str, torch.Tensor]:
    """Which labels there are, in the shapes of :func:`errors`."""
    labels = {"energy": batch["labels_GP"][:, 0], "forces": batch["forces"], "stress": batch["stress"]}
    return {name: values.isfinite() for name, values in labels.items()}


@dataclass(frozen=True, kw_only=True)
class PotentialObjective:
    """Energies, forces and stresses together; see :class:`.objective.Objective`.

    Attributes:
        terms: with which weights and losses.
        scale: root mean square of the training forces, eV/Å.
        epochs: of the training, over which weights change.
    """

    terms: Terms
    scale: float
    epochs: int

    @property
    def weights(self) -> Mapping[str, float]:
        """The weight of each term in the first epoch."""
        return self.terms.weights

    def weights_in(self, epoch: int) -> dict[str, float]:
        """The weights of the terms in an epoch."""
        return self.terms.weights_at(epoch / max(self.epochs - 1, 1))

    def counts(self, batch: Batch) -> dict[str, int]:
        """How many labels there are: energies, components of forces and of stresses."""
        there = present(batch)
        return {name: int(there[name].sum()) for name in self.weights}

    def totals(self, model: torch.nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """The summed losses; a missing label adds nothing, and its gradient is exactly zero."""
        import torch

        found = errors(differentiated(model, batch, keep=True), batch, scale=self.scale)
        there = present(batch)  # of the labels: what the network says must stay what it is, a NaN too
        return {name: self._loss(torch.where(there[name], found[name], 0.0)).sum() for name in self.weights}

    def _loss(self, error: torch.Tensor) -> torch.Tensor:
        """Of each number; far from zero, huber's is the absolute error, but for a constant."""
        if self.terms.loss == "mse":
            return error**2
        if self.terms.loss == "mae":
            return error.abs()
        delta = self.terms.delta
        small = error.abs().clamp(max=delta)
        return small * (error.abs() - 0.5 * small) / delta
