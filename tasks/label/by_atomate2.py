"""Label with atomate2's own makers of VASP, CP2K and ABINIT, and the error handlers that they bring."""

from __future__ import annotations

import contextlib
import importlib
import resource
import shlex
import time
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.convert.documents.read import records_of_document
from zonemelt.tasks.errors import OracleAbsentError, OracleError, UnconvergedError, UnfitStructureError
from zonemelt.tasks.executables import Executable
from zonemelt.tasks.label.digest import digest, host, short_hash
from zonemelt.tasks.programs import ProgramRanks
from zonemelt.tasks.quality.judge import Limits, geometry_faults
from zonemelt.tasks.records import Computed, Record

if TYPE_CHECKING:
    from pathlib import Path

    from zonemelt.tasks.label.settings import Atomate2Settings
    from zonemelt.tasks.records import Geometry

EXECUTABLES: Final = {
    "vasp": Executable(
        oracle="vasp", program="vasp_std", variable="ZONEMELT_VASP", version="",
        install="install VASP, for which you need a licence, or load its module in the site's setup",
    ),
    "cp2k": Executable(
        oracle="cp2k", program="cp2k.psmp", variable="ZONEMELT_CP2K", version="",
        install="install CP2K (Debian: apt install cp2k cp2k-data), or load its module",
    ),
    "abinit_atomate2": Executable(
        oracle="abinit_atomate2", program="abinit", variable="ZONEMELT_ABINIT", version="",
        install="`make oracle ORACLE=abinit`, and pip install 'abipy>=1'",
    ),
}  # fmt: skip


def label(geometry: Geometry, settings: Atomate2Settings, *, identifier: str, workdir: Path) -> Record:
    """Energies, forces and stress of one crystal by a maker of atomate2.

    Its document is read as every such document is. Errors of the code are mended by custodian's handlers
    where the maker has them; what they give up on is given up on here.

    Args:
        geometry: the crystal.
        settings: the maker, and changes of its input.
        identifier: name of the record.
        workdir: where the code runs: atomate2 works in the current directory, which this becomes meanwhile.

    Raises:
        OracleAbsentError: the program or a package is not there.
        UnfitStructureError: the structure is refused before anything is run.
        UnconvergedError: the electronic cycle did not converge.
        OracleError: the maker or the code failed.
    """
    if faults := list(geometry_faults(geometry, Limits())):
        raise UnfitStructureError("; ".join(faults), where=identifier, remedy="leave the structure out")
    argv = ProgramRanks.here().command(EXECUTABLES[settings.code].find(settings.command))
    maker = made(settings, argv)
    started, before = time.monotonic(), _cpu()
    try:
        with contextlib.chdir(workdir):
            response = type(maker).make.original(maker, geometry.structure())
    except (ImportError, OracleAbsentError) as error:
        raise OracleAbsentError(
            str(error), where=f"oracle {settings.code}", remedy=EXECUTABLES[settings.code].install
        ) from None
    except Exception as error:  # noqa: BLE001 (whatever atomate2, custodian or pymatgen raise is the answer)
        raise OracleError(
            f"{settings.maker}: {type(error).__name__}: {error}", where=f"label {identifier} in {workdir}",
            remedy="read the code's output and custodian.json there",
        ) from None  # fmt: skip
    document = getattr(response, "output", response)
    found = [*records_of_document(document, source=f"job {identifier}", name=identifier)]
    last = found[-1] if found else None
    if not isinstance(last, Record):
        reason = last.reason if last is not None else "it holds no structure"
        raise OracleError(f"{settings.maker}: {reason}", where=identifier, remedy="read the code's output")
    if last.convergence.electronic is False:
        raise UnconvergedError(
            f"the electronic cycle of {settings.maker} did not converge",
            where=f"label {identifier} in {workdir}",
            remedy="change NELM, ALGO or the mixing by the settings' changes, or check the structure",
        )  # fmt: skip
    _same_structure(geometry, last, identifier)
    return last.model_copy(
        update={
            "identifier": identifier,
            "theory": last.theory.model_copy(update={"protocol": _digest(settings)}),
            "provenance": Computed(
                oracle=settings.code,
                input_digest=digest(geometry, settings.model_dump(mode="json", exclude={"command"})),
                seconds=time.monotonic() - started,
                cpu_seconds=max(_cpu() - before, last.provenance.cpu_seconds or 0.0),
                host=host(),
            ),
        }
    )


