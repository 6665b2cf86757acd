"""An equivariant message-passing network for energies, from the modules of SevenNet and e3nn."""

# A atoms of all structures, E edges, G structures, Z elements

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zonemelt.tasks.models.batch import Batch
    from zonemelt.tasks.potentials.architecture import PotentialArchitecture


class Equivariant(torch.nn.Module):
    """Energies of structures without reference energies and without a unit (G,).

    Args:
        architecture: with its elements and its number of neighbours.
    """

    def __init__(self, architecture: PotentialArchitecture) -> None:
        super().__init__()
        self.layers = _layers(architecture)

    def forward(self, batch: Batch) -> torch.Tensor:
        """The energies, a function of ``z``, ``edge_index``, ``edge_vector`` and ``batch``."""
        return self.energies(batch, {})

    def energies(self, batch: Batch, more: dict[str, Any]) -> torch.Tensor:
        """The energies, with ``more`` that other modules put in the place of SevenNet's may need."""
        from sevenn import _keys as keys

        from zonemelt.tasks.potentials.convolution import BONDS

        numbers_A = batch["z"]
        bonded = {BONDS: (batch["bond"], batch["bond_edge"])} if "bond" in batch else {}
        data = {
            keys.ATOMIC_NUMBERS: numbers_A,
            keys.NODE_FEATURE: numbers_A,
            keys.EDGE_IDX: batch["edge_index"].flip(0),
            keys.EDGE_VEC: batch["edge_vector"],
            keys.BATCH: batch["batch"],
            **bonded,
            **more,
        }
        energies_G: torch.Tensor = self.layers(data)[keys.PRED_TOTAL_ENERGY]
        return energies_G

    def refine(self) -> None:
        """Give the Wigner symbols all digits of the weights' type: they were made in single precision."""
        from e3nn.o3 import wigner_3j

        for name, buffer in self.named_buffers():
            if "._w3j_" in name:
                degrees = map(int, name.rsplit("_", 3)[1:])
                buffer.copy_(wigner_3j(*degrees, dtype=buffer.dtype, device=buffer.device))

    def multiply(self, factor: float) -> None:
        """Let it give its energies in another unit: so many times as large."""
        with torch.no_grad():
            self.layers.reduce_hidden_to_energy.linear.weight.mul_(factor)

    def weights(self) -> dict[str, torch.Tensor]:
        """What makes this network another than one of the same architecture, by name."""
        return {name: parameter.detach() for name, parameter in self.layers.named_parameters()}

    def give(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take the weights of another network of this architecture.

        Raises:
            RuntimeError: they are those of another architecture.
        """
        own = dict(self.layers.named_parameters())
        if own.keys() != weights.keys():
            differing = sorted(own.keys() ^ weights.keys())
            raise RuntimeError(f"weights that one has and the other has not: {', '.join(differing[:5])}")
        with torch.no_grad():
            for name, parameter in own.items():
                if parameter.shape != weights[name].shape:
                    raise RuntimeError(
                        f"{name} is {tuple(parameter.shape)}, not {tuple(weights[name].shape)}"
                    )
                parameter.copy_(weights[name])


class _OneHot(torch.nn.Module):
    """One-hot vectors of elements in the precision of the edges; SevenNet's are always single."""

    def __init__(self, elements: int) -> None:
        super().__init__()
        self._elements = elements

    def forward(self, data: dict[str, Any]) -> dict[str, Any]:
        from sevenn import _keys as keys

        one_AZ = torch.nn.functional.one_hot(data[keys.NODE_FEATURE], self._elements)
        data[keys.ATOM_TYPE] = data[keys.NODE_FEATURE]
        data[keys.NODE_FEATURE] = data[keys.NODE_ATTR] = one_AZ.to(data[keys.EDGE_VEC].dtype)
        return data


def _layers(architecture: PotentialArchitecture) -> Any:
    """SevenNet without its last steps: those that give the energy a unit, and that differentiate it."""
    from sevenn import _keys as keys
    from sevenn.model_build import build_E3_equivariant_model
    from sevenn.nn.linear import AtomReduce

    from zonemelt.tasks.potentials.convolution import use_ours

    layers: Any = build_E3_equivariant_model(config_of(architecture))
    layers.delete_module_by_key("force_output")
    layers.delete_module_by_key("rescale_atomic_energy")
    layers.key_grad = None
    layers.replace_module("onehot_idx_to_onehot", _OneHot(len(architecture.elements)))
    for module in layers:
        if isinstance(module, AtomReduce):
            module.key_input = keys.SCALED_ATOMIC_ENERGY
    use_ours(layers)
    return layers


def config_of(architecture: PotentialArchitecture) -> dict[str, Any]:
    """The architecture in SevenNet's words."""
    from ase.data import atomic_numbers
    from sevenn import _keys as keys
    from sevenn._const import DEFAULT_E3_EQUIVARIANT_MODEL_CONFIG

    assert architecture.elements
    assert architecture.neighbours is not None
    scalars = f"{architecture.channels[0]}x0e"
    inner = "+".join(f"{count}x{degree}e" for degree, count in enumerate(architecture.channels) if count)
    fades = architecture.fading is not None
    cutoff_function = (
        {keys.CUTOFF_FUNCTION_NAME: "XPLOR", "cutoff_on": architecture.fading}
        if fades
        else {keys.CUTOFF_FUNCTION_NAME: "poly_cut", "poly_cut_p_value": 6}
    )
    return {
        **DEFAULT_E3_EQUIVARIANT_MODEL_CONFIG,
        keys.NUM_SPECIES: len(architecture.elements),
        keys.TYPE_MAP: {atomic_numbers[symbol]: n for n, symbol in enumerate(architecture.elements)},
        keys.CUTOFF: architecture.cutoff,
        keys.NODE_FEATURE_MULTIPLICITY: architecture.channels[0],
        keys.IRREPS_MANUAL: [scalars, *[inner] * (architecture.layers - 1), scalars],
        keys.LMAX: len(architecture.channels) - 1,
        keys.IS_PARITY: False,
        keys.NUM_CONVOLUTION: architecture.layers,
        keys.RADIAL_BASIS: {keys.RADIAL_BASIS_NAME: "bessel", "bessel_basis_num": architecture.basis},
        keys.CUTOFF_FUNCTION: cutoff_function,
        keys.CONVOLUTION_WEIGHT_NN_HIDDEN_NEURONS: list(architecture.hidden),
        keys.CONV_DENOMINATOR: float(architecture.neighbours),
        keys.SELF_CONNECTION_TYPE: architecture.self_connection,
        keys.SHIFT: 0.0,
        keys.SCALE: 1.0,
    }
