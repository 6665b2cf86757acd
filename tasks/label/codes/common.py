"""What every DFT code is to the oracles: a calculator of ASE, and what its log says besides the results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from zonemelt.tasks.errors import OracleError

if TYPE_CHECKING:
    from pathlib import Path

    from zonemelt.tasks.executables import Executable
    from zonemelt.tasks.label.kpoints import KPoints
    from zonemelt.tasks.label.protocol import Numerics
    from zonemelt.tasks.label.protocol import Protocol as LabelProtocol
    from zonemelt.tasks.records import Geometry

# E + F over two removes what gaussian and Fermi-Dirac smearing do to the energy to second order (Gillan,
# J. Phys.: Condens. Matter 1, 689 (1989)); where there is no second order a third of TS is left, as in VASP.
_SHARE: Final = {"gaussian": 1 / 2, "fermi-dirac": 1 / 2, "cold": 1 / 3, "methfessel-paxton": 1 / 3}


@dataclass(frozen=True, kw_only=True)
class Task:
    """One calculation.

    Attributes:
        geometry: the structure.
        protocol: what is computed.
        numerics: how the cycle is brought to its end, this time.
        kpoints: of the structure.
        files: element → pseudopotential.
        pseudopotentials: the folder they are below.
        folder: where it runs.
        argv: the program.
        timeout: wall time, s.
    """

    geometry: Geometry
    protocol: LabelProtocol
    numerics: Numerics
    kpoints: KPoints
    files: dict[str, Path]
    pseudopotentials: Path
    folder: Path
    argv: list[str]
    timeout: float


@dataclass(frozen=True, kw_only=True)
class Said:
    """What the log of a calculation says; None where it does not.

    Attributes:
        version: of the code.
        iterations: of the electronic cycle.
        converged: the electronic cycle.
        setups: element → potential, where the code has its own.
        logs: files that tell of a failure, the most telling first.
        fault: the code's own words for what went wrong.
        absent: something is missing that the next structure would miss, too.
    """

    version: str | None = None
    iterations: int | None = None
    converged: bool | None = None
    setups: dict[str, str] = field(default_factory=dict)
    logs: tuple[Path, ...] = ()
    fault: str = ""
    absent: bool = False


class DftCode(Protocol):
    """A module of this folder."""

    EXECUTABLE: Executable
    LOG: str

    def calculator(self, task: Task) -> Any:
        """A calculator of ASE that does the task when it is asked for its results."""

    def said(self, folder: Path) -> Said:
        """What the log in a folder says."""


def initial_moments(task: Task) -> Any:
    """The structure as ``ase.Atoms``, with the initial moments of the protocol where it has spin."""
    atoms = task.geometry.atoms()
    if task.protocol.spin:
        atoms.set_initial_magnetic_moments([task.protocol.magmoms.get(s, 0.6) for s in atoms.symbols])
    return atoms


def extrapolated(free: float, entropy: float | None, smearing: str) -> float:
    """The energy extrapolated to zero smearing, eV.

    Args:
        free: energy that the forces are the slope of, eV.
        entropy: -TS of the smearing, eV, which is in it; None where the log does not say.
        smearing: of the protocol.

    Raises:
        OracleError: there is smearing, and nothing says what it adds.
    """
    if smearing not in _SHARE:
        return free
    if entropy is None:
        raise OracleError(
            f"the log does not say what {smearing} smearing adds to the energy",
            remedy="use a version of the code that prints -TS, or smearing: none",
        )
    return free - _SHARE[smearing] * entropy