def made(settings: Atomate2Settings, argv: list[str]) -> Any:
    """The maker, with the program and the changes of the input put into it.

    Raises:
        OracleAbsentError: a package that it needs is not there.
        OracleError: it takes no such changes.
    """
    module, _, name = settings.makers[settings.maker].partition(":")
    try:
        maker = getattr(importlib.import_module(module), name)()
    except ImportError as error:
        raise OracleAbsentError(
            f"{settings.maker} of atomate2 needs a package more: {error}", where=f"oracle {settings.code}",
            remedy=EXECUTABLES[settings.code].install,
        ) from None  # fmt: skip
    for field, value in settings.changes.items():
        held = getattr(maker.input_set_generator, field, None)
        if not isinstance(held, dict) or not isinstance(value, dict):
            if not hasattr(maker.input_set_generator, field):
                known = ", ".join(sorted(k for k in vars(maker.input_set_generator) if k.startswith("user_")))
                raise OracleError(
                    f"its input set has no '{field}'", where=f"oracles.{settings.code}.changes",
                    remedy=f"known: {known}",
                )  # fmt: skip
            setattr(maker.input_set_generator, field, value)
        else:
            setattr(maker.input_set_generator, field, {**held, **value})
    command = shlex.join(argv)
    if settings.code == "vasp":
        maker.run_vasp_kwargs |= {
            "vasp_cmd": command,
            "vasp_gamma_cmd": command.replace("vasp_std", "vasp_gam"),
        }
    elif settings.code == "cp2k":
        maker.run_cp2k_kwargs |= {"cp2k_cmd": command}
    else:
        maker.run_abinit_kwargs |= {"abinit_cmd": command}
    return maker


def answer(settings: Atomate2Settings) -> str:
    """Where the program is, after a look at whether the maker can be made.

    Raises:
        OracleAbsentError: the program, a package or the folder of potentials is not there.
    """
    argv = EXECUTABLES[settings.code].find(settings.command)
    made(settings, argv)
    if settings.code == "vasp":
        from pymatgen.core import SETTINGS

        if not SETTINGS.get("PMG_VASP_PSP_DIR"):
            raise OracleAbsentError(
                "pymatgen knows no folder of POTCAR files", where="oracle vasp",
                remedy="set PMG_VASP_PSP_DIR (`pmg config --add PMG_VASP_PSP_DIR FOLDER`)",
            )  # fmt: skip
    return f"{argv[0]}, atomate2's {settings.maker}"


def _same_structure(geometry: Geometry, record: Record, identifier: str) -> None:
    """What was labelled is what was asked for, up to the order of the atoms and the vectors of the lattice.

    VASP's inputs are sorted by element; the structure of the document is the one that the forces belong to.

    Raises:
        OracleError: it is another structure.
    """
    asked, got = geometry.atoms(), record.geometry.atoms()
    if sorted(asked.symbols) != sorted(got.symbols) or abs(asked.get_volume() / got.get_volume() - 1) > 1e-4:  # noqa: PLR2004 (digits of POSCAR)
        raise OracleError(
            f"the document is of {got.symbols}, {got.get_volume():.2f} Å³, asked was {asked.symbols}, "
            f"{asked.get_volume():.2f} Å³",
            where=identifier,
            remedy="a maker that changes the structure, such as to a primitive cell, cannot label it",
        )


def _digest(settings: Atomate2Settings) -> str:
    return short_hash(settings.model_dump(mode="json", include={"maker", "changes"}))


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
