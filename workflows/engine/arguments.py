"""Arguments of jobs that Monty would not carry whole: partial functions, atoms of ASE."""

from __future__ import annotations

import functools
from typing import Any

from monty.json import MontyDecoder


def document_of(value: Any) -> dict[str, Any] | None:
    """What stands for such an argument in JSON, for an encoder to go on with; None for any other.

    Monty knows a function by its module and name, and would take a partial one for the bare name of what it
    wraps. Of atoms pymatgen's way loses the arrays that are not ASE's own, such as layers of a slab.
    """
    if isinstance(value, functools.partial):
        return {
            "@module": Partial.__module__,
            "@class": Partial.__name__,
            "function": value.func,
            "args": list(value.args),
            "keywords": value.keywords,
        }
    if any(kind.__module__ == "ase.atoms" for kind in type(value).__mro__):
        from pymatgen.io.ase import MSONAtoms

        document: dict[str, Any] = MSONAtoms.as_dict(value)
        return {**document, "@module": WholeAtoms.__module__, "@class": WholeAtoms.__name__}
    return None


class Partial:
    """What stands for a ``functools.partial`` in JSON."""

    @staticmethod
    def from_dict(document: dict[str, Any]) -> functools.partial[Any]:
        """The function again; it is called as the one that it wraps."""
        given: dict[str, Any] = {
            key: MontyDecoder().process_decoded(value)
            for key, value in document.items()
            if not key.startswith("@")
        }
        made = functools.partial(given["function"], *given["args"], **given["keywords"])
        functools.update_wrapper(made, given["function"])
        return made


class WholeAtoms:
    """What stands for ``ase.Atoms`` in JSON."""

    @staticmethod
    def from_dict(document: dict[str, Any]) -> Any:
        """The atoms again, with arrays of any name."""
        from ase.io.jsonio import decode
        from pymatgen.io.ase import MSONAtoms

        made: Any = MSONAtoms.from_dict(document)
        held: Any = decode(document["atoms_json"])
        for name, values in held.arrays.items():
            if not made.has(name):
                made.set_array(name, values)
        return made
