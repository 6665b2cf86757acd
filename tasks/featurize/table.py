"""A table of features: a row a material, a label a column, and what had to be left out, with reasons."""

# N rows, F features

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zonemelt.tasks.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A material that has no row.

    Attributes:
        row: its place in what was given.
        value: what was given there.
        reason: why there are no features of it.
        remedy: what to do about it.
    """

    row: int
    value: str
    reason: str
    remedy: str = ""

    def error(self) -> InputError:
        """The same as an error."""
        return InputError(f"{self.value}: {self.reason}", where=f"row {self.row}", remedy=self.remedy)


@dataclass(frozen=True, kw_only=True)
class Features:
    """Features of some materials.

    Attributes:
        labels: of the columns (F).
        rows_N: the place of each row in what was given, ascending.
        values_NF: the features; of dtype object where a featurizer gives words.
        refused: what was given and has no row, ascending.
    """

    labels: tuple[str, ...]
    rows_N: NDArray[np.int64]
    values_NF: NDArray[Any]
    refused: tuple[Refused, ...] = field(default=())

    def frame(self) -> Any:
        """The table as a ``pandas.DataFrame`` whose index is the place in what was given."""
        from pandas import DataFrame

        return DataFrame(self.values_NF, index=self.rows_N, columns=list(self.labels)).infer_objects()

    def complete(self) -> Features:
        """The table, where nothing was refused.

        Raises:
            InputError: something was; the first of them is named.
        """
        raise_refused(self.refused)
        return self


def raise_refused(refused: Sequence[Refused]) -> None:
    """Raise the first, and say how many more there are.

    Raises:
        InputError: there is one.
    """
    if not refused:
        return
    error = refused[0].error()
    more = f" (and {len(refused) - 1} more rows)" if len(refused) > 1 else ""
    raise InputError(f"{error.what}{more}", where=error.where, remedy=error.remedy)
