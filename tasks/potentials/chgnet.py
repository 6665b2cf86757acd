"""CHGNet: message passing over atoms, bonds and angles, with the weights that come with its package."""

# A atoms of all structures, E edges (each way), B bonds (once), L angles, G structures

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.potentials.bonds import bonds
from zonemelt.tasks.potentials.edge_potential import EdgePotential
from zonemelt.tasks.potentials.weights import packaged, read_weights
from zonemelt.tasks.theory import Theory

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from zonemelt.tasks.featurize.neighbours import Neighbours
    from zonemelt.tasks.potentials.edge_potential import EdgeTensors

FILES: Final = {
    "chgnet-0.3.0": "0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar",
    "chgnet-r2scan": "r2scan/chgnet_r2scan_transfer_learning_e15f36s161m23.pth.tar",
}
"""Name → file within the package's ``pretrained``."""


class Chgnet(EdgePotential):
    """CHGNet (Deng et al., Nat. Mach. Intell. 5, 1031 (2023)); energies are corrected as in the MP."""

    licence = "BSD-3-Clause"

    def __init__(
        self, name: str, path: Path, *, theory: Theory, device: str = "cpu", dtype: str = "float32"
    ) -> None:
        import torch
        from ase.data import chemical_symbols

        self.name, self.device, self.dtype, self.theory = name, device, dtype, theory
        self.model = _built(read_weights(path), str(path)).to(device, getattr(torch, dtype)).eval()
        self.model.requires_grad_(requires_grad=False)
        self.cutoff = float(self.model.graph_converter.atom_graph_cutoff)
        self._bond_cutoff = float(self.model.graph_converter.bond_graph_cutoff)
        known = self.model.atom_embedding.embedding.num_embeddings
        self.elements = frozenset(chemical_symbols[1 : known + 1])

    def energies(self, edges: EdgeTensors) -> torch.Tensor:
        """The energy of each structure (G,), eV."""
        import torch

        energies_G = self.model._compute(self._graph(edges))["e"]  # noqa: SLF001
        counts_G = torch.bincount(edges.structure_A, minlength=edges.structures)
        if self.model.is_intensive:
            energies_G = energies_G * counts_G
        references_A = self.model.composition_model.fc.weight[0, edges.numbers_A - 1]
        total: torch.Tensor = energies_G.index_add(0, edges.structure_A, references_A)
        return total

    def _graph(self, edges: EdgeTensors) -> Any:
        """The graph that the network takes, of all structures at once."""
        import torch
        from chgnet.model.model import BatchedGraph

        vectors_E3 = edges.vectors_E3
        lengths_E = vectors_E3.norm(dim=1)
        bond_E, first_B = bonds(edges.neighbours)
        bond_of_E, first_of_B = (torch.from_numpy(a).to(self.device) for a in (bond_E, first_B))
        one_L, other_L = (
            torch.from_numpy(a).to(self.device) for a in _pairs(edges.neighbours, self._bond_cutoff)
        )
        basis = self.model.bond_basis_expansion
        units_E3 = vectors_E3 / lengths_E[:, None]
        return BatchedGraph(
            atomic_numbers=edges.numbers_A,
            bond_bases_ag=basis.rbf_expansion_ag(lengths_E[first_of_B]),
            bond_bases_bg=basis.rbf_expansion_bg(lengths_E[first_of_B]),
            angle_bases=self.model.angle_basis_expansion(units_E3[one_L], units_E3[other_L]),
            batched_atom_graph=torch.stack([edges.centre_E, edges.neighbour_E], dim=1),
            batched_bond_graph=torch.stack(
                [edges.centre_E[one_L], bond_of_E[one_L], bond_of_E[other_L]], dim=1
            ),
            atom_owners=edges.structure_A,
            directed2undirected=bond_of_E,
            atom_positions=(),
            strains=(),
            volumes=(),
        )


def load(name: str, *, device: str = "cpu", dtype: str = "float32") -> Chgnet:
    """Load one that comes with the package."""
    path = packaged("chgnet", f"pretrained/{FILES[name]}")
    return Chgnet(name, path, theory=theory_of(name), device=device, dtype=dtype)


def theory_of(name: str) -> Theory:
    """What the labels of one that comes with the package were computed with."""
    corrected = name != "chgnet-r2scan"
    return Theory(
        code="vasp",
        version=f"as of the Materials Project, {'corrected by MP2020' if corrected else 'uncorrected'}",
        functional="PBE" if corrected else "r2SCAN",
    )


def _pairs(found: Neighbours, cutoff: float) -> NDArray[np.int64]:
    """Pairs of bonds at an atom (2, L): all ordered ones of two edges within the cutoff."""
    from zonemelt.tasks.featurize.line_graphs import line_graph

    return line_graph(found, cutoff=cutoff).index_2L


def _built(checkpoint: dict[str, Any], where: str) -> Any:
    from chgnet.model.model import CHGNet

    from zonemelt.tasks.potentials.chgnet_layers import use_ours

    model = checkpoint.get("model")
    if not (isinstance(model, dict) and {"model_args", "state_dict"} <= model.keys()):
        raise InputError("it is no checkpoint of CHGNet", where=where, remedy="give one that chgnet wrote")
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123  it prints
        built = CHGNet.from_dict(model)
    use_ours(built)
    return built
