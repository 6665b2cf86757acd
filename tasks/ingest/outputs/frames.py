"""One frame of a calculation as a record: what all readers of outputs share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.convert.atoms import record_of_atoms
from zonemelt.tasks.convert.origin import BadRow
from zonemelt.tasks.errors import InputError
from zonemelt.tasks.records import Convergence, Ingested, Property

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zonemelt.tasks.convert.origin import Origin
    from zonemelt.tasks.records import Record
    from zonemelt.tasks.theory import Theory


NOT_NUMBERS: Final = "left_out_not_numbers"


@dataclass(frozen=True, kw_only=True)
class Calculation:
    """What all frames of one calculation have in common.

    Attributes:
        origin: where it comes from.
        theory: its level.
        parser: library that reads it.
        complete: whether the code came to its end.
    """

    origin: Origin
    theory: Theory
    parser: str
    complete: bool | None

    def frame(
        self,
        number: int,
        atoms: Any,
        results: Mapping[str, Any],
        *,
        electronic: bool | None,
        ionic: bool | None = None,
        iterations: int | None = None,
        properties: Mapping[str, Property] | None = None,
    ) -> Record | BadRow:
        """The record of one frame, or why there is none.

        Args:
            number: its place, from 0.
            atoms: an ``ase.Atoms``.
            results: by ASE's names, in ASE's units and signs; what is not there is left out or None.
            electronic: whether its electronic cycle converged.
            ionic: whether the relaxation that it ends converged.
            iterations: electronic ones.
            properties: further quantities.
        """
        from ase.calculators.singlepoint import SinglePointCalculator

        held, strange = _usable(results)
        if "energy" not in held and "free_energy" not in held:
            return BadRow(where=f"{self.origin.source}, frame {number}", reason="it tells no total energy")
        bare = atoms.copy()
        bare.calc = SinglePointCalculator(bare)
        bare.calc.results.update(held)
        identifier = f"{self.origin.calculation}-{number}"
        try:
            return record_of_atoms(
                bare,
                identifier=identifier,
                theory=self.theory,
                convergence=Convergence(
                    electronic=electronic, ionic=ionic, complete=self.complete, iterations=iterations
                ),
                provenance=Ingested(
                    source=self.origin.source,
                    sha256=self.origin.sha256,
                    calculation=self.origin.calculation,
                    parser=self.parser,
                    frame=number,
                    frames=number + 1,
                ),
                properties={**(properties or {}), **strange},
            )
        except InputError as error:
            return BadRow(where=f"{self.origin.source}, frame {number}", reason=error.what)


def _usable(results: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Property]]:
    """Results that are there, and the names of arrays that are left out because they hold no numbers.

    VASP writes forces of NaN for runs along lines of k-points. An energy that is no number stays, and makes
    the frame no record.
    """
    import numpy as np

    held = {name: value for name, value in results.items() if value is not None and np.size(value)}
    strange = [name for name, value in held.items() if np.ndim(value) and not np.isfinite(value).all()]
    told = {NOT_NUMBERS: Property(value=", ".join(strange), unit="")} if strange else {}
    return {name: value for name, value in held.items() if name not in strange}, told
