"""What codes say in words: whether the electronic cycle converged, and whether they came to their end.

The libraries that parse the numbers read unconverged and cut-off files without a word (ASE), or leave such
frames out (dpdata), so these lines are looked for in the file itself, in one pass that keeps nothing in
memory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from zonemelt.tasks.ingest.files import mapped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zonemelt.tasks.ingest.files import Mapped


@dataclass(frozen=True, kw_only=True)
class Markers:
    """Lines of one code, as patterns of bytes.

    Attributes:
        converged: the electronic cycle of a frame converged.
        failed: it did not.
        frame: a frame ends; given where only what came before tells whether it converged.
        iteration: one of an electronic cycle; a frame without any counts for nothing.
        limit: how many iterations a cycle may have, one group; a cycle that has so many did not converge.
        relaxed: a relaxation reached its criterion.
        relaxing: the run is a relaxation.
        complete: the code came to its end; None where it writes nothing there.
        ends_silently: it does not always write that: GPAW does when its calculator is forgotten, if it is.
    """

    converged: bytes | None = None
    failed: bytes | None = None
    frame: bytes | None = None
    iteration: bytes | None = None
    limit: bytes | None = None
    relaxed: bytes | None = None
    relaxing: bytes | None = None
    complete: bytes | None = None
    ends_silently: bool = False


MARKERS: Final = {
    "vasp-outcar": Markers(
        converged=rb"aborting loop because EDIFF is reached",
        frame=rb"FREE ENERGIE OF THE ION-ELECTRON SYSTEM",
        relaxed=rb"reached required accuracy - stopping structural",
        iteration=rb"- Iteration +\d+\( *\d+\) ",
        limit=rb"NELM +=\s+(\d+);",
        relaxing=rb"NSW    = +(?:[2-9]|\d\d+) [^\n]*\n(?:[^\n]*\n){0,3}? *IBRION = +[123] ",
        complete=rb"General timing and accounting",
    ),
    "vasp-xml": Markers(complete=rb"</modeling>"),
    "qe-out": Markers(
        converged=rb"convergence has been achieved",
        failed=rb"convergence NOT achieved",
        relaxed=rb"End of (?:BFGS|damped dynamics)|bfgs converged",
        relaxing=rb"BFGS Geometry Optimization|Damped Dynamics",
        complete=rb"JOB DONE",
    ),
    "cp2k-out": Markers(
        converged=rb"SCF run converged|outer SCF loop converged",
        failed=rb"SCF run NOT converged",
        relaxed=rb"GEOMETRY OPTIMIZATION COMPLETED",
        relaxing=rb"STARTING (?:GEOMETRY|CELL) OPTIMIZATION",
        complete=rb"PROGRAM ENDED AT",
    ),
    "abinit-out": Markers(
        converged=rb"At SCF step +\d+[ ,]",
        failed=rb"was not enough SCF cycles",
        relaxed=rb"gradients are converged",
        relaxing=rb"ionmov +(?:2|3|4|5|7|10|11|15|20|22)\b",  # the others are dynamics
        complete=rb"Calculation completed",
    ),
    "aims-out": Markers(
        converged=rb"Self-consistency cycle converged\.",
        failed=rb"Self-consistency cycle not (?:yet )?converged",
        relaxed=rb"Present geometry is converged",
        relaxing=rb"Geometry optimization: |Relaxation step number|Advancing geometry using",
        complete=rb"Have a nice day",
    ),
    "castep-out": Markers(
        failed=rb"max\. SCF cycles performed",
        frame=rb"NB est\. 0K energy|Final energy =",
        relaxed=rb"Geometry optimization completed successfully",
        relaxing=rb"BFGS: (?:starting|finished) iteration|Geometry optimization (?:completed|failed)",
        complete=rb"Total time +=",
    ),
    "gpaw-out": Markers(
        converged=rb"Converged after +\d+ iterations|Converged in +\d+ steps",
        failed=rb"Did not converge",
        complete=rb"Memory usage:|Max RSS:|Total: +[0-9.]+ +100",
        ends_silently=True,
    ),
    "siesta-out": Markers(
        converged=rb"SCF cycle converged|SCF Convergence by|SCF_CONV|SCF converg",
        failed=rb"SCF_NOT_CONV|SCF did not converge",
        complete=rb"End of run|Job completed",
    ),
    "abacus-log": Markers(
        converged=rb"charge density convergence is achieved|#SCF IS CONVERGED#",
        failed=rb"convergence has (?:NOT|not) been achieved|SCF IS NOT CONVERGED",
        relaxed=rb"Relaxation is converged|Lattice relaxation is converged",
        relaxing=rb"RELAX CELL|STEP OF (?:ION )?RELAXATION",
        complete=rb"Finish Time",
    ),
    "gaussian-out": Markers(
        converged=rb"SCF Done:(?!.*(?:\r?\n.*){1,8}Convergence failure)",
        failed=rb"Convergence failure",
        complete=rb"(?:Normal|Error) termination",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a file says of its run.

    Attributes:
        cycles: whether each electronic cycle converged, in their order.
        relaxed: whether the relaxation converged; None where it is none.
        complete: whether the code came to its end; None where it does not say.
    """

    cycles: tuple[bool, ...] = ()
    relaxed: bool | None = None
    complete: bool | None = None

    def electronic(self, frame: int, frames: int) -> bool | None:
        """Whether a frame converged.

        Where there are not as many cycles as frames, a cycle that failed may belong to any of them.
        """
        if not self.cycles:
            return None
        known = len(self.cycles) == frames and frame < frames
        return self.cycles[frame] if known else all(self.cycles)


def said_in(path: Path, kind: str) -> Said:
    """Look for a code's markers in a plain file.

    Args:
        path: of the file; it is mapped, never read whole.
        kind: of file, as :func:`~zonemelt.tasks.ingest.recognise.recognise` names it.
    """
    markers = MARKERS.get(kind)
    if markers is None or not path.stat().st_size:
        return Said()
    with mapped(path) as text:
        relaxed = None
        if markers.relaxing and re.search(markers.relaxing, text):
            relaxed = bool(markers.relaxed and re.search(markers.relaxed, text))
        return Said(
            cycles=tuple(_cycles(text, markers)),
            relaxed=relaxed,
            complete=_complete(text, markers),
        )


def _complete(text: Mapped, markers: Markers) -> bool | None:
    if markers.complete is None:
        return None
    return True if re.search(markers.complete, text) else None if markers.ends_silently else False


def _cycles(text: Mapped, markers: Markers) -> Iterator[bool]:
    named = {
        "good": markers.converged,
        "bad": markers.failed,
        "frame": markers.frame,
        "iteration": markers.iteration,
    }
    parts = [b"(?P<%b>%b)" % (name.encode(), pattern) for name, pattern in named.items() if pattern]
    if not parts:
        return
    unless_told = markers.converged is None  # a code that only says when it fails
    limit = _limit(text, markers)
    good, iterations = unless_told, 0
    for found in re.finditer(b"|".join(parts), text):
        if markers.frame is None:
            yield found.lastgroup == "good"
        elif found.lastgroup == "iteration":
            iterations += 1
        elif found.lastgroup == "frame":
            if iterations or markers.iteration is None:  # frames of a force field have no electronic cycle
                yield good and (limit is None or iterations < limit)
            good, iterations = unless_told, 0
        else:
            good = found.lastgroup == "good"


def _limit(text: Mapped, markers: Markers) -> int | None:
    """How many iterations a cycle may have: VASP 5 says of those that had them all that they converged."""
    found = re.search(markers.limit, text) if markers.limit else None
    return int(found[1]) if found else None
