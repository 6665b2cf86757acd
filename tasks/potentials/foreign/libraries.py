"""The libraries of potentials that can be asked, in one table."""

from __future__ import annotations

from typing import Final

from zonemelt.tasks.potentials.foreign import calculators
from zonemelt.tasks.potentials.foreign.library import (
    MATPES_PBE,
    MATPES_R2SCAN,
    MATTERSIM,
    MP,
    OMAT,
    Library,
    Published,
)

_MIT_MP: Final = Published(theory=MP, licence="MIT")
_ASL: Final = "Academic Software License: for academic use"
_UNSAID: Final = "not said on the page of the model; the library is BSD-3-Clause"
_FAIR: Final = "FAIR Chemistry License: conditions apply; an account at Hugging Face is needed"

LIBRARIES: Final[dict[str, Library]] = {
    one.name: one
    for one in (
        Library(
            name="mace",
            module="mace",
            packages="'zonemelt[mace]'",
            environment="mace-torch pins an e3nn that sevenn cannot use",
            load=calculators.mace,
            files="a model saved by mace-torch, such as medium.model",
            models={
                **dict.fromkeys(("small", "medium", "large", "medium-0b3", "medium-mpa-0"), _MIT_MP),
                "medium-omat-0": Published(theory=OMAT, licence=_ASL),
                "mace-matpes-pbe-0": Published(theory=MATPES_PBE, licence=_ASL),
                "mace-matpes-r2scan-0": Published(theory=MATPES_R2SCAN, licence=_ASL),
            },
        ),
        Library(
            name="matgl",
            module="matgl",
            packages="'zonemelt[matgl]'",
            environment="",
            load=calculators.matgl,
            files="a folder with model.pt, state.pt and model.json",
            models={
                "TensorNet-PES-MatPES-PBE-2025.2": Published(theory=MATPES_PBE, licence=_UNSAID),
                "TensorNet-PES-MatPES-r2SCAN-2025.2": Published(theory=MATPES_R2SCAN, licence=_UNSAID),
            },
        ),
        Library(
            name="orb",
            module="orb_models",
            packages="'zonemelt[orb]'",
            environment="orb-models holds back filelock and rich",
            load=calculators.orb,
            files="the published file of weights, under its published name",
            runs_code=False,
            models={
                "orb-v2": Published(theory=MP, licence="Apache-2.0"),
                "orb-v3-conservative-inf-mpa": Published(theory=MP, licence="Apache-2.0"),
                "orb-v3-conservative-inf-omat": Published(theory=OMAT, licence="Apache-2.0"),
                "orb-v3-conservative-20-omat": Published(theory=OMAT, licence="Apache-2.0"),
            },
        ),
        Library(
            name="grace",
            module="tensorpotential",
            packages="'zonemelt[grace]'",
            environment="tensorpotential brings TensorFlow",
            load=calculators.grace,
            files="a folder with a SavedModel and its metadata.yaml",
            models={
                **dict.fromkeys(
                    ("GRACE-1L-OAM", "GRACE-2L-OAM", "GRACE-2L-OMAT-large-ft-AM"),
                    Published(theory=MP, licence=_ASL),
                ),
                **dict.fromkeys(("GRACE-1L-OMAT", "GRACE-2L-OMAT"), Published(theory=OMAT, licence=_ASL)),
            },
        ),
        Library(
            name="mattersim",
            module="mattersim",
            packages="'zonemelt[mattersim]'",
            environment="mattersim brings clients of clouds and its own pins",
            load=calculators.mattersim,
            files="a checkpoint of MatterSim, such as mattersim-v1.0.0-1M.pth",
            models=dict.fromkeys(
                ("MatterSim-v1.0.0-1M", "MatterSim-v1.0.0-5M"), Published(theory=MATTERSIM, licence="MIT")
            ),
        ),
        Library(
            name="fairchem",
            module="fairchem.core",
            packages="'zonemelt[fairchem]'",
            environment="fairchem-core pins torch and brings CUDA packages",
            load=calculators.fairchem,
            files="a checkpoint of UMA, such as uma-s-1p1.pt",
            models=dict.fromkeys(("uma-s-1p1", "uma-m-1p1"), Published(theory=OMAT, licence=_FAIR)),
        ),
        Library(
            name="ocp",
            module="fairchem.core",
            packages="'fairchem-core<2'",
            environment="it needs an older torch",
            load=calculators.ocp,
            files="a checkpoint of eqV2 or eSEN, such as eqV2_31M_omat.pt or esen_30m_oam.pt",
        ),
    )
}
