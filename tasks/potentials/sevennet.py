"""SevenNet: equivariant message passing, with the weights that come with its package."""

# A atoms of all structures, E edges, G structures

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.potentials.bonds import bond_tensors
from zonemelt.tasks.potentials.edge_potential import EdgePotential
from zonemelt.tasks.potentials.weights import packaged, read_weights
from zonemelt.tasks.theory import Theory

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from zonemelt.tasks.potentials.edge_potential import EdgeTensors

FILES: Final = {
    "sevennet-0": "SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth",
    "sevennet-l3i5": "SevenNet_l3i5/checkpoint_l3i5.pth",
    "sevennet-mf-0": "SevenNet_MF_0/checkpoint_sevennet_mf_0.pth",
}
"""Name → file within the package's ``pretrained_potentials``."""


class SevenNet(EdgePotential):
    """SevenNet (Park et al., J. Chem. Theory Comput. 20, 4857 (2024)), of one of its fidelities."""

    licence = "MIT"  # of sevenn 0.13, in which they come; of earlier ones GPL-3.0

    def __init__(
        self,
        name: str,
        path: Path,
        *,
        fidelity: str | None = None,
        device: str = "cpu",
        dtype: str = "float32",
    ) -> None:
        import torch
        from ase.data import chemical_symbols

        self.name, self.device, self.dtype = name, device, dtype
        self.model = _built(read_weights(path), str(path)).to(device, getattr(torch, dtype)).eval()
        self.model.requires_grad_(requires_grad=False)
        self.model.onehot_idx_to_onehot.register_forward_hook(self._in_our_precision)
        self.cutoff = float(self.model.cutoff)
        self.elements = frozenset(chemical_symbols[number] for number in self.model.type_map)
        self._fidelity = self._chosen(fidelity)
        self.theory = theory_of(fidelity)

    @property
    def layers(self) -> Any:
        """The modules of the network, in their order."""
        return self.model

    def _chosen(self, fidelity: str | None) -> int | None:
        known = self.model.modal_map or {}
        self.model.eval_modal_map = False  # the number of the fidelity is given below
        if fidelity is None and not known:
            return None
        if fidelity not in known:
            raise InputError(
                f"no fidelity '{fidelity}'" if fidelity else "it has several fidelities, and none was chosen",
                where=self.name,
                remedy=f"choose among: {', '.join(known)}" if known else "it has only one: give none",
            )
        return int(known[fidelity])

    def _in_our_precision(self, _module: Any, _inputs: Any, data: dict[str, Any]) -> dict[str, Any]:
        """Its one-hot vectors are always of single precision."""
        import torch
        from sevenn import _keys as keys

        for key in (keys.NODE_FEATURE, keys.NODE_ATTR):
            data[key] = data[key].to(getattr(torch, self.dtype))
        return data

    def energies(self, edges: EdgeTensors) -> torch.Tensor:
        """The energy of each structure (G,), eV."""
        import torch
        from sevenn import _keys as keys

        from zonemelt.tasks.potentials.convolution import BONDS

        data: dict[str, Any] = {
            keys.ATOMIC_NUMBERS: edges.numbers_A,
            keys.NODE_FEATURE: edges.numbers_A,
            keys.EDGE_IDX: torch.stack([edges.centre_E, edges.neighbour_E]),
            keys.EDGE_VEC: edges.vectors_E3,
            keys.BATCH: edges.structure_A,
            keys.NUM_ATOMS: torch.bincount(edges.structure_A, minlength=edges.structures),
            BONDS: bond_tensors(edges.neighbours, self.device),
        }
        if self._fidelity is not None:
            data[keys.MODAL_TYPE] = torch.full((edges.structures,), self._fidelity, device=self.device)
        energies_G: torch.Tensor = self.model(data)[keys.PRED_TOTAL_ENERGY]
        return energies_G.reshape(edges.structures)


def load(name: str, *, fidelity: str | None = None, device: str = "cpu", dtype: str = "float32") -> SevenNet:
    """Load one that comes with the package."""
    path = packaged("sevenn", f"pretrained_potentials/{FILES[name]}")
    if name == "sevennet-mf-0" and fidelity is None:
        fidelity = "PBE"
    return SevenNet(name, path, fidelity=fidelity, device=device, dtype=dtype)


def _built(checkpoint: dict[str, Any], where: str) -> Any:
    """The network of a checkpoint, without its last module, which would differentiate once more."""
    from sevenn.checkpoint import _config_cp_routine
    from sevenn.model_build import build_E3_equivariant_model
    from sevenn.scripts.backward_compatibility import patch_state_dict_if_old

    from zonemelt.tasks.potentials.convolution import use_ours

    if not {"config", "model_state_dict"} <= checkpoint.keys():
        raise InputError("it is no checkpoint of SevenNet", where=where, remedy="give one that sevenn wrote")
    config = _config_cp_routine(checkpoint["config"])  # type: ignore[no-untyped-call]
    model: Any = build_E3_equivariant_model(config)
    state = patch_state_dict_if_old(checkpoint["model_state_dict"], config, model)  # type: ignore[no-untyped-call]
    model.load_state_dict(state)
    model.delete_module_by_key("force_output")
    model.key_grad = None
    use_ours(model)
    return model


def theory_of(fidelity: str | None) -> Theory:
    """The labels are of the Materials Project's trajectories, with U where it has U."""
    functional = "r2SCAN" if fidelity == "R2SCAN" else "PBE"
    return Theory(code="vasp", version="as of the Materials Project, uncorrected", functional=functional)
