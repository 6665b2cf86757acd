"""Label with a DFT code: checked beforehand, run, and run again with safer numerics where it fails."""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from zonemelt.tasks.convert.atoms import record_of_atoms
from zonemelt.tasks.errors import OracleAbsentError, OracleError, UnconvergedError
from zonemelt.tasks.label.codes.common import Task, initial_moments
from zonemelt.tasks.label.digest import digest, host
from zonemelt.tasks.label.kpoints import kpoints_of
from zonemelt.tasks.label.launched import ProgramFailedError, tail_of
from zonemelt.tasks.label.protocols import find_protocol
from zonemelt.tasks.label.pseudopotentials import checked_files, setups_of
from zonemelt.tasks.label.sanity import check_structure
from zonemelt.tasks.label.static import run_static
from zonemelt.tasks.records import Computed, Convergence, Property

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from zonemelt.tasks.label.codes.common import DftCode, Said
    from zonemelt.tasks.label.protocol import Protocol
    from zonemelt.tasks.label.settings import DftSettings
    from zonemelt.tasks.records import Geometry, Record

MODULES: Final = {
    "qe": "zonemelt.tasks.label.codes.espresso",
    "abinit": "zonemelt.tasks.label.codes.abinit",
    "gpaw": "zonemelt.tasks.label.codes.gpaw",
}
_WORDS: Final = {"name", "title", "source"}


@dataclass(kw_only=True)
class _Tally:
    """What the attempts at one label came to so far."""

    started: float = field(default_factory=time.monotonic)
    cpu_seconds: float = 0.0
    told: list[str] = field(default_factory=list)


def code_named(name: str) -> DftCode:
    """The module that speaks to a code."""
    return cast("DftCode", importlib.import_module(MODULES[name]))


def label(geometry: Geometry, settings: DftSettings, *, identifier: str, workdir: Path) -> Record:
    """Energies, forces and stress of one crystal by a DFT code.

    Where the electronic cycle does not converge or the code fails, the protocol's safer numerics are tried,
    one after the other, each in a folder of its own.

    Args:
        geometry: the crystal.
        settings: the protocol, and where the program and its files are.
        identifier: name of the record.
        workdir: where inputs and logs are written.

    Raises:
        OracleAbsentError: the program or a pseudopotential is not there.
        UnfitStructureError: the structure is refused before anything is run.
        UnconvergedError: no attempt converged; the reasons of all are in the message.
        OracleError: no attempt came to a result.
    """
    code = code_named(settings.code)
    protocol = find_protocol(settings.protocol, code=settings.code, where=f"oracles.{settings.code}.protocol")
    argv = code.EXECUTABLE.find(settings.command)
    folder = settings.pseudopotential_folder()
    files = {}
    if protocol.pseudopotentials:
        files = checked_files(protocol, geometry.symbols, folder=folder, identifier=identifier)
    kpoints = kpoints_of(geometry, protocol)
    check_structure(geometry, protocol, kpoints=kpoints, files=files, identifier=identifier)
    tally, failure = _Tally(), OracleError("nothing was tried")
    for name, numerics in protocol.attempts():
        place = workdir / name.replace(" ", "-") if tally.told else workdir
        place.mkdir(parents=True, exist_ok=True)
        task = Task(
            geometry=geometry, protocol=protocol, numerics=numerics, kpoints=kpoints, files=files,
            pseudopotentials=folder, folder=place.absolute(), argv=argv, timeout=settings.timeout,
        )  # fmt: skip
        try:
            said, atoms = _attempt(code, task, identifier=identifier, tally=tally)
        except OracleAbsentError:
            raise
        except OracleError as error:
            tally.told.append(f"{name}: {error.what}")
            failure = error
            continue
        return _record(
            atoms, code=code, task=task, said=said, tally=tally, settings=settings, identifier=identifier,
            attempt=name,
        )  # fmt: skip
    kind = UnconvergedError if isinstance(failure, UnconvergedError) else OracleError
    raise kind("\n".join(tally.told), where=f"label {identifier} in {workdir}", remedy=failure.remedy)


