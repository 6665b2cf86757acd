"""The software with its versions, the machines, and the level of theory of the labels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from zonemelt.workflows.report.parts import Facts, Section, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from zonemelt.workflows.report.parts import Part
    from zonemelt.workflows.report.reading import Gathered

_FIRST: Final[tuple[str, ...]] = (
    "zonemelt", "jobflow", "parsl", "maggma", "atomate2", "custodian", "pymatgen", "ase", "numpy", "scipy",
    "torch", "torch-geometric", "scikit-learn", "spglib", "dscribe", "phonopy", "chgnet", "sevenn",
    "mace-torch",
)  # fmt: skip
_NAMES: Final = {
    "code": "code", "version": "version", "functional": "functional", "dispersion": "dispersion",
    "hubbard_u": "Hubbard U (eV)", "setups": "potentials or bases", "cutoff": "cutoff (eV)",
    "kpoint_density": "k-points per Å⁻¹", "kpoint_mesh": "k-point mesh", "smearing": "smearing",
    "smearing_width": "its width (eV)", "spin": "spin-polarised", "protocol": "protocol (hash)",
    "key": "key of this level of theory",
}  # fmt: skip
_GB: Final = 1e9


def section(gathered: Gathered) -> Section | None:
    """Levels of theory, software, machines, repositories."""
    around = gathered.surroundings
    parts: list[Part] = []
    for text, count in gathered.outputs.theories.most_common(5):
        parts.append(
            Facts(caption=f"level of theory of {count:,} labels", rows=theory_facts(json.loads(text)))
        )
    if rows := list(_rows(gathered)):
        parts.append(Facts(caption="where and by what it ran", rows=rows))
    if packages := around.packages:
        order = [name for name in _FIRST if name in packages]
        order += sorted(set(packages) - set(order))
        table = [[name, ", ".join(packages[name])] for name in order]
        parts.append(
            Table(caption="installed packages", columns=("package", "version"), rows=table, folded=True)
        )
    if around.functions:
        functions = [[name] for name in around.functions[:300]]
        parts.append(
            Table(
                caption="functions that ran",
                columns=("function",),
                rows=functions,
                of=len(around.functions) if len(around.functions) > len(functions) else None,
                folded=True,
            )
        )
    return Section(name="software", title="Software and machines", parts=parts) if parts else None


def theory_facts(theory: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is known of a level of theory, in words."""
    rows = []
    for key, name in _NAMES.items():
        value = theory.get(key)
        if value in (None, {}, "") or (key == "spin" and value is False):
            continue
        if isinstance(value, dict):
            value = ", ".join(f"{one}: {said}" for one, said in value.items())
        rows.append((name, "yes" if value is True else str(value)))
    return rows


def _rows(gathered: Gathered) -> Iterator[tuple[str, str]]:
    around = gathered.surroundings
    known = around.packages
    yield "zonemelt", ", ".join(known.get("zonemelt") or [gathered.summary.version])
    yield "Python", ", ".join(around.pythons)
    main = [f"{name} {', '.join(known[name])}" for name in _FIRST[1:] if name in known]
    yield "main packages", ", ".join(main)
    for one in around.repositories:
        remote = f" of {one['remote']}" if one.get("remote") else ""
        state = "with changes" if one.get("dirty") else "unchanged"
        yield (
            "repository",
            f"{one.get('root', '')}: commit {str(one.get('commit', ''))[:12]}{remote}, {state}",
        )
    for container in around.containers:
        yield "container", ", ".join(container.values())
    for machine in around.machines:
        memory = f"{machine['memory'] / _GB:.0f} GB" if isinstance(machine.get("memory"), int | float) else ""
        parts = [
            str(machine.get("processor", "")), f"{machine.get('cores', '?')} cores", memory,
            ", ".join(machine.get("accelerators") or ()), str(machine.get("system", "")),
        ]  # fmt: skip
        yield "machine", ", ".join(part for part in parts if part)
    yield "heads, one after the other", str(around.heads) if around.heads else ""
