"""Where the programs of the oracles are, and how ASE starts them: by the site's launcher, ended in time."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase.calculators.genericfileio import BaseProfile

from zonemelt.tasks.errors import OracleAbsentError, OracleError
from zonemelt.tasks.programs import ProgramRanks, run_program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonemelt.tasks.programs import Ended

TAIL = 12  # lines of a log that an error quotes
_PATIENCE = 120.0  # seconds that a program may take to say its version


@dataclass(frozen=True, kw_only=True)
class Executable:
    """The program of an oracle.

    Attributes:
        oracle: its name.
        program: its usual name.
        variable: of the environment that names another.
        install: what to do where there is none.
        question: arguments with which it says its version.
        version: finds it in what it says.
    """

    oracle: str
    program: str
    variable: str
    install: str
    question: tuple[str, ...] = ()
    version: str

    def find(self, command: str = "") -> list[str]:
        """Its command line, with the whole path of the program.

        Args:
            command: as the settings have it; empty for the variable's, else the usual name on the PATH.

        Raises:
            OracleAbsentError: there is no such program.
        """
        words = shlex.split(command or os.environ.get(self.variable, "") or self.program)
        found = shutil.which(words[0])
        if found is None:
            raise OracleAbsentError(
                f"there is no program '{words[0]}' here",
                where=f"oracle {self.oracle}",
                remedy=f"{self.install}; or name it in oracles.{self.oracle}.command or ${self.variable}",
            )
        return [os.path.abspath(found), *words[1:]]  # noqa: PTH100 (links stay: MPI is beside the link)

    def ask(self, argv: Sequence[str]) -> str:
        """Its version, by starting it: a program that is there may lack a library all the same.

        Raises:
            OracleAbsentError: it does not start, or says something else.
        """
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            try:
                run_program(
                    [*argv, *self.question], folder=place, stdout="out", stderr="err", timeout=_PATIENCE
                )
            except OSError as error:
                said = str(error)
            else:
                said = "".join((place / name).read_text(errors="replace") for name in ("out", "err"))
        if (found := re.search(self.version, said)) is None:
            last = (said.strip().splitlines() or ["it said nothing"])[-1]
            raise OracleAbsentError(
                f"{argv[0]} does not start: {last}", where=f"oracle {self.oracle}", remedy=self.install
            )
        return found[1]


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


def tail_of(*paths: Path, lines: int = TAIL) -> str:
    """The last lines of the first file that holds any, indented."""
    for path in paths:
        if path.is_file() and (text := path.read_text(encoding="utf-8", errors="replace").strip()):
            return "\n    ".join(line for line in text.splitlines()[-3 * lines :] if line.strip())[-1500:]
    return ""


def only(results: Any, names: Sequence[str]) -> dict[str, Any]:
    """Those of the results that an oracle keeps."""
    return {name: results[name] for name in names if results.get(name) is not None}
