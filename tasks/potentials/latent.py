"""What an equivariant potential knows of crystals: features for models of any property.

A potential that was trained on millions of energies has seen more chemistry than a small data set ever will.
Its layers describe the surroundings of each atom; the invariant part of that serves other properties, too.
"""

# A atoms of all structures, G structures, L layers, F features

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jobflow import job

from zonemelt.tasks.crystals import Crystals
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.potentials.load import load_potential
from zonemelt.tasks.potentials.potential import passes
from zonemelt.tasks.records import Geometry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from zonemelt.tasks.potentials.potential import Potential

    Floats = NDArray[np.float64]

_GATE: Final = "equivariant_gate"
"""In the names of the modules that end a layer of SevenNet."""


def latent_features(potential: Potential, crystals: Crystals) -> tuple[Floats, tuple[str, ...]]:
    """Features (G, F) of whole structures, dimensionless, and their names.

    Of each invariant feature of each layer the mean, the standard deviation, the largest and the least over
    the atoms: the same for any supercell, and for any order of the atoms.

    Args:
        potential: a SevenNet, or an equivariant network trained here.
        crystals: G structures.

    Raises:
        InputError: the potential has no such layers, or see :meth:`.Potential.check`.
    """
    potential.check(crystals)
    rows: list[Floats] = []
    names: tuple[str, ...] = ()
    for some in passes(crystals.sizes_G, potential.atoms_at_once):
        part = crystals.take(some)
        with _watched(potential) as seen:
            potential.evaluate_some(part, forces=False, stress=False)
        features_AF = np.hstack(list(seen.values()))
        names = tuple(f"layer {layer} feature {i}" for layer, x in seen.items() for i in range(x.shape[1]))
        rows += [_pooled(one_AF) for one_AF in np.split(features_AF, np.cumsum(part.sizes_G)[:-1])]
    pooled = tuple(f"{name}, {how}" for how in ("mean", "deviation", "largest", "least") for name in names)
    return np.array(rows).reshape(len(rows), len(pooled)), pooled


def _pooled(one_AF: Floats) -> Floats:
    return np.concatenate([one_AF.mean(0), one_AF.std(0), one_AF.max(0), one_AF.min(0)])


@contextmanager
def _watched(potential: Potential) -> Iterator[dict[int, Floats]]:
    """What the layers make of the atoms while the potential is used: the number of the layer → (A, F)."""
    from sevenn import _keys as keys

    seen: dict[int, Floats] = {}

    def note(layer: int, invariant: int) -> Any:
        def hook(_module: Any, _inputs: Any, data: dict[str, Any]) -> None:
            seen[layer] = data[keys.NODE_FEATURE].detach()[:, :invariant].double().cpu().numpy()

        return hook

    handles = [
        module.register_forward_hook(note(layer, _invariant(module)))
        for layer, module in enumerate(_gates(potential))
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _gates(potential: Potential) -> list[Any]:
    layers = getattr(potential, "layers", None)
    gates = [] if layers is None else [one for name, one in layers.named_children() if _GATE in name]
    if not gates:
        raise InputError(
            f"{potential.name} has no layers to look into",
            where="features of a potential",
            remedy="choose a SevenNet, or an equivariant network trained here",
        )
    return gates


def _invariant(gate: Any) -> int:
    """How many features do not change under rotations; they come first."""
    first = gate.gate.irreps_out[0]
    return int(first.mul) if first.ir.l == 0 else 0


@job
def latent_job(*, potential: str, geometries: list[dict[str, Any]], device: str = "cpu") -> dict[str, Any]:
    """Features of structures from the layers of a potential.

    Args:
        potential: see :func:`.load_potential`.
        geometries: :class:`Geometry` as dictionaries.
        device: "cpu" or "cuda".

    Returns:
        ``potential``; ``names`` of the features; ``features``, a list for each structure.

    Raises:
        InputError: see :func:`latent_features`.
    """
    loaded = load_potential(potential, device=device)
    crystals = Crystals.of(Geometry.model_validate(one) for one in geometries)
    features_GF, names = latent_features(loaded, crystals)
    return {"potential": loaded.name, "names": list(names), "features": features_GF.tolist()}