def _attempt(code: DftCode, task: Task, *, identifier: str, tally: _Tally) -> tuple[Said, Any]:
    """One run of the code: what its log says, and the atoms that carry the results."""
    atoms = initial_moments(task)
    calculator = code.calculator(task)
    logs = (task.folder / code.LOG, task.folder / f"{code.LOG}.err")
    for log in logs:  # of an earlier run in the same folder
        log.unlink(missing_ok=True)
    try:
        run_static(atoms, calculator)
    except FileNotFoundError as error:
        if error.filename == task.argv[0]:
            raise OracleAbsentError(
                f"there is no program {task.argv[0]}", where=identifier, remedy=code.EXECUTABLE.install
            ) from None
        raise _explained(error, code=code, task=task, identifier=identifier) from None
    except OSError:  # a full disk, a lost file system: the machine's doing, for which the job goes again
        raise
    except Exception as error:  # noqa: BLE001 (whatever the code or its reader raises is its answer)
        raise _explained(error, code=code, task=task, identifier=identifier) from None
    finally:
        tally.cpu_seconds += sum(run.cpu_seconds for run in calculator.profile.runs)
    said = code.said(task.folder)
    if said.converged is not True:
        raise _explained(None, code=code, task=task, identifier=identifier)
    return said, atoms


def _explained(error: Exception | None, *, code: DftCode, task: Task, identifier: str) -> OracleError:
    """The failure in words, with the tail of the code's log."""
    said = code.said(task.folder)
    tail = tail_of(*said.logs)
    where = f"label {identifier} in {task.folder}"
    program = code.EXECUTABLE.program
    if said.absent:
        return OracleAbsentError(
            f"{task.argv[0]}: {said.fault}",
            where=f"oracle {code.EXECUTABLE.oracle}",
            remedy=code.EXECUTABLE.install,
        )
    if said.converged is False or (error is None and said.converged is None):
        return UnconvergedError(
            f"the electronic cycle of {program} did not converge in {task.numerics.max_iterations} iterations"
            + (f"\n    {tail}" if tail else ""),
            where=where,
            remedy="give the protocol a safer variant (mixing, max_iterations), or check the structure",
        )
    cause = said.fault or (
        str(error) if isinstance(error, ProgramFailedError) else f"{type(error).__name__}: {error}"
    )
    if isinstance(error, ProgramFailedError) and said.fault:
        cause = f"{error.what}: {said.fault}"
    return OracleError(
        f"{program}: {cause}" + (f"\n    {tail}" if tail else ""), where=where, remedy=f"read {said.logs[0]}"
    )


def _record(
    atoms: Any,
    *,
    code: DftCode,
    task: Task,
    said: Said,
    tally: _Tally,
    settings: DftSettings,
    identifier: str,
    attempt: str,
) -> Record:
    properties = {}
    if tally.told:
        properties["attempts"] = Property(value="; ".join([*map(_first_line, tally.told), attempt]), unit="")
    record = record_of_atoms(
        atoms,
        identifier=identifier,
        theory=task.protocol.theory(
            version=said.version, setups=setups_of(task.files) if task.files else said.setups
        ),
        convergence=Convergence(electronic=True, complete=True, iterations=said.iterations),
        provenance=Computed(
            oracle=settings.code,
            input_digest=digest(task.geometry, task.protocol.model_dump(mode="json", exclude=_WORDS)),
            seconds=time.monotonic() - tally.started,
            cpu_seconds=tally.cpu_seconds,
            host=host(),
            log=str(task.folder.name + "/" if tally.told else "") + code.LOG,
        ),
        properties=properties,
    )
    return record.model_copy(update={"geometry": task.geometry})


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def resolved(settings: DftSettings) -> DftSettings:
    """The settings with their protocol written out, as jobs are given them.

    Raises:
        InputError: there is no such protocol.
    """
    protocol: Protocol = find_protocol(
        settings.protocol, code=settings.code, where=f"oracles.{settings.code}.protocol"
    )
    written = protocol.model_dump(mode="json", exclude_defaults=True)
    return settings.model_copy(update={"protocol": written})


def answer(settings: DftSettings, elements: Iterable[str] | None = None) -> str:
    """Where the program is, after a look at whether it and the files of the protocol are there.

    Args:
        settings: of the oracle.
        elements: whose files are needed; None: of all that the protocol names.

    Raises:
        UnfitStructureError: the protocol has no file for an element.
        InputError: there is no such protocol.
        OracleAbsentError: the program or a file is not there, or is not the one meant.
    """
    code = code_named(settings.code)
    protocol = find_protocol(settings.protocol, code=settings.code, where=f"oracles.{settings.code}.protocol")
    argv = code.EXECUTABLE.find(settings.command)
    folder = settings.pseudopotential_folder()
    files = ""
    if protocol.pseudopotentials:
        needed = protocol.pseudopotentials if elements is None else elements
        found = checked_files(protocol, needed, folder=folder, identifier="elements")
        files = f", {len(found)} pseudopotentials in {folder}"
    version = code.EXECUTABLE.ask(argv)
    program = f"{code.EXECUTABLE.program} {version} at {argv[0]}"
    return f"{program}, protocol {protocol.name} ({protocol.digest}){files}"
