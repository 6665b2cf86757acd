"""vasprun.xml and vaspout.h5, read by pymatgen: every ionic step, with both energies.

pymatgen gives stresses in kbar with compression positive. The extrapolated energy of a step is its free
energy plus the difference that its last electronic step tells: VASP writes zeros, or the energy without
entropy, in the summary of some steps (forum of VASP, topic 16942; pymatgen's ``final_energy`` does the same
for the last one).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import ParseError  # nosec B405 (the exception alone; parsing is pymatgen's)

from zonemelt.tasks.convert.documents.units import KBAR_OF_VASP
from zonemelt.tasks.convert.origin import parser_of
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.ingest.outputs.frames import Calculation
from zonemelt.tasks.ingest.outputs.markers import said_in
from zonemelt.tasks.vasp_theory import vasp_theory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zonemelt.tasks.convert.origin import BadRow, Origin
    from zonemelt.tasks.records import Record
    from zonemelt.tasks.theory import Theory

_NO_DOS: Final = {"parse_dos": False, "parse_eigen": False, "parse_projected_eigen": False}


def vasprun(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """Frames of a vasprun.xml; of one that breaks off, what comes before.

    Raises:
        InputError: pymatgen cannot read it.
    """
    from pymatgen.io.vasp.outputs import Vasprun

    said = said_in(path, "vasp-xml")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they warn of is told by the records' flags
        try:
            run = Vasprun(
                str(path), parse_potcar_file=False, exception_on_bad_xml=bool(said.complete), **_NO_DOS
            )
            yield from _frames(run, origin, complete=bool(said.complete), part="Vasprun")
        except (ParseError, AttributeError, IndexError, KeyError, ValueError, TypeError) as error:
            raise _unreadable(error, origin, complete=bool(said.complete)) from error


def vaspout(path: Path, origin: Origin) -> Iterator[Record | BadRow]:
    """Frames of a vaspout.h5.

    Raises:
        InputError: pymatgen cannot read it.
    """
    from pymatgen.io.vasp.outputs import Vaspout

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            run = Vaspout(str(path), **_NO_DOS)
            yield from _frames(run, origin, complete=True, part="Vaspout")  # a cut HDF5 file does not open
        except (OSError, AttributeError, IndexError, KeyError, ValueError, TypeError) as error:
            raise _unreadable(error, origin, complete=True) from error


def _unreadable(error: Exception, origin: Origin, *, complete: bool) -> InputError:
    cut = "" if complete else "it ends before </modeling>, and "
    return InputError(
        f"{cut}pymatgen cannot read it: {type(error).__name__}: {error}",
        where=origin.source,
        remedy="look whether the run ended by itself; read another file of the calculation",
    )


def _frames(run: Any, origin: Origin, *, complete: bool, part: str) -> Iterator[Record | BadRow]:
    from ase import Atoms

    calculation = Calculation(
        origin=origin,
        theory=theory(run),
        parser=parser_of("pymatgen-core", part),
        complete=complete,
    )
    last = len(run.ionic_steps) - 1
    for number, step in enumerate(run.ionic_steps):
        structure = step.get("structure")
        if structure is None:
            continue
        atoms = Atoms(
            [site.specie.symbol for site in structure],
            positions=structure.cart_coords,
            cell=structure.lattice.matrix,
            pbc=True,
        )
        free, sigma0 = energies(step)
        stress = step.get("stress")
        results = {
            "free_energy": free,
            "energy": sigma0,
            "forces": step.get("forces"),
            "stress": None if stress is None else KBAR_OF_VASP * _array(stress),
        }
        yield calculation.frame(
            number,
            atoms,
            results,
            electronic=_electronic(run, step, last=number == last),
            ionic=bool(run.converged_ionic) if number == last else None,
            iterations=len(step.get("electronic_steps") or ()) or None,
        )


def _array(values: Any) -> Any:
    import numpy as np

    return np.asarray(values, float)


def energies(step: dict[str, Any]) -> tuple[float | None, float | None]:
    """Free energy and energy extrapolated to zero smearing of one ionic step, eV; None where it has none."""
    free, cycles = step.get("e_fr_energy"), step.get("electronic_steps") or []
    if free is None:
        return None, None
    ends = cycles[-1] if cycles else {}
    if ends.get("e_0_energy") is not None and ends.get("e_fr_energy") is not None:
        return float(free), round(float(free) + float(ends["e_0_energy"]) - float(ends["e_fr_energy"]), 8)
    said = step.get("e_0_energy")
    return float(free), None if said is None or (said == 0 and free != 0) else float(said)


def _electronic(run: Any, step: dict[str, Any], *, last: bool) -> bool | None:
    """Whether a step converged: pymatgen's rule for the last one, which knows of response runs."""
    if last:
        return bool(run.converged_electronic)
    cycles, allowed = step.get("electronic_steps"), run.parameters.get("NELM")
    return None if not cycles or allowed is None else len(cycles) < allowed


def theory(run: Any) -> Theory:
    """The level of theory of a run that pymatgen read."""
    told, given = run.parameters, run.incar
    names = ("GGA", "METAGGA", "LHFCALC", "IVDW", "LUSE_VDW", "ISMEAR", "SIGMA", "ISPIN")
    tags = {name: told.get(name, given.get(name)) for name in names}
    # what was asked for, where it was: VASP fills in defaults for what was not
    tags |= {name: given[name] for name in ("GGA", "METAGGA", "IVDW") if given.get(name)}
    tags |= {
        "KSPACING": given.get("KSPACING"),
        "ENCUT": _first(given.get("ENCUT"), told.get("ENMAX"), told.get("ENCUT")),
    }
    return vasp_theory(
        tags,
        version=run.vasp_version,
        titles=run.potcar_symbols,
        hubbard_u=run.hubbards if run.potcar_symbols else {},
        hybrid=str(run.run_type).partition("+")[0] if told.get("LHFCALC") else None,
    )


def _first(*values: Any) -> float | None:
    return next((float(value) for value in values if value is not None), None)
