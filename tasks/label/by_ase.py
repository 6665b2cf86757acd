"""Label with any calculator of ASE that an allow-list names, or with ASE's own simple potentials."""

from __future__ import annotations

import importlib.metadata
import time
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.convert.atoms import record_of_atoms
from zonemelt.tasks.errors import InputError, OracleAbsentError, OracleError, UnfitStructureError
from zonemelt.tasks.label.digest import digest, host, short_hash
from zonemelt.tasks.label.static import run_static
from zonemelt.tasks.own_code import CALCULATORS, imported, listed
from zonemelt.tasks.quality.judge import Limits, geometry_faults
from zonemelt.tasks.records import Computed, Convergence
from zonemelt.tasks.theory import Theory

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from zonemelt.tasks.label.settings import AseSettings, EmtSettings
    from zonemelt.tasks.records import Geometry, Record

ALLOWED: Final = (
    "ase.calculators.emt:EMT",
    "ase.calculators.lj:LennardJones",
    "ase.calculators.morse:MorsePotential",
    "ase.calculators.eam:EAM",
)
"""Calculators that a campaign file may name without more ado: they read data and run nothing."""


def label(geometry: Geometry, settings: AseSettings, *, identifier: str, workdir: Path) -> Record:
    """Energy, forces and stress of one structure by a calculator of ASE.

    Args:
        geometry: the structure.
        settings: which calculator, and its arguments.
        identifier: name of the record.
        workdir: unused: these calculators write no files that count.

    Raises:
        InputError: the calculator is not allowed, or its arguments are not its own.
        OracleAbsentError: its package is not there.
        OracleError: it has no answer for this structure.
    """
    del workdir
    made = calculator_of(settings)
    theory = Theory(
        code=f"ase calculator {settings.calculator}",
        version=_version(settings.calculator),
        functional=settings.functional,
        spin=False if settings.is_dft else None,
        protocol=_digest(settings),
        is_dft=settings.is_dft,
    )
    return _labelled(
        geometry, made, theory, identifier=identifier, oracle="ase",
        asked=settings.model_dump(mode="json", exclude={"admitted"}),
    )  # fmt: skip


def calculator_of(settings: AseSettings) -> Any:
    """The calculator that is named, made with its arguments; nothing is computed.

    Raises:
        InputError: it is not allowed, its arguments are not its own, or it is no calculator that gives
            energies and forces.
        OracleAbsentError: its module is not there or cannot be imported, or it cannot be made.
    """
    admit(settings)
    factory = imported(settings.calculator, where="oracles.ase.calculator", error=OracleAbsentError)
    try:
        made = factory(**settings.arguments)
    except TypeError as error:
        raise InputError(
            f"{settings.calculator} does not take these arguments: {error}", where="oracles.ase.arguments",
            remedy="give the calculator's own keywords",
        ) from None  # fmt: skip
    except Exception as error:
        raise OracleAbsentError(
            f"{settings.calculator} cannot be made: {type(error).__name__}: {error}",
            where="oracles.ase", remedy="see what it needs: files, a program, other arguments",
        ) from error  # fmt: skip
    given = getattr(made, "implemented_properties", None)
    lacking = [name for name in ("energy", "forces") if name not in (given or ())]
    if given is None or lacking:
        raise InputError(
            f"{settings.calculator} gives no {' and no '.join(lacking)}" if given is not None
            else f"{settings.calculator} makes no calculator of ASE but {type(made).__name__}",
            where="oracles.ase.calculator",
            remedy="name a calculator whose implemented_properties are energy, forces and, better, stress",
        )  # fmt: skip
    return made


def answer(settings: AseSettings) -> str:
    """What a calculator is and gives, in words; see :func:`calculator_of`."""
    given = calculator_of(settings).implemented_properties
    said = [name for name in ("energy", "forces", "stress") if name in given]
    return f"{settings.calculator}: {', '.join(said)}" + ("" if "stress" in given else ", no stress")


def check_emt(elements: Iterable[str], *, where: str) -> None:
    """Refuse elements that EMT does not know.

    Raises:
        UnfitStructureError: naming them.
    """
    from ase.calculators.emt import parameters

    if unknown := sorted(set(elements) - set(parameters)):
        raise UnfitStructureError(
            f"EMT has no parameters for {', '.join(unknown)}",
            where=where,
            remedy=f"choose elements among {', '.join(sorted(parameters))}, or another oracle",
        )


