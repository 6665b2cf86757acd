"""How each library makes its calculator of ASE from a published name or from a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import InputError, UnknownKeyError
from zonemelt.tasks.potentials.foreign.library import Loaded, elements_of_mp

if TYPE_CHECKING:
    from zonemelt.tasks.potentials.foreign.library import Asked


def mace(asked: Asked) -> Loaded:
    """``mace-torch``: the file is a whole model, pickled."""
    from ase.data import chemical_symbols
    from mace.calculators import MACECalculator, mace_mp

    options = {"device": asked.device, "default_dtype": asked.dtype}
    if asked.is_file:
        calculator: Any = MACECalculator(model_paths=asked.source, **options)
    else:
        calculator = mace_mp(asked.source, **options)
    return Loaded(
        calculator=calculator,
        elements=[chemical_symbols[number] for number in calculator.z_table.zs],
        cutoff=float(calculator.r_max),
    )


def matgl(asked: Asked) -> Loaded:
    """``matgl``: a folder of three files, which name the classes that they are given to."""
    import matgl
    from matgl.ext.ase import PESCalculator

    asked.single("matgl")
    potential: Any = matgl.load_model(asked.source)
    calculator = PESCalculator(potential.to(asked.device), stress_unit="eV/A3", use_voigt=True)
    return Loaded(calculator=calculator, elements=calculator.element_types, cutoff=float(calculator.cutoff))


def orb(asked: Asked) -> Loaded:
    """``orb-models``: a file of weights alone; its name says of which of the published models."""
    from orb_models.forcefield import pretrained
    from orb_models.forcefield.calculator import ORBCalculator

    known: dict[str, Any] = pretrained.ORB_PRETRAINED_MODELS
    name = Path(asked.source).stem if asked.is_file else asked.source
    if asked.is_file and name not in known:
        name = name.rpartition("-")[0]  # without the date of the file
    if name not in known:
        raise UnknownKeyError.of(name, known, where=f"orb:{asked.source}")
    options = {"weights_path": asked.source} if asked.is_file else {}
    model = known[name](
        device=asked.device,
        precision="float64" if asked.dtype == "float64" else "float32-highest",
        compile=False,
        **options,
    )
    return Loaded(calculator=ORBCalculator(model, device=asked.device), elements=elements_of_mp())


def grace(asked: Asked) -> Loaded:
    """``tensorpotential``: a folder with a SavedModel of TensorFlow."""
    from tensorpotential.calculator import TPCalculator, grace_fm

    calculator: Any = TPCalculator(model=asked.source) if asked.is_file else grace_fm(asked.source)
    return Loaded(
        calculator=calculator, elements=list(calculator.element_map), cutoff=float(calculator.cutoff)
    )


def mattersim(asked: Asked) -> Loaded:
    """``mattersim``: a checkpoint of PyTorch."""
    from mattersim.forcefield import MatterSimCalculator, Potential

    asked.single("mattersim")
    potential = Potential.from_checkpoint(asked.source, device=asked.device, load_training_state=False)
    return Loaded(
        calculator=MatterSimCalculator(potential=potential, device=asked.device), elements=elements_of_mp()
    )


def fairchem(asked: Asked) -> Loaded:
    """``fairchem-core`` 2: a checkpoint of UMA, used for inorganic crystals (its task ``omat``)."""
    from fairchem.core import FAIRChemCalculator

    asked.single("fairchem")
    calculator = FAIRChemCalculator.from_model_checkpoint(
        asked.source, task_name="omat", device=asked.device, inference_settings="batch"
    )
    return Loaded(calculator=calculator, elements=elements_of_mp())


def ocp(asked: Asked) -> Loaded:
    """``fairchem-core`` 1: a checkpoint of eqV2 or eSEN."""
    try:
        from fairchem.core import OCPCalculator
    except ImportError as error:
        raise InputError(
            "this fairchem-core is of version 2, which reads no checkpoint of eqV2 or eSEN",
            where=f"ocp:{asked.source}",
            remedy="pip install 'fairchem-core<2', in an environment of its own",
        ) from error
    asked.single("ocp")
    source = {"checkpoint_path": asked.source} if asked.is_file else {"model_name": asked.source}
    calculator = OCPCalculator(
        **source, local_cache=str(Path.home() / ".cache" / "fairchem"), cpu=asked.device == "cpu"
    )
    return Loaded(calculator=calculator, elements=elements_of_mp())
