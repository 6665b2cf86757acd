"""How ASE starts the programs of oracles: by the site's launcher, ended in time."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from ase.calculators.genericfileio import BaseProfile

from zonemelt.tasks.errors import OracleError
from zonemelt.tasks.programs import ProgramRanks, run_program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zonemelt.tasks.programs import Ended

_TAIL = 12  # lines of a log that an error quotes


class ProgramFailedError(OracleError):
    """A program ended without a result; its cause is looked for in its log."""


class LaunchedProfile(BaseProfile):
    """How ASE starts a program: as the job's ranks, with a limit of time.

    Args:
        argv: the program and its first options.
        options: that stand before the name of the input file.
        timeout: wall time, s.
    """

    def __init__(self, argv: Sequence[str], *, options: Sequence[str] = (), timeout: float) -> None:
        super().__init__(shlex.join(argv))  # type: ignore[no-untyped-call]
        self.options = list(options)
        self.timeout = timeout
        self.pseudo_dir = "."  # asked for by ASE's template of pw.x
        self.runs: list[Ended] = []

    def get_calculator_command(self, inputfile: str) -> list[str]:
        """What follows the program."""
        return [*self.options, inputfile]

    def version(self) -> str:
        """Unknown before it has run: its log says it."""
        raise NotImplementedError

    def run(
        self,
        directory: Path,
        inputfile: str | None,
        outputfile: str,
        errorfile: str | None = None,
        append: bool = False,  # noqa: ARG002 (ASE's signature)
    ) -> None:
        """Run it.

        Raises:
            ProgramFailedError: it did not end well.
        """
        argv = ProgramRanks.here().command(self.get_command(inputfile))
        ended = run_program(
            argv, folder=directory, stdout=outputfile, stderr=errorfile or f"{outputfile}.err",
            timeout=self.timeout,
        )  # fmt: skip
        self.runs.append(ended)
        if ended.timed_out:
            raise ProgramFailedError(f"it ran longer than {ended.seconds:.0f} s")
        if ended.status:
            raise ProgramFailedError(f"it ended with status {ended.status}")


def tail_of(*paths: Path) -> str:
    """The last lines of the first file that holds any, indented; empty ones do not count."""
    for path in paths:
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        if lines := [line for line in text.splitlines() if line.strip()]:
            return "\n    ".join(lines[-_TAIL:])[-1500:]
    return ""


def only(results: Any, names: Sequence[str]) -> dict[str, Any]:
    """Those of the results that an oracle keeps."""
    return {name: results[name] for name in names if results.get(name) is not None}
