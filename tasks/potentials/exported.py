"""Potentials as files for other programs: TorchScript that LAMMPS runs, where the library offers it."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.potentials.weights import packaged
from zonemelt.tasks.train.model_folder import CARD
from zonemelt.tasks.whole_files import whole_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.tasks.potentials.card import PotentialCard
    from zonemelt.tasks.potentials.equivariant import Equivariant

PAIR_STYLE: Final = "e3gnn"
"""Of LAMMPS, in the version that sevenn patches: ``sevenn_patch_lammps``."""
ELSEWHERE: Final = {
    "mace": "mace_create_lammps_model FILE, of mace-torch",
    "matgl": "matgl.ext.lammps, of matgl",
    "grace": "a SavedModel is what pair_style grace of LAMMPS reads",
    "linear": "nobody offers a pair style for it: use it from ASE or here",
    "chgnet": "chgnet offers no pair style: use it from ASE or here",
}


def export_torchscript(potential: str, path: Path) -> dict[str, Any]:
    """Write a SevenNet, or a network trained here, as sevenn deploys it for LAMMPS.

    Energies are those of :func:`.load_potential`, with their reference energies; forces are what the program
    differentiates. Single precision.

    Args:
        potential: a SevenNet by its name, or the folder of a network.
        path: of the file, ending in ``.pt``.

    Returns:
        ``potential``, ``file``, ``elements`` in the order of their types, ``cutoff`` (Å) and ``pair_style``.

    Raises:
        InputError: the potential is of another kind; with what its library offers. Or the path is none.
    """
    from ase.data import chemical_symbols

    from zonemelt.tasks.potentials.load import load_potential
    from zonemelt.tasks.potentials.sevennet import FILES

    if path.suffix != ".pt":
        raise InputError(
            f"it ends in '{path.suffix}'", where=str(path), remedy="name a file that ends in .pt"
        )
    modal = "PBE" if potential == "sevennet-mf-0" else None
    if potential in FILES:
        _deploy(packaged("sevenn", f"pretrained_potentials/{FILES[potential]}"), path, modal=modal)
        opened: Any = load_potential(potential)
        by_type = sorted(opened.model.type_map.items(), key=lambda pair: pair[1])
        elements, cutoff = [chemical_symbols[number] for number, _ in by_type], opened.cutoff
    elif _is_network(Path(potential)):
        from zonemelt.tasks.potentials.card import read_potential

        network, card = read_potential(Path(potential))
        with _checkpoint(network, card) as checkpoint:
            _deploy(checkpoint, path)
        elements, cutoff = list(card.network.elements), card.network.cutoff
    else:
        raise _not_offered(potential)
    return {
        "potential": potential, "file": str(path), "elements": elements, "cutoff": cutoff,
        "pair_style": PAIR_STYLE,
    }  # fmt: skip


def _is_network(folder: Path) -> bool:
    import json

    try:
        return bool(json.loads((folder / CARD).read_text(encoding="utf-8"))["kind"] == "potential")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _not_offered(potential: str) -> InputError:
    """What there is instead of an export, for a potential that load_potential opens or not."""
    from zonemelt.tasks.potentials.load import load_potential

    kind = potential.partition(":")[0].partition("-")[0]
    if kind not in ELSEWHERE:
        opened = load_potential(potential)  # whoever does not know it says so
        kind = "linear" if type(opened).__name__ == "Linear" else ""
    return InputError(
        "it cannot be written as TorchScript here",
        where=potential,
        remedy=ELSEWHERE.get(kind, "export its members, or a SevenNet or a network trained here"),
    )


@contextlib.contextmanager
def _checkpoint(network: Equivariant, card: PotentialCard) -> Iterator[Path]:
    """A network with its scale and reference energies as a checkpoint of SevenNet, for a while."""
    import torch
    from sevenn import _keys as keys
    from sevenn.model_build import build_E3_equivariant_model

    from zonemelt.tasks.potentials.equivariant import config_of

    elements = card.network.elements
    config = {
        **config_of(card.network),
        keys.SHIFT: [card.references.get(symbol, 0.0) for symbol in elements],
        keys.SCALE: card.scale,
        keys.USE_SPECIES_WISE_SHIFT_SCALE: True,
        "version": _version(),
    }
    whole: Any = build_E3_equivariant_model(config)
    own = dict(whole.named_parameters())
    with torch.no_grad():
        for name, value in network.weights().items():
            own[name].copy_(value)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.pth"
        torch.save({"config": config, "model_state_dict": whole.state_dict()}, path)
        yield path


def _deploy(checkpoint: Path, path: Path, *, modal: str | None = None) -> None:
    """Write TorchScript by sevenn's own deployment, whole or not at all."""
    from sevenn.scripts.deploy import deploy

    with (
        whole_file(path) as temporary,
        tempfile.TemporaryDirectory(dir=path.parent) as folder,
        contextlib.redirect_stdout(sys.stderr),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        made = Path(folder) / "deployed.pt"  # it writes to no other kind of name
        deploy(checkpoint, str(made), modal=modal)
        made.replace(temporary)


def _version() -> str:
    from importlib.metadata import version

    return version("sevenn")
