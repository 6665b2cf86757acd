"""Load a potential of another library: ``mace:medium-mpa-0``, or ``mace:/path/to/file.model``."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from zonemelt.tasks.errors import InputError
from zonemelt.tasks.potentials.by_ase import OfCalculator
from zonemelt.tasks.potentials.foreign.libraries import LIBRARIES
from zonemelt.tasks.potentials.foreign.library import SEE_ITS_PAGE, Asked
from zonemelt.tasks.theory import Theory
from zonemelt.tasks.whole_files import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonemelt.tasks.potentials.foreign.library import Library

_PICKLES: Final = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"  # mace-torch sets it for the whole process


def is_foreign(name: str) -> bool:
    """Whether a name is of the form ``library:model``."""
    return name.partition(":")[0] in LIBRARIES and ":" in name


def load(
    name: str,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    trust: bool = False,
    theory: Theory | None = None,
) -> OfCalculator:
    """Load one.

    Args:
        name: ``library:model``, where the model is a name that the library downloads, or a path.
        device: "cpu" or "cuda".
        dtype: "float32" or "float64"; not every library has both.
        trust: that whoever made the file may run programs here: most of these files can.
        theory: what its labels were computed with, where nobody else says so.

    Raises:
        InputError: the library is not installed or refuses, there is no such file, or it may run code and
            nobody said that it is trusted.
    """
    library, _, source = name.partition(":")
    return _load(LIBRARIES[library], source, device=device, dtype=dtype, trust=trust, theory=theory)


def _load(
    library: Library, source: str, *, device: str, dtype: str, trust: bool, theory: Theory | None
) -> OfCalculator:
    where = f"{library.name}:{source}"
    path = Path(source).expanduser()
    is_file = path.exists()
    if not is_file and (os.sep in source or path.suffix in {".model", ".pt", ".pth", ".ckpt"}):
        raise InputError("there is no such file", where=where, remedy=f"name {library.files}")
    if is_file and library.runs_code and not trust:
        raise InputError(
            "a file of this kind can run any program when it is read",
            where=where,
            remedy="if you trust who made it, say so: trust=True, or --trust on the command line",
        )
    if not importable(library.module):
        raise InputError(f"{library.name} is not installed", where=where, remedy=library.install)
    asked = Asked(
        source=str(path.absolute()) if is_file else source, is_file=is_file, device=device, dtype=dtype
    )
    try:
        with _kept_apart(pickles=library.runs_code):
            loaded = library.load(asked)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{library.name} cannot load it: {type(error).__name__}: {str(error)[:300]}",
            where=where,
            remedy=f"names it knows, among others: {', '.join(library.models) or 'see its page'}; a download "
            f"needs a network: else fetch the file and name it ({library.files})",
        ) from error
    published = library.models.get(source)
    return OfCalculator(
        loaded.calculator,
        name=where,
        elements=loaded.elements,
        theory=theory
        or (published.theory if published else _unknown(library, path if is_file else None, source)),
        licence=published.licence if published else SEE_ITS_PAGE,
        cutoff=loaded.cutoff,
    )


def _unknown(library: Library, path: Path | None, source: str) -> Theory:
    """A level of theory that agrees with that of the same model only."""
    known_by = source if path is None else (sha256_of(path)[:16] if path.is_file() else path.name)
    return Theory(code="not said", version=f"{library.name} {known_by}")


def importable(module: str) -> bool:
    """Whether a module is installed, without importing it."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of what it lies in
        return False


@contextlib.contextmanager
def _kept_apart(*, pickles: bool) -> Iterator[None]:
    """Let a library print, warn and read pickles without the rest of the process being touched.

    The precision that torch uses by default, which orb-models sets, does not outlive the block either.

    Args:
        pickles: whether torch may read pickles for it, which outlives the block in no case.
    """
    import torch

    before, precision = os.environ.get(_PICKLES), torch.get_default_dtype()
    if pickles:
        os.environ[_PICKLES] = "1"
    try:
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_default_dtype(precision)
        os.environ.pop(_PICKLES, None)
        if before is not None:
            os.environ[_PICKLES] = before
