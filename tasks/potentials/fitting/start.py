"""The potential whose weights a training begins with: one of ours, or a published SevenNet."""

# N structures, Z elements

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.potentials.architecture import PotentialArchitecture
from zonemelt.tasks.train.model_folder import CARD

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import torch
    from numpy.typing import NDArray

    from zonemelt.tasks.potentials.equivariant import Equivariant
    from zonemelt.tasks.potentials.fitting.labels import Labels
    from zonemelt.tasks.train.labelled import Labelled

_TOGETHER = 16  # structures in a batch


@dataclass(frozen=True, kw_only=True)
class Start:
    """A trained potential, taken apart.

    Attributes:
        name: under which it was loaded.
        architecture: complete.
        weights: of the network.
        scale: eV/Å.
        references: symbol → eV.
        licence: of the weights.
    """

    name: str
    architecture: PotentialArchitecture
    weights: Mapping[str, torch.Tensor]
    scale: float
    references: Mapping[str, float]
    licence: str

    def check(self, elements: Collection[str]) -> None:
        """Refuse elements that it has never seen.

        Raises:
            InputError: naming them.
        """
        if strange := sorted(set(elements) - set(self.references)):
            raise InputError(
                f"{self.name} does not know {', '.join(strange)}",
                where="training set",
                remedy="begin with another potential, or with random weights",
            )

    def references_for(
        self,
        network: Equivariant,
        scale: float,
        labelled: Labelled,
        labels: Labels,
        *,
        device: torch.device,
    ) -> dict[str, float]:
        """Reference energies for new labels: its own, and the smallest correction that takes them closest.

        Other codes, setups and functionals have other zeros of energy; what the weights know does not depend
        on them.

        Args:
            network: with these weights.
            scale: of its energies, eV.
            labelled: the collection.
            labels: of the training rows.
            device: where to compute.
        """
        from zonemelt.tasks.potentials.fitting.labels import reference_energies

        self.check(labels.elements)
        own = {symbol: self.references[symbol] for symbol in labels.elements}
        said_N = scale * _energies(network, labelled, labels.rows_N, self.architecture, device)
        shifts_Z = reference_energies(labels.counts_NZ, labels.without(own) - said_N)
        return {symbol: own[symbol] + shift for symbol, shift in zip(own, shifts_Z.tolist(), strict=True)}


def start_of(name: str) -> Start:
    """Take a potential apart.

    Args:
        name: of a folder of a potential trained here, or of a SevenNet whose weights come with its package.

    Raises:
        UnknownKeyError: there is neither.
        InputError: it is damaged, or has an architecture that cannot be trained here.
    """
    from zonemelt.tasks.potentials.sevennet import FILES

    if (Path(name) / CARD).is_file():
        return _of_folder(Path(name))
    if name in FILES:
        return _of_sevennet(name)
    raise UnknownKeyError.of(name, FILES, where="start (or the folder of a potential trained here)")


def _of_folder(folder: Path) -> Start:
    from zonemelt.tasks.potentials.card import read_potential

    network, card = read_potential(folder)
    return Start(
        name=str(folder), architecture=card.network, weights=network.weights(), scale=card.scale,
        references=card.references, licence=card.licence,
    )  # fmt: skip


def _of_sevennet(name: str) -> Start:
    import torch
    from sevenn.checkpoint import _config_cp_routine
    from sevenn.model_build import build_E3_equivariant_model
    from sevenn.scripts.backward_compatibility import patch_state_dict_if_old

    from zonemelt.tasks.potentials.sevennet import FILES, SevenNet
    from zonemelt.tasks.potentials.weights import packaged, read_weights

    checkpoint = read_weights(packaged("sevenn", f"pretrained_potentials/{FILES[name]}"))
    config = _config_cp_routine(checkpoint["config"])  # type: ignore[no-untyped-call]
    denominator = checkpoint["model_state_dict"].get("0_convolution.denominator", torch.ones(1))
    architecture = _architecture(name, config, float(denominator))
    theirs: Any = build_E3_equivariant_model(config)
    state = patch_state_dict_if_old(checkpoint["model_state_dict"], config, theirs)  # type: ignore[no-untyped-call]
    theirs.load_state_dict(state)
    own = dict(theirs.named_parameters())
    rescale = {
        key: own.pop(f"rescale_atomic_energy.{key}").detach().reshape(-1) for key in ("shift", "scale")
    }
    scales = rescale["scale"].unique().tolist()
    if len(scales) > 1:
        raise _unfit(name, "each element has a scale of its own")
    return Start(
        name=name,
        architecture=architecture,
        weights={key: value.detach() for key, value in own.items()},
        scale=float(scales[0]),
        references=dict(zip(architecture.elements, rescale["shift"].tolist(), strict=True)),
        licence=SevenNet.licence,
    )


def _architecture(name: str, config: Mapping[str, Any], neighbours: float) -> PotentialArchitecture:
    """SevenNet's words as ours.

    Raises:
        InputError: ours have no word for something.
    """
    from ase.data import chemical_symbols
    from e3nn.o3 import Irreps
    from sevenn import _keys as keys

    if config.get(keys.USE_MODALITY) or config[keys.IS_PARITY] or config[keys.READOUT_AS_FCN]:
        raise _unfit(name, "it has several fidelities, or another kind of network")
    first, inner, *_ = (Irreps(text) for text in config[keys.IRREPS_MANUAL])
    channels = [0] * (inner.lmax + 1)
    for count, kind in inner:
        channels[kind.l] = count
    by_number = sorted(config[keys.TYPE_MAP].items(), key=lambda pair: pair[1])
    cutoff = config[keys.CUTOFF_FUNCTION]
    found = PotentialArchitecture(
        cutoff=config[keys.CUTOFF],
        channels=tuple(channels),
        layers=config[keys.NUM_CONVOLUTION],
        basis=config[keys.RADIAL_BASIS]["bessel_basis_num"],
        hidden=tuple(config[keys.CONVOLUTION_WEIGHT_NN_HIDDEN_NEURONS]),
        fading=cutoff["cutoff_on"] if cutoff[keys.CUTOFF_FUNCTION_NAME] == "XPLOR" else None,
        self_connection=config[keys.SELF_CONNECTION_TYPE],
        elements=tuple(chemical_symbols[number] for number, _ in by_number),
        neighbours=neighbours,
    )
    if first.dim != channels[0] or cutoff.get("poly_cut_p_value", 6) != 6:  # noqa: PLR2004  their default
        raise _unfit(name, "another kind of network")
    return found


def _unfit(name: str, what: str) -> InputError:
    return InputError(what, where=name, remedy="begin with sevennet-0, or with a potential trained here")


def _energies(
    network: Equivariant,
    labelled: Labelled,
    rows_N: NDArray[np.int64],
    architecture: PotentialArchitecture,
    device: torch.device,
) -> NDArray[np.float64]:
    """What a network says of structures (N,), without a unit."""
    import torch

    network = network.to(device).eval()
    found = []
    with torch.no_grad():
        for start in range(0, len(rows_N), _TOGETHER):
            graphs = labelled.source.read(rows_N[start : start + _TOGETHER])
            batch = architecture.batch(graphs, dtype="float32").to(device)
            found.append(network(batch).double().cpu().numpy())
    return np.concatenate(found)