def emt(geometry: Geometry, settings: EmtSettings, *, identifier: str, workdir: Path) -> Record:
    """Label with ASE's effective-medium theory: instant, smooth, metallic, and not DFT.

    Args:
        geometry: the crystal.
        settings: nothing to set.
        identifier: name of the record.
        workdir: unused: EMT writes no files.

    Raises:
        UnfitStructureError: EMT has no parameters for an element.
    """
    import ase
    from ase.calculators.emt import EMT

    del workdir
    check_emt(geometry.symbols, where=identifier)
    theory = Theory(
        code="ase-emt",
        version=ase.__version__,
        functional="effective-medium theory (a toy potential, not DFT)",
        spin=False,
        is_dft=False,
    )
    return _labelled(
        geometry, EMT(), theory, identifier=identifier, oracle="emt", asked=settings.model_dump()
    )


def admit(settings: AseSettings) -> None:
    """Refuse a calculator that nobody has allowed on this machine.

    A module that a campaign file names is imported, which runs its code: the list is kept by who runs the
    campaign, in the environment, and not by who wrote the file.

    Raises:
        InputError: it is neither one of ASE's own nor named in the environment.
    """
    path = settings.calculator
    if path not in (*allowed(), settings.admitted):
        raise InputError(
            f"the calculator {path} is not allowed here",
            where="oracles.ase.calculator",
            remedy=f"if you trust it, name it in ${CALCULATORS} (with commas between several); "
            f"allowed are {', '.join(allowed())}",
        )


def allowed() -> tuple[str, ...]:
    """All calculators that may be named on this machine."""
    return (*ALLOWED, *listed(CALCULATORS))


def _labelled(
    geometry: Geometry,
    calculator: Any,
    theory: Theory,
    *,
    identifier: str,
    oracle: str,
    asked: dict[str, Any],
) -> Record:
    if faults := list(geometry_faults(geometry, Limits())):
        raise UnfitStructureError("; ".join(faults), where=identifier, remedy="leave the structure out")
    started, cpu = time.perf_counter(), time.process_time()
    atoms = geometry.atoms()
    try:
        run_static(atoms, calculator)
    except Exception as error:  # noqa: BLE001 (whatever a calculator raises is its answer)
        shapes = _wrong_shape(calculator, len(atoms))
        raise OracleError(
            f"{type(calculator).__name__}: {shapes or f'{type(error).__name__}: {error}'}", where=identifier,
            remedy="mend its results" if shapes else "see whether it knows these elements, and its arguments",
        ) from None  # fmt: skip
    results = calculator.results
    if wrong := _wrong_shape(calculator, len(atoms)):
        raise OracleError(
            f"{type(calculator).__name__}: {wrong}", where=identifier, remedy="mend its results"
        )
    record = record_of_atoms(
        atoms,
        identifier=identifier,
        theory=theory,
        # a potential's energy is one: nothing is smeared
        energy_free=results.get("free_energy", None if theory.is_dft else results["energy"]),
        convergence=Convergence(electronic=None if theory.is_dft else True, complete=True),
        provenance=Computed(
            oracle=oracle,
            input_digest=digest(geometry, asked),
            seconds=time.perf_counter() - started,
            cpu_seconds=time.process_time() - cpu,
            host=host(),
        ),
    )
    return record.model_copy(update={"geometry": geometry})


def _digest(settings: AseSettings) -> str:
    return short_hash(settings.model_dump(mode="json", include={"calculator", "arguments"}))


def _wrong_shape(calculator: Any, atoms: int) -> str:
    """What is wrong with the shapes of a calculator's results, in words; empty where nothing is."""
    import numpy as np

    right: dict[str, list[tuple[int, ...]]] = {
        "energy": [()], "forces": [(atoms, 3)], "stress": [(6,), (9,), (3, 3)],
    }  # fmt: skip
    for name, shapes in right.items():
        value = getattr(calculator, "results", {}).get(name)
        if value is not None and (shape := np.shape(value)) not in shapes:
            return f"the shape of its {name} is {shape}, not {' or '.join(map(str, shapes))}"
    return ""


def _version(path: str) -> str | None:
    package = path.partition(":")[0].partition(".")[0]
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
