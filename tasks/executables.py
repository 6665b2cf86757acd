"""Programs of others on this machine: where they are, and which version they say they have."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from zonemelt.tasks.errors import OracleAbsentError
from zonemelt.tasks.programs import run_program

if TYPE_CHECKING:
    from collections.abc import Sequence

_PATIENCE: Final = 120.0  # seconds that a program may take to say its version


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
            OracleAbsentError: there is no such program, or the command is none.
        """
        said = command.strip() or os.environ.get(self.variable, "").strip() or self.program
        try:
            words = shlex.split(said)
        except ValueError as error:
            raise OracleAbsentError(
                f"the command {said!r} cannot be split into words: {error}",
                where=f"oracle {self.oracle}",
                remedy=f"close its quotes, in oracles.{self.oracle}.command or in ${self.variable}",
            ) from None
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


@dataclass(frozen=True, kw_only=True)
class _Python(Executable):
    """The Python of GPAW's environment, for which there are more places than the PATH."""

    def find(self, command: str = "") -> list[str]:
        """The settings' command, the variable's, ``.venv-gpaw`` here or next to a checkout of zonemelt.

        Raises:
            OracleAbsentError: there is none.
        """
        if command or os.environ.get(self.variable):
            return super().find(command)
        places = [
            folder / ".venv-gpaw/bin/python" for folder in (Path.cwd(), Path(__file__).resolve().parents[1])
        ]
        for place in places:
            if place.is_file():
                return [str(place.absolute())]
        raise OracleAbsentError(
            f"no Python with GPAW at {' or '.join(map(str, places))}",
            where="oracle gpaw",
            remedy=f"{self.install}; or name it in ${self.variable} or in oracles.gpaw.command",
        )


GPAW: Final = _Python(
    oracle="gpaw",
    program="GPAW",
    variable="ZONEMELT_GPAW_PYTHON",
    install="run `make oracle ORACLE=gpaw` (1 minute; needs g++)",
    question=("-I", "-c", "import gpaw; print('GPAW', gpaw.__version__)"),
    version=r"GPAW (\S+)",
)
