"""One label by any ASE calculator: energy, forces and stress of a structure as it is, by one calculation.

The maker is atomate2's for relaxations with no steps, because its plain one keeps the energy only.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from atomate2.ase.jobs import AseRelaxMaker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ase import Atoms

_KEPT = ("energy", "free_energy", "forces", "stress", "magmoms", "magmom", "dipole")


@dataclass
class StaticMaker(AseRelaxMaker):
    """A static calculation by an ASE calculator.

    As a jobflow Maker it gives atomate2's document; oracles run it without making one, and make a record.

    Args:
        name: of the job.
        relax_cell: never.
        steps: none.
        path: where the calculator is made, module:callable; ``calculator_kwargs`` are its arguments.
        relax_kwargs: of atomate2's relaxer.
    """

    name: str = "static"
    relax_cell: bool = False
    steps: int = 0
    path: str = "ase.calculators.emt:EMT"
    # By default a copy of the structure is appended to a file with every run.
    relax_kwargs: dict[str, Any] = field(default_factory=lambda: {"final_atoms_object_file": None})

    def _get_calculator(self) -> Any:
        module, _, name = self.path.partition(":")
        return getattr(importlib.import_module(module), name)(**self.calculator_kwargs)


def run_static(atoms: Atoms, calculator: Any) -> Mapping[str, Any]:
    """Run a calculator once on atoms, which carry it and its results afterwards.

    Args:
        atoms: the structure; its initial magnetic moments count.
        calculator: of ASE.

    Returns:
        The calculator's results: eV, eV/Å, eV/Å³.
    """
    maker = StaticMaker()
    if "magmoms" in calculator.implemented_properties and not hasattr(calculator, "template"):
        # atomate2 asks for magnetic moments where they are promised, and gets them by a second calculation
        calculator.implemented_properties = [
            name for name in calculator.implemented_properties if name != "magmoms"
        ]
    maker._calculator = calculator  # noqa: SLF001 (where atomate2 keeps what it has made)
    maker.run_ase(atoms)  # type: ignore[arg-type]  # its relaxer takes atoms of ASE as well
    results = {name: calculator.results[name] for name in _KEPT if calculator.results.get(name) is not None}
    calculator.results = results
    return results
