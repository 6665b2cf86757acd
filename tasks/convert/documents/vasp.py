"""emmet's documents of VASP tasks as records: every ionic step of every calculation in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.convert.documents.common import Calculation, Frame, got, word
from zonemelt.tasks.records import Convergence, Property
from zonemelt.tasks.vasp_theory import vasp_theory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zonemelt.tasks.convert.documents.units import Units
    from zonemelt.tasks.convert.origin import BadRow
    from zonemelt.tasks.records import Record
    from zonemelt.tasks.theory import Theory

_IN_FUNCTIONAL: Final = ("-rVV10", "-vdW")
_PARSER: Final = "zonemelt: emmet's VASP document"


def records(
    document: dict[str, Any], units: Units, *, name: str, source: str, sha256: str | None
) -> Iterator[Record | BadRow]:
    """Every ionic step of the document; of documents without calculations their end.

    Args:
        document: a TaskDoc or CoreTaskDoc as a dictionary.
        units: of the document.
        name: of the task.
        source: address of the document.
        sha256: of the file that it was in.
    """
    calculations = list(reversed(document.get("calcs_reversed") or []))
    for number, calculation in enumerate(calculations or [_as_calculation(document)]):
        wall, cpu = _times(document, calculation)
        shared = Calculation(
            name=f"{name}-{number}" if len(calculations) > 1 else name,
            source=source,
            sha256=sha256,
            parser=_PARSER,
            units=units,
            theory=theory_of(calculation),
            properties=_properties(calculation),
            seconds=wall,
            cpu_seconds=cpu,
        )
        yield from shared.records(frames_of(calculation))


def frames_of(calculation: dict[str, Any]) -> list[Frame]:
    """The ionic steps of one calculation, in the document's units."""
    steps = got(calculation, "output", "ionic_steps")
    parameters = got(calculation, "input", "parameters") or {}
    done = word(calculation.get("has_vasp_completed"))
    complete = True if done == "successful" else None
    if not isinstance(steps, list) or not steps:
        output = calculation.get("output") or {}
        return [
            Frame(
                structure=output.get("structure"),
                energy_sigma0=output.get("energy"),
                forces=output.get("forces"),
                stress=output.get("stress"),
                magmoms=_moments(output.get("structure")),
                convergence=Convergence(electronic=complete, ionic=None, complete=complete),
            )
        ]
    relaxed = (parameters.get("NSW") or 0) > 1 and parameters.get("IBRION", -1) in {1, 2, 3}
    limit = parameters.get("NELM")
    frames = []
    for number, step in enumerate(steps):
        last = number == len(steps) - 1
        cycles = step.get("num_electronic_steps") or len(step.get("electronic_steps") or []) or None
        electronic = cycles < limit if cycles and limit else complete if last else None
        ionic = None  # of a failed task emmet says only that not both converged
        if relaxed and last and done and (done == "successful" or electronic):
            ionic = done == "successful"
        frames.append(
            Frame(
                structure=step.get("structure"),
                energy_free=step.get("e_fr_energy"),
                energy_sigma0=_extrapolated(step, steps, calculation, last=last),
                forces=step.get("forces"),
                stress=step.get("stress"),
                magmoms=_moments(got(calculation, "output", "structure")) if last else None,
                convergence=Convergence(
                    electronic=electronic, ionic=ionic, complete=complete, iterations=cycles
                ),
            )
        )
    return frames


def _extrapolated(
    step: dict[str, Any], steps: Sequence[dict[str, Any]], calculation: dict[str, Any], *, last: bool
) -> float | None:
    """The energy of a step extrapolated to zero smearing, as the document has it.

    VASP writes e_0 of the ionic step wrongly (0, or e_fr of another step) in several versions, and leaves
    dispersion out of the electronic steps. So the difference between the two energies is taken from the last
    electronic step, and added to e_fr of the ionic step, which is right in all versions.
    """
    free = step.get("e_fr_energy")
    electronic = step.get("electronic_steps") or []
    for one in reversed(electronic):
        if one.get("e_0_energy") is not None and one.get("e_fr_energy") is not None and free is not None:
            return float(free + (one["e_0_energy"] - one["e_fr_energy"]))
    final = got(calculation, "output", "energy")
    if last:
        return None if final is None else float(final)
    trusted = final is not None and steps[-1].get("e_0_energy") == final
    return step.get("e_0_energy") if trusted else None


def theory_of(calculation: dict[str, Any]) -> Theory:
    """The level of theory of one calculation of an emmet document.

    By the tags that VASP printed; of a document without them the functional is emmet's run type. The k-mesh
    of one cell is no part of it, KSPACING is.
    """
    inputs = calculation.get("input") or {}
    told, given = inputs.get("parameters") or {}, inputs.get("incar") or {}
    run_type = word(calculation.get("run_type")).removesuffix("+U")
    tags = {**told, **{name: given[name] for name in ("GGA", "METAGGA", "IVDW") if given.get(name)}}
    tags |= {
        "KSPACING": given.get("KSPACING"),
        "ENCUT": given.get("ENCUT") or told.get("ENMAX") or told.get("ENCUT"),
    }
    hubbard_u = (inputs.get("hubbards") or {}) if inputs.get("is_hubbard") else {}
    titles = [spec.get("titel") or "" for spec in inputs.get("potcar_spec") or []]  # codespell:ignore titel
    found = vasp_theory(
        tags,
        version=word(calculation.get("vasp_version")) or None,
        titles=titles,
        hubbard_u=hubbard_u,
        hybrid=run_type or None,
    )
    if told or given or not run_type:
        return found
    dispersion = next((end[1:] for end in _IN_FUNCTIONAL if run_type.endswith(end)), None)
    functional = run_type.removesuffix(f"-{dispersion}")
    known = found.functional if functional == "GGA" and found.functional else functional
    return found.model_copy(update={"functional": known, "dispersion": dispersion})


def _properties(calculation: dict[str, Any]) -> dict[str, Property]:
    """What else is known of the end of a calculation."""
    output = calculation.get("output") or {}
    found = {"band_gap": output.get("bandgap"), "fermi_level": output.get("efermi")}
    return {name: Property(value=value, unit="eV") for name, value in found.items() if value is not None}


def _moments(structure: Any) -> Any:
    """The magnetic moments of a structure's sites, or None where not all have one."""
    if structure is None:
        return None
    if isinstance(structure, dict):
        sites = structure.get("sites") or []
        moments = [(site.get("properties") or {}).get("magmom") for site in sites]
    else:
        moments = [site.properties.get("magmom") for site in structure]
    return moments if moments and all(isinstance(m, int | float) for m in moments) else None


def _as_calculation(document: dict[str, Any]) -> dict[str, Any]:
    """A document without calculations in the form of one."""
    state = {"has_vasp_completed": document.get("state")} if document.get("state") is not None else {}
    return {key: document.get(key) for key in ("input", "output", "run_type", "vasp_version")} | state


def _times(document: dict[str, Any], calculation: dict[str, Any]) -> tuple[float | None, float | None]:
    """Wall and processor time of a calculation, s; VASP counts one core."""
    stats = got(calculation, "output", "run_stats") or got(
        document, "run_stats", calculation.get("task_name") or ""
    )
    stats = stats or {}
    return stats.get("elapsed_time") or None, stats.get("total_time") or None
