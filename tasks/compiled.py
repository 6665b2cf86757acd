"""Compile loops over flat arrays with numba, when they are first called.

What was compiled is kept beside the source (or where ``NUMBA_CACHE_DIR`` says), so that it happens once an
installation. A module of kernels imports numba, half a second: import such modules inside functions. A
kernel calls only functions of its own file: numba does not see that another file has changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

Function = TypeVar("Function", bound="Callable[..., Any]")


def compiled(function: Function) -> Function:
    """Compile at the first call; the interpreter's lock is released and nothing is run in parallel."""
    return cast("Function", njit(cache=True, nogil=True, error_model="numpy")(function))
