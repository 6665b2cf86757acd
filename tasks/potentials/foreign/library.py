"""What is known of a library of potentials before it is installed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.theory import Theory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

MP: Final = Theory(code="vasp", version="as of the Materials Project, uncorrected", functional="PBE")
OMAT: Final = Theory(code="vasp", version="as of OMat24", functional="PBE")
MATPES_PBE: Final = Theory(code="vasp", version="as of MatPES", functional="PBE")
MATPES_R2SCAN: Final = Theory(code="vasp", version="as of MatPES", functional="r2SCAN")
MATTERSIM: Final = Theory(code="vasp", version="as of MatterSim", functional="PBE")

SEE_ITS_PAGE: Final = "see the page of the model"


def elements_of_mp() -> frozenset[str]:
    """The 89 elements of the Materials Project, Alexandria and OMat24: up to Pu, without Po to Ra."""
    from ase.data import chemical_symbols

    return frozenset(chemical_symbols[1:95]) - {"Po", "At", "Rn", "Fr", "Ra"}


@dataclass(frozen=True, kw_only=True)
class Published:
    """A model that its makers offer for download.

    Attributes:
        theory: of its labels.
        licence: of its weights.
    """

    theory: Theory
    licence: str


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a library is asked to load.

    Attributes:
        source: a name of the library, or the path of a file or folder.
        is_file: which of the two.
        device: "cpu" or "cuda".
        dtype: "float32" or "float64".
    """

    source: str
    is_file: bool
    device: str
    dtype: str

    def single(self, library: str) -> None:
        """Refuse double precision where a library has none.

        Raises:
            InputError: it is asked for.
        """
        if self.dtype != "float32":
            raise InputError(
                f"{library} computes in float32 only, {self.dtype} is asked for",
                where=f"{library}:{self.source}",
                remedy="ask for float32; finite differences then need larger steps",
            )


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What a library made of it.

    Attributes:
        calculator: of ASE.
        elements: symbols it was trained for.
        cutoff: Å, where the model says so.
    """

    calculator: Any
    elements: Iterable[str]
    cutoff: float | None = None


@dataclass(frozen=True, kw_only=True)
class Library:
    """One library.

    Attributes:
        name: as in ``name:model``.
        module: that is imported.
        packages: what to install.
        environment: why it needs an environment of its own; empty where it lives beside the others.
        load: makes the calculator; called when the module can be imported.
        models: names → what is known of them; the library may know more.
        files: what a file of this library is.
        runs_code: whether a file can run code when it is read.
    """

    name: str
    module: str
    packages: str
    environment: str
    load: Callable[[Asked], Loaded]
    files: str
    models: Mapping[str, Published] = field(default_factory=dict)
    runs_code: bool = True

    @property
    def install(self) -> str:
        """What to do to have it."""
        line = f"pip install {self.packages}"
        return f"{line}, in an environment of its own: {self.environment}" if self.environment else line
